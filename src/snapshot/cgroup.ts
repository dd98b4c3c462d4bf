/** Where a process is in the node's cgroup tree, as far as the names of the cgroups tell. */
export type Place =
  | {
      readonly kind: 'pod';
      /** As the kubelet wrote it, with dashes: the API's UID, or a static pod's hash. */
      readonly podUid: string;
      readonly qos: 'Guaranteed' | 'Burstable' | 'BestEffort';
      /** Of a container or of the pod's sandbox; absent for a process in the pod's cgroup itself. */
      readonly containerId?: string;
      readonly path: string;
    }
  /** A unit of systemd, or another cgroup of the node's; `/` for the root. */
  | { readonly kind: 'node'; readonly unit?: string; readonly path: string };

const QOS = { burstable: 'Burstable', besteffort: 'BestEffort' } as const;
const UID = '([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})';

/**
 * The place of a process from the lines of /proc/PID/cgroup (cgroups(7)). On cgroup v1 and in hybrid mode a process
 * has a path in each hierarchy; the kubelet creates a pod's cgroup in every hierarchy that it knows, and
 * perf's hierarchy is read first.
 */
export function placeOf(lines: readonly string[]): Place {
  const entries = lines.map((line) => {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return { controllers: controllers.split(','), path };
  });
  const order = ['perf_event', 'cpu', 'memory', 'pids', 'name=systemd', ''];
  const paths = order.flatMap((name) =>
    entries.filter((each) => each.controllers.includes(name)).map((each) => each.path),
  );
  for (const path of paths) {
    const place = placeInPod(path);
    if (place) return place;
  }
  const named = entries.find((each) => each.controllers.includes('name=systemd') && each.path !== '/');
  const path = named?.path ?? paths.find((each) => each !== '/') ?? '/';
  const unit = path
    .split('/')
    .filter((name) => /\.(service|scope)$/.test(name))
    .at(-1);
  return { kind: 'node', path, ...(unit !== undefined && { unit }) };
}

/**
 * The kubelet's own layouts (kubernetes pkg/kubelet/cm/cgroup_manager_linux.go), below any root:
 * `kubepods/[QOS/]pod<UID>/…` by cgroupfs, `kubepods.slice/[kubepods-QOS.slice/]kubepods[-QOS]-pod<UID with _>.slice/…`
 * by systemd. Only the first `kubepods` of a path counts, and only what lies directly below the pod's is a container:
 * what a container makes below itself lies behind its own id and can imitate nothing.
 */
function placeInPod(path: string): Place | undefined {
  const names = path.split('/').slice(1);
  const at = names.findIndex((name) => name.includes('kubepods'));
  const root = names[at];
  if (root === undefined) return undefined;
  const systemd = root.endsWith('.slice');
  if (systemd ? !/(^|-)kubepods\.slice$/.test(root) : root !== 'kubepods') return undefined;
  const stem = root.replace(/\.slice$/, '');
  const level = systemd ? new RegExp(`^${stem}-(burstable|besteffort)\\.slice$`) : /^(burstable|besteffort)$/;
  const qos = level.exec(names[at + 1] ?? '')?.[1] as keyof typeof QOS | undefined;
  const name = names[at + (qos ? 2 : 1)] ?? '';
  const pod = systemd
    ? new RegExp(`^${stem}${qos ? `-${qos}` : ''}-pod${UID}\\.slice$`).exec(name.replaceAll('_', '-'))
    : new RegExp(`^pod${UID}$`).exec(name);
  if (!pod) return undefined;
  const containerId = containerIdOf(names[at + (qos ? 3 : 2)] ?? '');
  return {
    kind: 'pod',
    podUid: pod[1]!,
    qos: qos ? QOS[qos] : 'Guaranteed',
    ...(containerId && { containerId }),
    path,
  };
}

/**
 * The id in the name of a container's cgroup, as each runtime writes it. CRI-O's `crio-conmon-<id>.scope` holds the
 * monitor of a container, not the container.
 */
const containerIdOf = (name: string): string | undefined =>
  /^(?:([0-9a-f]{64})|(?:cri-containerd|crio|docker)-([0-9a-f]{64})\.scope)$/
    .exec(name)
    ?.slice(1)
    .find(Boolean);
