import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { crictl, json, kubeletOf, type ProcessJson } from './runtime.ts';
import { debugPods, eventually, gkeprof, kubectl, leavesNothing, NAMESPACE, world } from './world.ts';

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

const cgroupOf = (pid: number | string) => {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
};

const allPids = async () => (await execa('ps', ['-eo', 'pid='])).stdout.split('\n').map(Number);

const dismiss = async () => {
  for (const pod of await debugPods()) await kubectl(['delete', '-n', 'gkeprof', pod]);
};

/** Runs it in a container whose first process is a shell, which buries the children of others. */
const inLoad = (script: string) =>
  kubectl(['exec', '-n', NAMESPACE, 'redis-0', '-c', 'load', '--', 'sh', '-c', script]);

const waitForExit = (pid: number) =>
  eventually(
    async () => cgroupOf(pid),
    (text) => text === '',
  );

describe('the truth', () => {
  leavesNothing();

  it.each([0, 1] as const)(
    'of every container that runs on node %i is what the runtime and the API say',
    async (at) => {
      const node = world().nodes[at];
      // What other tests have deleted is gone from the API before it has ended on the node.
      const leaving = async () => {
        const uids = await kubectl(['get', 'pods', '-A', '-o', 'jsonpath={.items[*].metadata.uid}']);
        return (await runningOn(node)).filter(
          ({ labels }) => !uids.includes(labels['io.kubernetes.pod.uid']!),
        );
      };
      expect(await eventually(leaving, (found) => found.length === 0)).toEqual([]);
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

  it('of 200 live pids of every kind is answered, and of none wrongly', async () => {
    const [node] = world().nodes;
    const crowd = 'i=0; while [ $i -lt 120 ]; do sleep 3000 >/dev/null 2>&1 & i=$((i + 1)); done';
    await inLoad(`${crowd}; :`);
    const all = await allPids();
    const chosen = all.toSorted(() => Math.random() - 0.5).slice(0, 200);
    expect(chosen.length).toBe(200);
    const before = new Map(chosen.map((pid) => [pid, cgroupOf(pid)]));
    const runtime = await runningOn(node);
    const run = await gkeprof(['whois', `node/${node}`, ...chosen.map(String), '-o', 'json']);
    expect([0, 5], run.stderr).toContain(run.code);
    const { owners } = JSON.parse(run.stdout) as { owners: ProcessJson[] };
    const answered = new Map(owners.map((each) => [each.pid, each]));
    const kinds = { container: 0, other: 0, ended: 0 };
    for (const [pid, cgroup] of before) {
      const owner = answered.get(pid);
      if (cgroup === '' || cgroupOf(pid) !== cgroup) {
        kinds.ended += 1;
        continue;
      }
      expect(owner, `pid ${pid}: ${run.stderr}`).toBeDefined();
      const container = runtime.find(({ id }) => cgroup.includes(id));
      if (container) {
        kinds.container += 1;
        expect(owner).toMatchObject({
          what: 'container',
          containerId: container.id,
          sandboxId: container.podSandboxId,
          container: container.metadata.name,
          pod: container.labels['io.kubernetes.pod.name'],
          namespace: container.labels['io.kubernetes.pod.namespace'],
          podUid: container.labels['io.kubernetes.pod.uid'],
        });
      } else {
        kinds.other += 1;
        expect(owner!.container, JSON.stringify(owner)).toBeUndefined();
      }
    }
    expect(kinds.container).toBeGreaterThan(20);
    expect(kinds.other).toBeGreaterThan(20);
    await inLoad('kill -9 -1; :');
  });

  it('of a pid that was reused is the new process’s', async () => {
    const [node] = world().nodes;
    await inLoad('sleep 7777 >/dev/null 2>&1 & :');
    const ask = (...words: string[]) =>
      json<{ owners: ProcessJson[] }>('whois', `node/${node}`, ...words, '--linger', '1m');
    const [old] = (await ask('--match', '^sleep 7777$')).owners;
    expect(old).toMatchObject({ pod: 'redis-0', container: 'load' });
    process.kill(old!.pid, 'SIGKILL');
    await waitForExit(old!.pid);
    // The kernel gives the pid after the last one that it gave.
    const next = `n=0; until [ "$pid" = "$1" ] || [ $n -gt 500 ]; do n=$((n + 1)); [ -z "$pid" ] || kill $pid; echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; sleep 778 >/dev/null 2>&1 & pid=$!; done; echo $pid`;
    const { stdout } = await execa('sh', ['-c', `${next}`, 'sh', String(old!.pid)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(Number(stdout)).toBe(old!.pid);
    try {
      const [reused] = (await ask(String(old!.pid))).owners;
      expect(reused).toMatchObject({ pid: old!.pid, argv: ['sleep', '778'] });
      expect(reused!.pod).toBeUndefined();
      const profile = await gkeprof([
        'flamegraph',
        `node/${node}`,
        '--pid',
        String(old!.pid),
        '--duration',
        '1s',
      ]);
      expect([profile.code, profile.stderr]).toEqual([
        3,
        expect.stringContaining('is in no container of a pod'),
      ]);
    } finally {
      process.kill(old!.pid, 'SIGKILL');
    }
    await dismiss();
  });

  it('of a process in a cgroup that imitates another pod’s is its own container', async () => {
    const [node] = world().nodes;
    await kubectl(['exec', '-n', NAMESPACE, 'idle', '--', 'sh', '-c', 'sleep 779 >/dev/null 2>&1 & :']);
    const ask = (...words: string[]) =>
      json<{ owners: ProcessJson[] }>('whois', `node/${node}`, ...words, '--linger', '1m');
    const [own] = (await ask('--match', '^sleep 779$')).owners;
    const [redis] = (
      await json<{ processes: ProcessJson[] }>('ps', 'redis-0', '-n', NAMESPACE, '-c', 'redis')
    ).processes;
    const path = /^\d+:cpu:(.*)$/m.exec(cgroupOf(own!.pid))![1]!;
    // Of those that the cluster's kernel has, this hierarchy is asked first.
    const root = '/sys/fs/cgroup/cpu';
    const imitations = [`kubepods/besteffort/pod${redis!.podUid}/${redis!.containerId}`, redis!.containerId!];
    for (const imitation of imitations) {
      const parts = imitation.split('/').map((_, at, names) => join(root, path, ...names.slice(0, at + 1)));
      for (const part of parts) mkdirSync(part);
      try {
        writeFileSync(join(parts.at(-1)!, 'cgroup.procs'), String(own!.pid));
        expect(cgroupOf(own!.pid)).toContain(imitation);
        expect((await ask(String(own!.pid))).owners).toMatchObject([
          { pod: 'idle', container: 'sleeper', containerId: own!.containerId },
        ]);
        const { processes } = await json<{ processes: ProcessJson[] }>('ps', 'redis-0', '-n', NAMESPACE);
        expect(processes.map(({ pid }) => pid)).not.toContain(own!.pid);
      } finally {
        writeFileSync(join(root, path, 'cgroup.procs'), String(own!.pid));
        for (const part of parts.reverse()) rmdirSync(part);
      }
    }
    // Beside the container, directly below the pod: no container of that pod has this id.
    const beside = join(root, path, '..', redis!.containerId!);
    mkdirSync(beside);
    try {
      writeFileSync(join(beside, 'cgroup.procs'), String(own!.pid));
      const [found] = (await ask(String(own!.pid))).owners;
      expect(found).toMatchObject({ pod: 'idle', what: 'pod' });
      expect(found!.container).toBeUndefined();
    } finally {
      writeFileSync(join(root, path, 'cgroup.procs'), String(own!.pid));
      rmdirSync(beside);
      process.kill(own!.pid, 'SIGKILL');
    }
    await dismiss();
  });

  it('of processes with names that are traps is their text', async () => {
    const [node] = world().nodes;
    const trap =
      'x\u001b[2J\u001b]0;owned\u0007\n/proc/1/cgroup:0::/ $(touch /tmp/gkeprof-pwned) `id` \u202e';
    await kubectl([
      'exec',
      '-n',
      NAMESPACE,
      'redis-stock',
      '-c',
      'load',
      '--',
      'bash',
      '-c',
      'exec -a "$1" sleep 5555 >/dev/null 2>&1 &',
      'bash',
      trap,
    ]);
    const run = await gkeprof(['ps', 'redis-stock', '-n', NAMESPACE, '--match', 'owned', '--linger', '1m']);
    expect(run.stdout).toContain(
      'x\\x1b[2J\\x1b]0;owned\\x07\\n/proc/1/cgroup:0::/ $(touch /tmp/gkeprof-pwned) `id` \\u202e 5555',
    );
    expect(`${run.stdout}${run.stderr}`).not.toMatch(/[\u001b\u0007\u202e]/);
    const { processes } = await json<{ processes: ProcessJson[] }>(
      'ps',
      'redis-stock',
      '-n',
      NAMESPACE,
      '--match',
      'owned',
    );
    expect(processes).toMatchObject([{ argv: [trap, '5555'], container: 'load', pod: 'redis-stock' }]);
    process.kill(processes[0]!.pid, 'SIGKILL');
    expect((await gkeprof(['whois', `node/${node}`, '--match', 'no such \u001b[31m'])).stderr).not.toContain(
      '\u001b',
    );
    await dismiss();
  });
});
