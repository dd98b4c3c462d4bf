import { printable } from '../text/printable.ts';

/** A container as the runtime knows it: what `crictl ps -a` prints. */
export interface RuntimeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  /** As the pod named it, or the image's id. */
  readonly image: string;
  readonly state: string;
  readonly createdMs: number;
  readonly podUid: string;
  readonly podName: string;
  readonly namespace: string;
}

/** A pod's sandbox: what `crictl pods` prints. */
export interface RuntimeSandbox {
  readonly id: string;
  readonly ready: boolean;
  readonly podUid: string;
  readonly podName: string;
  readonly namespace: string;
}

export interface Runtime {
  readonly containers: readonly RuntimeContainer[];
  readonly sandboxes: readonly RuntimeSandbox[];
}

type Json = Record<string, unknown>;

/** Parses `crictl ps -a -o json` and `crictl pods -o json`. Throws an Error with crictl's own message if it is no JSON. */
export function parseRuntime(ps: string, pods: string): Runtime {
  const containers = list(ps, 'containers').map((each) => {
    const labels = (each.labels ?? {}) as Json;
    const metadata = (each.metadata ?? {}) as Json;
    return {
      id: String(each.id),
      sandboxId: String(each.podSandboxId),
      name: String(metadata.name ?? ''),
      attempt: Number(metadata.attempt ?? 0),
      image: String((each.image as Json | undefined)?.image ?? ''),
      state: String(each.state).replace(/^CONTAINER_/, ''),
      createdMs: Math.floor(Number(each.createdAt) / 1e6),
      podUid: String(labels['io.kubernetes.pod.uid'] ?? ''),
      podName: String(labels['io.kubernetes.pod.name'] ?? ''),
      namespace: String(labels['io.kubernetes.pod.namespace'] ?? ''),
    };
  });
  const sandboxes = list(pods, 'items').map((each) => {
    const metadata = (each.metadata ?? {}) as Json;
    return {
      id: String(each.id),
      ready: each.state === 'SANDBOX_READY',
      podUid: String(metadata.uid ?? ''),
      podName: String(metadata.name ?? ''),
      namespace: String(metadata.namespace ?? ''),
    };
  });
  return { containers, sandboxes };
}

function list(text: string, key: string): Json[] {
  try {
    return ((JSON.parse(text) as Json)[key] ?? []) as Json[];
  } catch {
    throw new Error(printable(text.trim().split('\n').at(-1) || 'nothing'));
  }
}
