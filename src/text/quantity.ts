import { usageError } from '../errors.ts';
import { printable } from './printable.ts';

const SECONDS_PER = { ms: 0.001, s: 1, m: 60, h: 3600 } as const;
const LONGEST_SECONDS = 24 * 3600;

/**
 * Parses a duration in the format of kubectl and Go (`60s`, `1m30s`, `500ms`, `2h`) or a plain number of seconds. Returns
 * seconds. 0 and more than a day are refused, because a capture must end by itself.
 */
export function parseDuration(text: string, flag: string): number {
  const given = text.trim();
  const bare = /^\d+(?:\.\d+)?$/.test(given) ? Number(given) : undefined;
  const parts = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(given)
    ? [...given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
    : undefined;
  if (bare === undefined && parts === undefined) {
    throw usageError(`${flag}: "${text}" is not a duration`, 'write it as 30s, 5m or 1m30s');
  }
  const seconds =
    bare ??
    parts!.reduce((sum, [, n, unit]) => sum + Number(n) * SECONDS_PER[unit as keyof typeof SECONDS_PER], 0);
  if (seconds <= 0) {
    throw usageError(`${flag}: must be longer than 0`, 'for example 60s');
  }
  if (seconds > LONGEST_SECONDS) throw usageError(`${flag}: at most 24h`, `${flag} 24h`);
  return seconds;
}

const BYTES_PER: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** Parses a size in the format of Kubernetes (`500Mi`, `1Gi`, `200M`) or a plain number of bytes. Returns bytes, at least 1. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?B?$/.exec(text.trim());
  const bytes = match ? Math.floor(Number(match[1]) * BYTES_PER[match[2] ?? '']!) : 0;
  if (!match) throw usageError(`${flag}: "${text}" is not a size`, 'write it as 500Mi, 1Gi or bytes');
  if (bytes < 1) throw usageError(`${flag}: must be more than 0`, `${flag} 1Gi`);
  return bytes;
}

/** Parses a whole number within a range. `example` is shown in the hint. */
export function parseCount(
  text: string,
  flag: string,
  least: number,
  most: number,
  example?: number,
): number {
  const number = /^\d+$/.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < least || number > most) {
    throw usageError(
      `${flag}: "${printable(text)}" is not a whole number from ${least} to ${most}`,
      example === undefined ? undefined : `for example ${flag} ${example}`,
    );
  }
  return number;
}

/** Bytes for people, in binary units: `1.2 GiB`, `12 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Seconds for people and for flags: `45s`, `1m30s`, `1h`, `0.5s`, `20ms`. A time that is not 0 is never printed as `0s`. */
export function formatDuration(seconds: number): string {
  if (seconds > 0 && seconds < 0.1) return `${Number((seconds * 1000).toPrecision(2))}ms`;
  if (seconds <= 60) return `${Number(seconds.toFixed(1))}s`;
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  return `${hours ? `${hours}h` : ''}${minutes ? `${minutes}m` : ''}${rest ? `${rest}s` : ''}`;
}

/** A number per second: `1050`, `0.05`. A rate that is not 0 is never printed as 0. */
export const formatRate = (perSecond: number): string =>
  String(perSecond >= 10 ? Math.round(perSecond) : Number(perSecond.toPrecision(2)));

/** `1 packet`, `2 packets`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;
