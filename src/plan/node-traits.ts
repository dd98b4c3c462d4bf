import type { V1Node } from '@kubernetes/client-node';

/** Conditions under which the kubelet takes no pods (kubernetes pkg/kubelet/eviction/eviction_manager.go, Admit). */
const REFUSING: readonly string[] = ['DiskPressure', 'PIDPressure'];

/** The pressures under which the node takes no debug pod. One that has requests is taken under pressure of memory. */
export const refusingPressures = (node: V1Node): string[] =>
  conditionsOf(node).filter((type) => REFUSING.includes(type));

/** The types of conditions that are true, such as `Ready`. */
export const conditionsOf = ({ status }: V1Node): string[] =>
  (status?.conditions ?? []).filter((each) => each.status === 'True').map(({ type }) => type);

/** Whether the node is one only for the API: pods run elsewhere, and none is beside others on a machine with a kubelet. */
export function isVirtual({ metadata, spec }: V1Node): boolean {
  const labels = metadata?.labels ?? {};
  return (
    labels.type === 'virtual-kubelet' ||
    labels['eks.amazonaws.com/compute-type'] === 'fargate' ||
    (spec?.taints ?? []).some(({ key }) => key === 'virtual-kubelet.io/provider')
  );
}

/**
 * Whether GKE Autopilot manages the node, by its name (GKE gives the prefix to no other nodes) or its labels. What Autopilot
 * refuses is known only from its answer.
 */
export function isAutopilot({ metadata, spec }: V1Node): boolean {
  const key = 'cloud.google.com/gke-autopilot';
  return (
    metadata?.name?.startsWith('gk3-') === true ||
    metadata?.labels?.[key] !== undefined ||
    (spec?.taints ?? []).some((taint) => taint.key === key)
  );
}

/** Whether pods of GKE Sandbox run on the node. */
export const hasSandboxes = ({ metadata }: V1Node): boolean =>
  metadata?.labels?.['sandbox.gke.io/runtime'] === 'gvisor';
