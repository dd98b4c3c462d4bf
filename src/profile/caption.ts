import { counted, formatDuration } from '../text/quantity.ts';
import { coresText } from './cores.ts';
import { countersText } from './counters.ts';
import type { Profile } from './profile.ts';
import type { ProfileSummary } from './summary.ts';
import { chosenText } from './unwinding.ts';
import { eventText, sampleWord } from './weighing.ts';

/**
 * The lines above a picture: target and node, then start, duration, frequency, event, number of samples, how the stacks
 * were found, what the kernel counted about the CPU, and the most important limit of the quality. Unknown values are left
 * out.
 */
export function caption(profile: Profile, summary: ProfileSummary): { title: string; subtitle: string[] } {
  const { about, idle, timeline } = profile;
  const facts = [
    about.startedAt && `${about.startedAt.slice(0, 19).replace('T', ' ')} UTC`,
    about.seconds &&
      `${formatDuration(about.seconds)}${about.frequencyHz ? ` at ${about.frequencyHz} Hz` : ''}`,
    profile.event !== 'samples' && eventText(profile),
    `${counted(profile.samples, sampleWord(profile.event))}${lostText(profile.lost)}`,
    summary.cores !== undefined && `${coresText(summary.cores, summary.samples)} cores busy`,
  ];
  const notes = [
    idle.leftOut && `${idle.samples} idle samples left out`,
    profile.except && `${counted(profile.except.samples, 'sample')} of ${profile.except.pod} left out`,
    about.stacks && `stacks: ${chosenText(about.stacks)}`,
    profile.unit === 'nanoseconds' && 'width: CPU time',
    profile.unit === 'microseconds' && 'width: time off the CPU, idle waits included',
    profile.unit === 'events' && `width: number of ${profile.event}`,
    // Only the most important limit: the command prints the others, and the JSON has all.
    summary.quality.limits[0]?.text,
    timeline && timeline.binSeconds > 0 && `times put together in bins of ${timeline.binSeconds * 1000} ms`,
  ].filter(Boolean);
  const counters = about.cpu && countersText(about.cpu, about.seconds ?? 0);
  return {
    title: about.node ? `${about.target} on ${about.node}` : about.target,
    subtitle: [
      facts.filter(Boolean).join(' · '),
      ...(counters ? [`by the kernel's counters, ${counters}`] : []),
      ...(notes.length ? [notes.join(' · ')] : []),
    ],
  };
}

/** Empty if the input does not contain it. */
const lostText = (lost: number | undefined): string =>
  lost === undefined ? '' : lost === 0 ? ', none lost' : `, ${lost} lost`;
