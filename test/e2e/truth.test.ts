import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { crictl, json, kubeletOf, type ProcessJson } from './runtime.ts';
import { debugPods, kubectl, leavesNothing, world } from './world.ts';

// What the runtime (crictl, and ctr below it), the kernel and the API say, each asked without us.

interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly image: { readonly image: string };
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface ContainerJson {
  readonly id: string;
  readonly image: string;
  readonly createdAt: string;
  readonly state: string;
  readonly name: string;
  readonly attempt: number;
  readonly sandboxId: string;
  readonly pod: string;
  readonly namespace: string;
}

const runningOn = async (node: string) =>
  (JSON.parse(await crictl(node, 'ps', '-o', 'json')) as { containers: Container[] }).containers;

/** The main process of each container and sandbox that runs, by its id. */
async function tasksOf(node: string): Promise<Map<string, number>> {
  const socket = `/proc/${await kubeletOf(node)}/root/run/containerd/containerd.sock`;
  const { stdout } = await execa('ctr', ['-a', socket, '-n', 'k8s.io', 'tasks', 'ls']);
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(rows.filter((row) => row[2] === 'RUNNING').map((row) => [row[0]!, Number(row[1])]));
}

const dismiss = async () => {
  for (const pod of await debugPods()) await kubectl(['delete', '-n', 'gkeprof', pod]);
};

describe('the truth', () => {
  leavesNothing();

  it.each([0, 1] as const)(
    'of every container that runs on node %i is what the runtime and the API say',
    async (at) => {
      const node = world().nodes[at];
      const before = await runningOn(node);
      const tasks = await tasksOf(node);
      const { processes, containers } = await json<{ processes: ProcessJson[]; containers: ContainerJson[] }>(
        'ps',
        `node/${node}`,
        '--linger',
        '1m',
      );
      const still = new Set((await runningOn(node)).map(({ id }) => id));
      const stable = before.filter(({ id }) => still.has(id));
      expect(stable.length).toBeGreaterThan(1);
      const pods = JSON.parse(await kubectl(['get', 'pods', '-A', '-o', 'json'])).items as Array<{
        metadata: { uid: string };
        status: {
          podIPs: Array<{ ip: string }>;
          qosClass: string;
          containerStatuses: Array<{ name: string; containerID: string }>;
        };
      }>;
      const mains: number[] = [];
      for (const each of stable) {
        const { labels } = each;
        const uid = labels['io.kubernetes.pod.uid']!;
        expect(containers.find(({ id }) => id === each.id)).toEqual({
          id: each.id,
          image: each.image.image,
          createdAt: new Date(Number(each.createdAt) / 1e6).toISOString(),
          state: 'Running',
          name: each.metadata.name,
          attempt: each.metadata.attempt,
          sandboxId: each.podSandboxId,
          pod: labels['io.kubernetes.pod.name'],
          namespace: labels['io.kubernetes.pod.namespace'],
        });
        const pod = pods.find(({ metadata }) => metadata.uid === uid)!;
        const status = pod.status.containerStatuses.find(({ containerID }) => containerID.endsWith(each.id))!;
        const owner = {
          what: 'container',
          containerId: each.id,
          container: status.name,
          sandboxId: each.podSandboxId,
          pod: labels['io.kubernetes.pod.name'],
          namespace: labels['io.kubernetes.pod.namespace'],
          podUid: uid,
          ips: pod.status.podIPs.map(({ ip }) => ip),
          qos: pod.status.qosClass,
        };
        const main = tasks.get(each.id)!;
        expect(processes.find(({ pid }) => pid === main)).toMatchObject(owner);
        mains.push(main);
        for (const proc of processes.filter(({ containerId }) => containerId === each.id))
          expect(proc).toMatchObject(owner);
      }
      // Back again, by the short id that crictl prints: of a container its main process, of a sandbox all of its pod.
      const ids = stable.flatMap(({ id }) => ['--container', id.slice(0, 13)]);
      const { owners } = await json<{ owners: ProcessJson[] }>('whois', `node/${node}`, ...ids);
      expect(owners.map(({ pid }) => pid).sort()).toEqual(mains.sort());
      await dismiss();
    },
  );
});
