import type { Column } from '../../output/table.ts';
import type { End, quantiles } from './facts.ts';

export const right = (title: string): Column => ({ title, right: true });
export const left = (title: string): Column => ({ title });

/** `redis-0 (10.0.0.1:6379)`. */
export const endText = ({ address, port, name }: End): string => {
  const number =
    port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return name === undefined ? number : `${name} (${number})`;
};

/** A title with an empty line above it, and how much of the whole the table shows. */
export const heading = (title: string, shown: number, total: number): string =>
  `\n${title}${shown < total ? ` (${shown} of ${total}; --all shows them all)` : ''}\n`;

/** Of conversations: whole seconds with their fraction. */
export const durationText = (seconds: number): string =>
  seconds >= 1 || seconds === 0 ? `${Number(seconds.toFixed(6))}s` : latencyText(seconds);

/** The latency that was printed last, with its text. */
let latest = { seconds: 0, text: '0 µs' };

/** `85 µs`, `1.25 ms`, `2.5 s`. */
export function latencyText(seconds: number): string {
  // All quantiles of a single latency are the same.
  if (seconds !== latest.seconds) latest = { seconds, text: newLatencyText(seconds) };
  return latest.text;
}

const newLatencyText = (seconds: number): string =>
  seconds < 1e-3
    ? `${Number((seconds * 1e6).toPrecision(3))} µs`
    : seconds < 1
      ? `${Number((seconds * 1e3).toPrecision(3))} ms`
      : `${Number(seconds.toPrecision(3))} s`;

export type Quantiles = ReturnType<typeof quantiles>;

export const quantileText = (of: NonNullable<Quantiles>): string =>
  `p50 ${latencyText(of.p50Seconds)}, p95 ${latencyText(of.p95Seconds)}, p99 ${latencyText(of.p99Seconds)}, max ${latencyText(of.maxSeconds)} (${of.count})`;
