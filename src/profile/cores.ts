import type { Profile, Thread } from './profile.ts';

/**
 * How many cores a number of samples stands for: the count divided by frequency and time. Undefined if the frequency
 * or the time is not known, and for events that are not a clock: the kernel only approaches the frequency there
 * (Linux kernel/events/core.c, perf_adjust_period), and a processor's cycles stop while it waits.
 */
export function coresOf(
  { about, event }: Pick<Profile, 'about' | 'event'>,
  samples: number,
): number | undefined {
  const { frequencyHz = 0, seconds = 0 } = about;
  if (!isClock(event) || frequencyHz * seconds <= 0) return undefined;
  return samples / (frequencyHz * seconds);
}

/**
 * The same of one thread, which is on one core at a time: N samples span N - 1 periods, so a busy one can come out above.
 * Threads that were merged (merge-threads.ts) have no number of their own, and may be on several.
 */
export function coresOfThread(
  profile: Pick<Profile, 'about' | 'event'>,
  { tid, samples }: Pick<Thread, 'tid' | 'samples'>,
): number | undefined {
  const cores = coresOf(profile, samples);
  return cores === undefined || tid < 0 ? cores : Math.min(1, cores);
}

/** `cpu-clock` and `task-clock` are timers: Linux kernel/events/core.c, perf_swevent_hrtimer. */
export const isClock = (event: string): boolean => /^(?:cpu|task)-clock(?::|$)/.test(event);

/** With as many digits as the number of samples allows: its error is its square root. */
export function coresText(cores: number, samples: number): string {
  const error = samples > 0 ? cores / Math.sqrt(samples) : 0;
  return cores.toFixed(error > 0.05 ? 1 : 2);
}
