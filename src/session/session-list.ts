import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import type { Cluster } from '../cluster/cluster.ts';
import { isRecording } from '../collectors/collector.ts';
import { COLLECTORS } from '../collectors/index.ts';
import { type EventName, keepEvent, parseEvent, type SeenEvents } from '../node/events.ts';
import { SCRATCH } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import { ownerOfSuffix } from '../plan/owner.ts';
import type { Plan } from '../plan/plan.ts';
import { MANAGED_BY, SESSION_LABEL, scratchOf } from './pod-manifest.ts';

/**
 * What a session is doing. `capturing`: it records; `running`: it runs something that records nothing, such as a shell;
 * `finished`: its file waits for a client; `failed`: its container died, and what it had written may still be there;
 * `ended`: only the object of the pod is left, and no file.
 */
export type SessionState =
  | 'starting'
  | 'capturing'
  | 'running'
  | 'finishing'
  | 'finished'
  | 'failed'
  | 'ended'
  | 'deleting';

/** A debug pod in the list of sessions. Times are in milliseconds since the epoch. */
export interface ListedSession {
  readonly id: string;
  readonly pod: string;
  readonly scratch: Plan['debugPod']['scratch'];
  /** The user who began it; undefined if the pod's name does not tell. */
  readonly owner?: string;
  /** `pod/redis-0` or `node/node-a`, with the namespace of a pod. */
  readonly target: string;
  readonly targetNamespace?: string;
  readonly node: string;
  /** What it does, in a phrase. */
  readonly what: string;
  readonly state: SessionState;
  readonly createdAt: number;
  /** The size of the file, or of what was written so far. */
  readonly bytes?: number;
  /** When it stops by itself, if nothing stops it before. */
  readonly endsAt?: number;
  /** When the node deletes the file, unless a client copies it then. */
  readonly expiresAt?: number;
}

/** One row of the list, of a pod and of the node's events; these are missing if they could not be read. Pure. */
export function listedSession(pod: V1Pod, events: SeenEvents | undefined): ListedSession {
  const { name = '', labels = {}, annotations = {}, creationTimestamp } = pod.metadata ?? {};
  const owner = ownerOfSuffix(name.split('-').slice(3).join('-'));
  const namespace = annotations['gkeprof.dev/target-namespace'];
  const state = stateOf(pod, events);
  const { artifact, progress } = events ?? {};
  const bytes = artifact?.bytes ?? progress?.bytes;
  const isOver = state === 'ended' || state === 'deleting';
  const times = isOver ? {} : timesOf(pod, state, events);
  return {
    id: labels[SESSION_LABEL] ?? '',
    pod: name,
    scratch: scratchOf(pod),
    ...(owner !== undefined && { owner }),
    target: annotations['gkeprof.dev/target'] ?? '',
    ...(namespace && { targetNamespace: namespace }),
    node: pod.spec?.nodeName ?? '',
    what: annotations['gkeprof.dev/what'] ?? '',
    state,
    createdAt: new Date(creationTimestamp ?? 0).getTime(),
    ...(bytes !== undefined && !isOver && { bytes }),
    ...times,
  };
}

const statusOf = (pod: V1Pod, name: string): V1ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find((each) => each.name === name);

const argumentsOf = (pod: V1Pod, name: string): readonly string[] =>
  pod.spec?.containers.find((each) => each.name === name)?.args ?? [];

const argumentOf = (pod: V1Pod, key: string): string | undefined =>
  argumentsOf(pod, 'capture')
    .find((word) => word.startsWith(`${key}=`))
    ?.slice(key.length + 1);

function stateOf(pod: V1Pod, events: SeenEvents | undefined): SessionState {
  if (pod.metadata?.deletionTimestamp) return 'deleting';
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return 'ended';
  const work = COLLECTORS.find(({ name }) => name === argumentOf(pod, 'collector'));
  const busy = work && isRecording(work) ? 'capturing' : 'running';
  const capture = statusOf(pod, 'capture')?.state;
  if (capture?.terminated)
    return events?.end || (!events && capture.terminated.exitCode === 0) ? 'finished' : 'failed';
  if (!capture?.running) return 'starting';
  if (events?.end) return 'finished';
  if (events?.stopping) return 'finishing';
  return !events || events.capturing || busy === 'running' ? busy : 'starting';
}

function timesOf(
  pod: V1Pod,
  state: SessionState,
  events: SeenEvents | undefined,
): Pick<ListedSession, 'endsAt' | 'expiresAt'> {
  const [captureSeconds, keepSeconds] = argumentsOf(pod, 'files').map(Number);
  const durationMs = Number(argumentOf(pod, 'duration_ms'));
  const started = statusOf(pod, 'files')?.state?.running?.startedAt;
  // node/files.sh: the files are kept so long after the end, or else after the time that the work may take.
  const keptFrom =
    events?.end?.t ?? (started && new Date(started).getTime() + (captureSeconds ?? Number.NaN) * 1000);
  const expiresAt = keptFrom === undefined ? Number.NaN : keptFrom + (keepSeconds ?? Number.NaN) * 1000;
  const endsAt = state === 'capturing' && events?.capturing ? events.capturing.t + durationMs : Number.NaN;
  return {
    ...(Number.isFinite(endsAt) && { endsAt }),
    ...(Number.isFinite(expiresAt) && { expiresAt }),
  };
}

/** Milliseconds for the events of one session: a node that does not answer must not hold up the list. */
const EVENTS_MS = 5000;

/**
 * The wanted sessions in a namespace for debug pods, the oldest first. Nothing is asked of the other pods, because the pod of
 * another user may answer with anything. What a wanted pod does not tell in time is left out.
 */
export async function listSessions(
  cluster: Cluster,
  namespace: string,
  isWanted: (session: ListedSession) => boolean,
): Promise<ListedSession[]> {
  const pods = await cluster.listPods(namespace, MANAGED_BY);
  const wanted = pods.filter((pod) => isWanted(listedSession(pod, undefined)));
  const sessions = await Promise.all(
    wanted.map(async (pod) => listedSession(pod, await eventsOf(pod, cluster))),
  );
  return sessions.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** The events of a session so far; undefined if nobody can tell. */
async function eventsOf(pod: V1Pod, cluster: Cluster): Promise<SeenEvents | undefined> {
  const { name = '', namespace = '' } = pod.metadata ?? {};
  if (!statusOf(pod, 'files')?.state?.running) return undefined;
  const ref = { namespace, pod: name, container: 'files' };
  const nonces = argumentsOf(pod, 'capture')
    .filter((word) => word.startsWith('nonce='))
    .map((word) => word.slice('nonce='.length));
  const asked =
    nonces.length > 1
      ? request('allEvents')
      : request('events', `${SCRATCH[scratchOf(pod)]}/out/events.jsonl`);
  try {
    const { exitCode, stdout } = await cluster.exec(ref, asked, AbortSignal.timeout(EVENTS_MS));
    if (exitCode !== 0) return undefined;
    const lines = Buffer.from(stdout).toString('utf8').split('\n');
    return together(
      nonces.map((nonce) => {
        const seen: SeenEvents = {};
        for (const line of lines) {
          const event = parseEvent(line, nonce);
          if (event) keepEvent(seen, event);
        }
        return seen;
      }),
    );
  } catch {
    return undefined;
  }
}

/**
 * What the events of several recorders tell of their session: it has ended when all have, and its size is the sum of
 * their sizes.
 */
export function together(recorders: readonly SeenEvents[]): SeenEvents {
  if (recorders.length === 1) return recorders[0]!;
  const first = <Name extends EventName>(name: Name) => recorders.find((each) => each[name])?.[name];
  const ends = recorders.flatMap(({ end }) => (end ? [end] : []));
  const isOver = recorders.every(({ end, refused }) => end || refused);
  const hello = first('hello');
  const capturing = first('capturing');
  const stopping = first('stopping');
  const progress = first('progress') ?? first('artifact');
  const bytes = recorders.reduce((sum, each) => sum + (each.artifact?.bytes ?? each.progress?.bytes ?? 0), 0);
  const last = ends.toSorted((a, b) => a.t - b.t).at(-1);
  return {
    ...(hello && { hello }),
    ...(capturing && { capturing }),
    ...(progress && { progress: { free: 0, ...progress, event: 'progress', bytes } }),
    ...(stopping && { stopping }),
    ...(isOver && last && { end: last }),
  };
}

/** The command line that does something with a session, on this computer or another. */
export function sessionLine(
  action: 'attach' | 'collect' | 'stop',
  id: string,
  namespace: string,
  cluster: Pick<Cluster, 'kubectlLine'>,
): string {
  const flags = cluster.kubectlLine().slice('kubectl'.length);
  const where = namespace === 'gkeprof' ? '' : ` --debug-namespace=${namespace}`;
  return `kubectl gkeprof sessions ${action} ${id}${where}${flags}`;
}
