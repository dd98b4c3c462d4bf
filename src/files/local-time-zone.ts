import { readFileSync } from 'node:fs';
import { parsePosixZone, readTimeZone, type TimeZone, UTC } from '../packets/print/time-zone.ts';

const ZONES = '/usr/share/zoneinfo';

/** The time zone of TZ, else of the machine, by the rules of the C library; UTC if there is no such zone. */
export function localTimeZone(env: Readonly<Record<string, string | undefined>>): TimeZone {
  const name = env.TZ?.replace(/^:/, '');
  if (name === undefined) return fromFile('/etc/localtime') ?? UTC;
  if (name === '') return UTC;
  const known = name.includes('..') ? undefined : fromFile(name.startsWith('/') ? name : `${ZONES}/${name}`);
  return known ?? parsePosixZone(name) ?? UTC;
}

function fromFile(path: string): TimeZone | undefined {
  try {
    return readTimeZone(readFileSync(path));
  } catch {
    return undefined;
  }
}
