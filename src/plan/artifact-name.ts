import { createHash } from 'node:crypto';

const LONGEST_NAME = 200;
/** The longest ending of our files. All names reserve room for it, so that all names of one capture are cut at the same place. */
const LONGEST_ENDING = '.perf-script.txt.gz'.length + '.999'.length;

/**
 * The common beginning of the names of one capture's files, in the format of the runbook:
 * `<node>.<YYYYMMDD_HHMMSS>_UTC.<scope>`. It has no colons, because neither Windows nor `kubectl cp` takes them. With its
 * ending it has at most 200 bytes: a longer name is cut, and ends in 8 hex digits of the hash of the whole name.
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

/** The scope of a profile as a part of its file name. */
export const profileScope = (namespace: string, pod: string, container?: string): string =>
  container === undefined ? `pod_${namespace}_${pod}` : `container_${namespace}_${pod}_${container}`;

/**
 * The common beginning of the names of files that are made of the recordings of several pods, or of several nodes. In place of the
 * node stands the number of nodes if they are several. `workload` is the name of the workload whose pods they are, if it is only one.
 */
export function manyTargetsName(
  targets: ReadonlyArray<{ readonly node: string; readonly namespace?: string }>,
  startedAtMs: number,
  workload?: string,
): string {
  const nodes = [...new Set(targets.map(({ node }) => node))];
  const namespaces = [...new Set(targets.flatMap(({ namespace }) => namespace ?? []))];
  const scope =
    namespaces.length === 0
      ? ['nodes', String(nodes.length)]
      : ['pods', ...(namespaces.length === 1 ? namespaces : []), workload ?? String(targets.length)];
  return baseName(nodes.length === 1 ? nodes[0]! : `${nodes.length}-nodes`, startedAtMs, scope.join('_'));
}
