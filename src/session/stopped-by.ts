import type { V1Pod } from '@kubernetes/client-node';
import type { EventOf } from '../node/events.ts';
import { printable } from '../text/printable.ts';

/**
 * Who or what ended a capture, as far as the events and the API tell. A request to stop is not signed, so one that did not
 * come from this command came from another client.
 */
export type StoppedBy =
  | 'limit'
  | 'this command'
  | 'another client'
  | 'deletion of the debug pod'
  | 'the cluster'
  | 'the tool'
  | 'the target'
  | 'unknown';

/** What the API knows about a deletion of the debug pod during the capture. */
export interface Deletion {
  readonly deletionTimestamp: string;
  /** The last client that changed the pod, besides the kubelet and this one, by the name that it gave itself. */
  readonly lastWriter?: string;
}

/** `hasAsked`: whether this command asked the node to stop. */
export function stoppedBy(ended: EndReason, hasAsked: boolean, deletion: Deletion | undefined): StoppedBy {
  switch (ended) {
    case 'requested':
      return hasAsked ? 'this command' : 'another client';
    case 'terminated':
      return deletion ? 'deletion of the debug pod' : 'the cluster';
    case 'tool-ended':
      return 'the tool';
    case 'target-gone':
      return 'the target';
    case 'lost':
      return deletion ? 'deletion of the debug pod' : 'unknown';
    default:
      return 'limit';
  }
}

/** This client has not deleted the pod yet, so somebody else did. The managed fields do not say who deleted it. */
export function deletionOf(pod: V1Pod | undefined): Deletion | undefined {
  const { deletionTimestamp, managedFields = [] } = pod?.metadata ?? {};
  if (!deletionTimestamp) return undefined;
  const lastWriter = managedFields
    .filter(({ manager = '' }) => manager !== '' && manager !== 'kubelet' && manager !== 'kubectl-gkeprof')
    .toSorted((a, b) => Number(new Date(a.time ?? 0)) - Number(new Date(b.time ?? 0)))
    .at(-1)?.manager;
  return {
    deletionTimestamp: new Date(deletionTimestamp).toISOString(),
    ...(lastWriter !== undefined && { lastWriter: printable(lastWriter) }),
  };
}
/** Why a capture ended: the node's word for it, or `lost` if its container died before it could say. */
export type EndReason = NonNullable<EventOf<'end'>['reason']> | 'lost';
