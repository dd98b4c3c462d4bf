import type { Profile, Unit } from './profile.ts';

/** What a sample counts, in the words of `--weight`. */
export const weighedBy = (unit: Unit): 'samples' | 'period' => (unit === 'samples' ? 'samples' : 'period');

/** The event with what its samples count, and why it is this event where that had to be decided. */
export const eventText = ({
  event,
  eventNote,
  unit,
}: Pick<Profile, 'event' | 'eventNote' | 'unit'>): string => {
  const note = eventNote === undefined ? '' : `${eventNote}, `;
  return `${event} (${note}${unit === 'microseconds' ? 'weighed by their length' : `weighed by ${weighedBy(unit)}`})`;
};

/** The event of a profile of waits; its unit is microseconds. */
export const OFF_CPU = 'off-cpu';

/** What the profile counts: samples, or waits in a profile of the time off the CPU. */
export const sampleWord = (event: string): 'sample' | 'wait' => (event === OFF_CPU ? 'wait' : 'sample');
