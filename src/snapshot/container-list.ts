import type { V1Pod } from '@kubernetes/client-node';
import { bareId, type Roster, statusesOf } from './owner.ts';
import type { Snapshot } from './snapshot.ts';

/** A container as `crictl ps` lists it. */
export interface ContainerRow {
  readonly id: string;
  readonly image: string;
  readonly createdMs: number;
  readonly state: string;
  readonly name: string;
  readonly attempt: number;
  readonly sandboxId: string;
  readonly pod: string;
  readonly namespace: string;
}

/** The containers of these pods from the runtime, the newest first, as crictl sorts them. */
export function containersOf(uids: ReadonlySet<string> | undefined, { runtime }: Snapshot): ContainerRow[] {
  return (runtime?.containers ?? [])
    .filter((each) => uids === undefined || uids.has(each.podUid))
    .map((each) => ({
      id: each.id,
      image: each.image,
      createdMs: each.createdMs,
      state: each.state[0] + each.state.slice(1).toLowerCase(),
      name: each.name,
      attempt: each.attempt,
      sandboxId: each.sandboxId,
      pod: each.podName,
      namespace: each.namespace,
    }))
    .sort((a, b) => b.createdMs - a.createdMs);
}

/** The same from the API, if the runtime could not be asked: with the start time for the creation time, and another image id. */
export function containersOfApi(pods: readonly V1Pod[], roster: Roster): ContainerRow[] {
  return pods.flatMap((pod) =>
    statusesOf(pod)
      .filter((status) => status.containerID)
      .map((status) => {
        const { running, terminated } = status.state ?? {};
        return {
          id: bareId(status.containerID!),
          image: status.imageID,
          createdMs: new Date(running?.startedAt ?? terminated?.startedAt ?? 0).getTime(),
          state: running ? 'Running' : terminated ? 'Exited' : 'Unknown',
          name: status.name,
          attempt: status.restartCount,
          sandboxId: roster.sandboxOf(pod.metadata?.uid ?? '') ?? '',
          pod: pod.metadata?.name ?? '',
          namespace: pod.metadata?.namespace ?? '',
        };
      }),
  );
}

export const containerCells = (row: ContainerRow, nowMs: number): string[] => [
  shortId(row.id),
  shortImage(row.image),
  `${humanDuration(nowMs - row.createdMs)} ago`,
  row.state,
  row.name,
  String(row.attempt),
  shortId(row.sandboxId),
  row.pod,
];

/** As much of an id as crictl prints, and takes. */
export const shortId = (id: string): string => id.slice(0, 13);

const shortImage = (image: string): string =>
  /^sha256:/.test(image) ? shortId(image.slice('sha256:'.length)) : image;

/** How long ago, in the words of crictl (github.com/docker/go-units, HumanDuration). */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(ms / 3_600_000 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  const days = Math.floor(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(days / 365)} years`;
}
