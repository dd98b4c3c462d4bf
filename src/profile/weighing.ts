import type { Profile, Unit } from './profile.ts';

/** What a sample counts, in the words of `--weight`. */
export const weighedBy = (unit: Unit): 'samples' | 'period' => (unit === 'samples' ? 'samples' : 'period');

/** The event with what its samples count, and why it is this event where that had to be decided. */
export const eventText = ({
  event,
  eventNote,
  unit,
}: Pick<Profile, 'event' | 'eventNote' | 'unit'>): string =>
  `${event} (${eventNote === undefined ? '' : `${eventNote}, `}weighed by ${weighedBy(unit)})`;
