import { counted, formatDuration } from '../quantity.ts';
import type { Profile } from './profile.ts';
import type { Summary } from './summary.ts';
import { eventText } from './weighing.ts';

/**
 * What stands above a picture: target and node; then when, how long, how often, which event, how much was seen and
 * what it is worth. What is not known is not said.
 */
export function caption(profile: Profile, summary: Summary): { title: string; subtitle: string[] } {
  const { about, idle, timeline } = profile;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const facts = [
    about.startedAt && `${about.startedAt.slice(0, 19).replace('T', ' ')} UTC`,
    about.seconds &&
      `${formatDuration(about.seconds)}${about.frequencyHz ? ` at ${about.frequencyHz} Hz` : ''}`,
    profile.event !== 'samples' && eventText(profile),
    `${counted(profile.samples, 'sample')}${profile.lost ? `, ${profile.lost} lost` : ', none lost'}`,
    about.frequencyHz && about.seconds && `${summary.cores.toFixed(2)} cores busy`,
    `${percent(summary.unknownFrames)} of frames unknown`,
  ];
  const notes = [
    idle.leftOut && `${idle.samples} idle samples left out`,
    profile.unit === 'nanoseconds' && 'width: CPU time',
    profile.unit === 'events' && `width: number of ${profile.event}`,
    summary.brokenUnwinding &&
      'most stacks are cut off after one or two frames: built without frame pointers',
    timeline && timeline.binSeconds > 0 && `times put together in bins of ${timeline.binSeconds * 1000} ms`,
  ].filter(Boolean);
  return {
    title: about.node ? `${about.target} on ${about.node}` : about.target,
    subtitle: [facts.filter(Boolean).join(' · '), ...(notes.length ? [notes.join(' · ')] : [])],
  };
}
