import { formatDuration } from '../text/quantity.ts';

/** As many of the parts as fit into the width, the first ones; the first is cut where not even it does. */
export function fitToWidth(parts: readonly string[], width: number): string {
  let shown = parts[0] ?? '';
  if (length(shown) > width) return `${[...shown].slice(0, Math.max(0, width - 1)).join('')}…`;
  for (const part of parts.slice(1)) {
    const longer = `${shown} · ${part}`;
    if (length(longer) > width) break;
    shown = longer;
  }
  return shown;
}

const length = (text: string): number => [...text].length;

/** How far something is that has an end: done and whole in the same unit, which goes on evenly. */
export interface Course {
  readonly done: number;
  readonly whole: number;
}

/**
 * Seconds until the first of several ends is reached, by how fast each went so far; undefined before anything can be
 * said. `elapsed` is in seconds.
 */
export function secondsLeft(elapsed: number, courses: readonly Course[]): number | undefined {
  const left = courses
    .filter(({ done, whole }) => whole > 0 && done > 0)
    .map(({ done, whole }) => Math.max(0, (elapsed * (whole - done)) / done));
  return left.length && elapsed > 0 ? Math.min(...left) : undefined;
}

/** `12s left`, in whole seconds. */
export const leftText = (seconds: number | undefined): string[] =>
  seconds === undefined || !Number.isFinite(seconds) ? [] : [`${formatDuration(Math.ceil(seconds))} left`];
