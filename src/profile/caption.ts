import { counted, formatDuration } from '../text/quantity.ts';
import { coresText } from './cores.ts';
import type { Profile } from './profile.ts';
import type { ProfileSummary } from './summary.ts';
import { eventText } from './weighing.ts';

/**
 * What stands above a picture: target and node; then when, how long, how often, which event, how much was seen and
 * what it is worth. What is not known is not said.
 */
export function caption(profile: Profile, summary: ProfileSummary): { title: string; subtitle: string[] } {
  const { about, idle, timeline } = profile;
  const facts = [
    about.startedAt && `${about.startedAt.slice(0, 19).replace('T', ' ')} UTC`,
    about.seconds &&
      `${formatDuration(about.seconds)}${about.frequencyHz ? ` at ${about.frequencyHz} Hz` : ''}`,
    profile.event !== 'samples' && eventText(profile),
    `${counted(profile.samples, 'sample')}${lostText(profile.lost)}`,
    summary.cores !== undefined && `${coresText(summary.cores, summary.samples)} cores busy`,
  ];
  const notes = [
    idle.leftOut && `${idle.samples} idle samples left out`,
    profile.unit === 'nanoseconds' && 'width: CPU time',
    profile.unit === 'events' && `width: number of ${profile.event}`,
    // The most important one: the others are below the picture's command, and in its JSON.
    summary.quality.limits[0]?.text,
    timeline && timeline.binSeconds > 0 && `times put together in bins of ${timeline.binSeconds * 1000} ms`,
  ].filter(Boolean);
  return {
    title: about.node ? `${about.target} on ${about.node}` : about.target,
    subtitle: [facts.filter(Boolean).join(' · '), ...(notes.length ? [notes.join(' · ')] : [])],
  };
}

/** Empty if the input does not say. */
const lostText = (lost: number | undefined): string =>
  lost === undefined ? '' : lost === 0 ? ', none lost' : `, ${lost} lost`;
