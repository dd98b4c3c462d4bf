import { formatDuration } from '../text/quantity.ts';
import type { About } from './profile.ts';

/** The kernel's counters of the target that are known: `CPU time 4.95 s, held back by a limit for 3.2 s`. */
export function countersText({
  usedSeconds,
  throttledSeconds,
  waitedSeconds,
}: NonNullable<About['cpu']>): string {
  return [
    usedSeconds !== undefined && `${secondsText(usedSeconds)} of CPU time`,
    throttledSeconds && `held back by a CPU limit for ${secondsText(throttledSeconds)}`,
    waitedSeconds && `waited for a processor for ${secondsText(waitedSeconds)}`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** A time of a counter for people: `3 ms`, `4.95 s`. */
export const secondsText = (seconds: number): string =>
  seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;

/** If at least this many samples are expected, it is no coincidence that there are none. */
const EXPECTED = 10;

/** A target that was throttled for a smaller share of the time than this was nearly idle. */
const MUCH = 10;

/** Why a recording is empty. The lack of samples alone does not show whether the target was idle or was held back. */
export function emptyText(
  target: string,
  {
    seconds,
    frequencyHz,
    cpu,
  }: { readonly seconds: number; readonly frequencyHz: number; readonly cpu?: About['cpu'] },
): string {
  const time = formatDuration(seconds);
  const { usedSeconds, throttledSeconds = 0, waitedSeconds = 0 } = cpu ?? {};
  const held = [
    throttledSeconds > seconds / MUCH && `a CPU limit held it back for ${secondsText(throttledSeconds)}`,
    waitedSeconds > seconds / MUCH && `it waited for a processor for ${secondsText(waitedSeconds)}`,
  ].filter((part) => part !== false);
  if (usedSeconds === undefined)
    return `0 samples in ${time}: ${target} was idle or got no processor; the kernel has no counters that would show which`;
  const used = `${target} used ${secondsText(usedSeconds)} of CPU time in ${time}`;
  if (held.length) return `0 samples: ${used}, and ${held.join(', and ')}`;
  return usedSeconds * frequencyHz >= EXPECTED
    ? `0 samples although ${used}: perf did not see it (is the event counted on this node?)`
    : `0 samples: ${target} was idle, it used ${secondsText(usedSeconds)} of CPU time in ${time}; profile it while it works, or for longer`;
}
