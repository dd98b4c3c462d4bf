import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { placeOf } from './cgroup.ts';
import type { Process } from './proc.ts';
import type { Runtime } from './runtime.ts';

/** The owner of a process or a container. What is not known is absent; nothing is guessed. */
export interface Owner {
  readonly namespace?: string;
  readonly pod?: string;
  readonly podUid?: string;
  /** The container's name. */
  readonly container?: string;
  readonly containerId?: string;
  readonly sandboxId?: string;
  readonly ips: readonly string[];
  readonly qos?: string;
  readonly cgroup: string;
  /**
   * `container`; `sandbox`; `pod` for a process in a pod's cgroup but in no known container; `kernel thread`; the name of a
   * systemd unit; or `node`.
   */
  readonly what: string;
}

/** Pods of the API and containers of the runtime, by the UIDs and ids from which cgroups get their names. */
export class Roster {
  readonly #pods = new Map<string, V1Pod>();
  readonly #names = new Map<string, { readonly pod: string; readonly name: string }>();
  readonly #sandboxes = new Map<string, string>();
  readonly #sandboxIds = new Set<string>();

  /** Without a `runtime`, sandboxes are searched among `processes`. */
  constructor(pods: readonly V1Pod[], runtime: Runtime | undefined, processes: readonly Process[]) {
    for (const pod of pods) {
      const uid = pod.metadata?.uid ?? '';
      // The kubelet names a static pod's cgroup after the hash of its manifest (pkg/kubelet/config/common.go).
      const hash = pod.metadata?.annotations?.['kubernetes.io/config.hash'];
      for (const key of hash ? [uid, hash] : [uid]) this.#pods.set(key, pod);
      for (const status of statusesOf(pod)) {
        for (const id of [status.containerID, status.lastState?.terminated?.containerID])
          if (id) this.#names.set(bareId(id), { pod: uid, name: status.name });
      }
    }
    for (const each of runtime?.containers ?? [])
      this.#names.set(each.id, { pod: this.#uid(each.podUid), name: each.name });
    for (const each of runtime?.sandboxes ?? []) {
      this.#sandboxIds.add(each.id);
      if (each.ready) this.#sandboxes.set(this.#uid(each.podUid), each.id);
    }
    if (!runtime) this.#findSandboxes(processes);
  }

  /** Finds pause containers: they have a cgroup below the pod's, but no status in the API. */
  #findSandboxes(processes: readonly Process[]): void {
    for (const proc of processes) {
      const place = placeOf(proc.cgroups);
      if (place.kind !== 'pod' || !place.containerId || proc.comm !== 'pause') continue;
      if (this.#names.has(place.containerId)) continue;
      this.#sandboxIds.add(place.containerId);
      this.#sandboxes.set(this.#uid(place.podUid), place.containerId);
    }
  }

  #uid(uid: string): string {
    return this.#pods.get(uid)?.metadata?.uid ?? uid;
  }

  /** The id of a pod's sandbox, by the pod's UID. */
  sandboxOf(uid: string): string | undefined {
    return this.#sandboxes.get(uid);
  }

  ownerOf(proc: Process): Owner {
    const place = placeOf(proc.cgroups);
    if (place.kind === 'node') {
      const what = proc.kernelThread ? 'kernel thread' : (place.unit ?? 'node');
      return { ips: [], cgroup: place.path, what };
    }
    const id = place.containerId;
    const uid = this.#uid(place.podUid);
    const sandboxId = this.#sandboxes.get(uid);
    const isSandbox = id !== undefined && this.#sandboxIds.has(id);
    const known = id === undefined || isSandbox ? undefined : this.#names.get(id);
    return {
      ...this.#podFacts(place.podUid),
      podUid: uid,
      // A container id from the status of another pod does not count.
      ...(known?.pod === uid && { container: known.name }),
      ...(id !== undefined && !isSandbox && { containerId: id }),
      ...(isSandbox ? { sandboxId: id } : sandboxId !== undefined && { sandboxId }),
      qos: place.qos,
      cgroup: place.path,
      what: isSandbox ? 'sandbox' : known?.pod === uid ? 'container' : 'pod',
    };
  }

  #podFacts(uid: string): Pick<Owner, 'namespace' | 'pod' | 'ips'> {
    const pod = this.#pods.get(uid);
    if (!pod) return { ips: [] };
    const ips = (pod.status?.podIPs ?? []).map((each) => each.ip ?? '').filter(Boolean);
    return {
      namespace: pod.metadata?.namespace ?? '',
      pod: pod.metadata?.name ?? '',
      ips: ips.length || !pod.status?.podIP ? ips : [pod.status.podIP],
    };
  }
}

export const statusesOf = (pod: V1Pod): V1ContainerStatus[] => [
  ...(pod.status?.containerStatuses ?? []),
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.ephemeralContainerStatuses ?? []),
];

/** An id without the runtime's scheme: `containerd://…`. */
export const bareId = (id: string): string => id.replace(/^[^:]+:\/\//, '');
