import { createHash } from 'node:crypto';

const LONGEST_NAME = 200;
/** The longest ending a file of ours has, so that every name of a set is cut at the same place. */
const LONGEST_ENDING = '.perf-script.txt.gz'.length + '.999'.length;

/**
 * The common beginning of the files of one capture, as the runbook named them:
 * `<node>.<YYYYMMDD_HHMMSS>_UTC.<scope>`. No colons (Windows, `kubectl cp`), at most 200 bytes with its ending:
 * what is longer is cut, with 8 hex digits of the hash of the whole.
 */
export function baseName(node: string, startedAtMs: number, scope: string): string {
  const stamp = new Date(startedAtMs)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-:]/g, '')
    .replace('T', '_');
  const whole = `${safe(node)}.${stamp}_UTC.${safe(scope)}`;
  const room = LONGEST_NAME - LONGEST_ENDING;
  if (Buffer.byteLength(whole) <= room) return whole;
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  return `${whole.slice(0, room - 9)}-${hash}`;
}

const safe = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_');

/** Scope of a profile in a file name. */
export const profileScope = (namespace: string, pod: string, container?: string): string =>
  container === undefined ? `pod_${namespace}_${pod}` : `container_${namespace}_${pod}_${container}`;
