import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { load } from 'js-yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitedContext, privilegesOf } from '../../src/collectors/privileges.ts';
import { json, kubeletOf, type ProcessJson } from './runtime.ts';
import {
  captureProcesses,
  capturesPackets,
  debugPods,
  environment,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

const LEAST = '--least-privilege';
const POD = 'private';
const PORT = '6390';

/** A Redis that is not root, whose program nobody else may read: root's capabilities count here, not its uid. */
const PRIVATE = () => `
apiVersion: v1
kind: Pod
metadata: { name: ${POD}, namespace: ${NAMESPACE} }
spec:
  nodeName: ${world().nodes[0]}
  terminationGracePeriodSeconds: 1
  enableServiceLinks: false
  securityContext: { runAsUser: 4711, runAsGroup: 4711 }
  containers:
    - name: redis
      image: ${world().images.redisFp}
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          umask 077
          mkdir -p /tmp/own
          cp "$(readlink -f "$(command -v redis-server)")" /tmp/own/redis-server
          chmod 700 /tmp/own/redis-server
          exec /tmp/own/redis-server --save '' --appendonly no --protected-mode no --port ${PORT}
    - name: load
      image: ${world().images.redisFp}
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          until redis-cli -p ${PORT} ping; do sleep 0.1; done
          while :; do redis-benchmark -p ${PORT} -q -c 4 -n 3000 -t set,get,lpush,lrange_100 >/dev/null; sleep 0.2; done
`;

const node = () => `node/${world().nodes[0]}`;
const podIp = (name: string) =>
  kubectl(['get', 'pod', '-n', NAMESPACE, name, '-o', 'jsonpath={.status.podIP}']);

/** The pod that would be made, as the API server has it after admission. */
async function dryRun(words: readonly string[]) {
  const dashes = words.indexOf('--');
  const at = dashes < 0 ? words.length : dashes;
  const run = await gkeprof([...words.slice(0, at), LEAST, '--dry-run', 'server', ...words.slice(at)]);
  expect(run.code, run.stderr).toBe(0);
  return load(run.stdout) as {
    spec: { hostPID?: boolean; hostNetwork?: boolean; containers: Array<{ securityContext: object }> };
  };
}

/** Of a profile: how many frames of the kernel, and of redis-server's own program, have a name. */
function framesOf(file: string) {
  const kernel = { known: 0, unknown: 0 };
  const redis = { known: 0, unknown: 0 };
  const names = new Set<string>();
  for (const line of gunzipSync(readFileSync(file)).toString('utf8').split('\n')) {
    const [, address, name, object] = /^\s+([0-9a-f]+) (.+) \((.*)\)$/.exec(line) ?? [];
    if (address === undefined) continue;
    const counted = address.startsWith('ffff') ? kernel : /\/redis-server$/.test(object!) ? redis : undefined;
    if (counted) counted[name!.startsWith('[unknown]') ? 'unknown' : 'known'] += 1;
    names.add(name!.replace(/(\.(part|isra|constprop)\.\d+)*\+0x[0-9a-f]+$/, ''));
  }
  return { kernel, redis, names };
}

describe('--least-privilege', () => {
  leavesNothing();
  const output = outputFolder();
  /** Runs a command without and with least privilege at the same time, each with a folder of its own for its files. */
  async function recordBoth(words: (folder: string, more: readonly string[]) => string[]) {
    const folders = ['all', 'least'].map((name) => join(output.path(), name));
    const runs = await Promise.all(
      folders.map((folder, at) => {
        mkdirSync(folder);
        return gkeprof(words(folder, at === 0 ? [] : [LEAST]));
      }),
    );
    for (const run of runs) expect(run.code, run.stderr).toBe(0);
    /** The file of each with this ending. */
    return (ending: string) =>
      folders.map((folder) => {
        const found = readdirSync(folder).filter((file) => file.endsWith(ending));
        expect(found).toHaveLength(1);
        return join(folder, found[0]!);
      });
  }

  beforeAll(async () => {
    await kubectl(['apply', '-f', '-'], PRIVATE());
    await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${POD}`, '--timeout=120s']);
  });
  afterAll(async () => {
    await kubectl(['delete', 'pod', '-n', NAMESPACE, POD]);
  });

  it.each<[string, () => string[], Parameters<typeof privilegesOf>]>([
    ['a profile of a node', () => ['flamegraph', node()], ['perf', 'node']],
    ['of a pod', () => ['flamegraph', 'redis-0', '-n', NAMESPACE], ['perf', 'pod']],
    [
      'of a container',
      () => ['flamegraph', 'redis-0', '-c', 'redis', '-n', NAMESPACE],
      ['perf', 'container'],
    ],
    ['packets of a node', () => ['pcap', node()], ['tcpdump', 'node']],
    ['of a pod', () => ['pcap', 'redis-0', '-n', NAMESPACE], ['tcpdump', 'netns']],
    ['of an interface', () => ['pcap', 'redis-0', '--scope', 'iface', '-n', NAMESPACE], ['tcpdump', 'iface']],
    ['ps', () => ['ps', 'redis-0', '-n', NAMESPACE], ['inspect', 'node', ['processes', 'runtime']]],
    [
      'whois of a port',
      () => ['whois', node(), '--port', '1'],
      ['inspect', 'node', ['processes', 'runtime', 'sockets']],
    ],
    [
      'whois of an interface',
      () => ['whois', node(), '--veth', 'x'],
      ['inspect', 'node', ['processes', 'runtime', 'links']],
    ],
    ['crictl', () => ['crictl', node(), '--', 'ps'], ['crictl', 'node']],
    ['crictl logs', () => ['crictl', node(), '--', 'logs', 'x'], ['crictl', 'node', ['logs']]],
  ])('the API server takes the pod as it is in the table: %s', async (_what, words, work) => {
    const { spec } = await dryRun(words());
    const privileges = privilegesOf(...work);
    expect(spec.containers[0]!.securityContext).toEqual(limitedContext(privileges));
    expect(JSON.stringify(spec)).not.toContain('"privileged":true');
    expect([spec.hostPID ?? false, spec.hostNetwork ?? false]).toEqual([
      privileges.hostPID,
      privileges.hostNetwork,
    ]);
  });

  it.each<[string, () => string[]]>([
    ['a pod', () => [POD, '-n', NAMESPACE]],
    ['a container', () => [POD, '-c', 'redis', '-n', NAMESPACE]],
    ['a node', () => [node()]],
  ])('names the same functions in a profile of %s, the kernel’s too', async (_what, words) => {
    const made = await recordBoth((folder, more) => [
      ...['flamegraph', ...words(), '--duration', '3s', '--output-dir', folder, ...more],
    ]);
    const both = made('.perf-script.txt.gz').map(framesOf);
    for (const { kernel, redis, names } of both) {
      expect([kernel.unknown, redis.unknown]).toEqual([0, 0]);
      expect(kernel.known).toBeGreaterThan(50);
      expect(redis.known).toBeGreaterThan(50);
      // Below these is whatever Redis does.
      for (const name of ['main', 'aeMain', 'aeProcessEvents']) expect(names).toContain(name);
    }
    const plans = made('.receipt.json').map((file) => JSON.parse(readFileSync(file, 'utf8')).plan);
    expect(plans.map(({ debugPod }) => debugPod.leastPrivilege)).toEqual([false, true]);
  });

  it.each<[string, () => string[], () => Promise<string[]>, string[]]>([
    [
      'a pod’s network namespace, with loopback',
      () => [POD, '-n', NAMESPACE, '--port', PORT],
      async () => ['ip.addr == 127.0.0.1'],
      [`not tcp.port == ${PORT}`],
    ],
    [
      'its interface, both ways and without loopback',
      () => ['redis-0', '-n', NAMESPACE, '--port', '6379', '--scope', 'iface'],
      async () => {
        const ip = await podIp('redis-0');
        return [`eth and ip.src == ${ip}`, `eth and ip.dst == ${ip}`];
      },
      ['ip.addr == 127.0.0.1'],
    ],
    [
      'a node, on every interface',
      () => [node(), '--port', '6379'],
      async () => [`ip.addr == ${await podIp('redis-0')}`],
      ['not tcp.port == 6379'],
    ],
    [
      'a node, on its main interface',
      () => [node(), '--', '-i', 'default'],
      async () => ['eth and ip'],
      ['ip.addr == 127.0.0.1'],
    ],
  ])('captures the packets of %s', async (_what, words, some, none) => {
    const typed = words();
    const at = typed.includes('--') ? typed.indexOf('--') : typed.length;
    const made = await recordBoth((folder, more) => [
      ...['pcap', ...typed.slice(0, at), '--duration', '3s', '--output-dir', folder, ...more],
      ...typed.slice(at),
    ]);
    const files = made('.pcap.gz');
    const numbers = async (file: string, filter: string) =>
      (
        await execa('tshark', ['-n', '-r', file, '-Y', filter, '-T', 'fields', '-e', 'frame.number'])
      ).stdout.split('\n')[0];
    for (const file of files) {
      for (const filter of await some()) expect(await numbers(file, filter), filter).not.toBe('');
      for (const filter of none) expect(await numbers(file, filter), filter).toBe('');
    }
  });

  /** What of a process stays the same from one moment to the next. */
  const lasting = (processes: readonly ProcessJson[]) =>
    processes
      .filter(({ nsPid, pod }) => nsPid === 1 && pod !== undefined)
      .map(({ pid, what, container, containerId, sandboxId, pod, namespace, podUid, ips, argv, uid }) => ({
        ...{ pid, what, container, containerId, sandboxId, pod, namespace, podUid, ips, argv, uid },
      }))
      .sort((a, b) => a.pid - b.pid);

  it('knows the same processes and containers, with their names and users', async () => {
    const ps = (...words: string[]) =>
      json<{ processes: ProcessJson[]; containers: unknown[] }>('ps', POD, '-n', NAMESPACE, ...words);
    const [all, least] = await Promise.all([ps(), ps(LEAST)]);
    expect(
      lasting(all.processes)
        .map(({ container }) => container)
        .sort(),
    ).toEqual(['load', 'redis']);
    expect(lasting(least.processes)).toEqual(lasting(all.processes));
    expect(all.containers).toHaveLength(2);
    expect(least.containers).toEqual(all.containers);
  });

  it('knows who listens on a port, and whose an interface is', async () => {
    const owners = async (...words: string[]) =>
      lasting((await json<{ owners: ProcessJson[] }>('whois', node(), ...words)).owners);
    const [listening, least] = await Promise.all([owners('--port', PORT), owners('--port', PORT, LEAST)]);
    expect(listening.map(({ pod, container }) => [pod, container])).toEqual([[POD, 'redis']]);
    expect(least).toEqual(listening);
    const { pid } = listening[0]!;
    const link = await execa('nsenter', ['-t', String(pid), '-n', 'ip', '-o', 'link', 'show', 'eth0']);
    const kubelet = await kubeletOf(world().nodes[0]);
    const links = await execa('nsenter', ['-t', kubelet, '-n', 'ip', '-o', 'link']);
    const index = /eth0@if(\d+)/.exec(link.stdout)![1]!;
    const veth = new RegExp(`^${index}: (\\w+)@`, 'm').exec(links.stdout)![1]!;
    expect((await owners('--veth', veth, LEAST)).map((each) => each.pid)).toContain(pid);
  });

  it('asks crictl, logs and exec included, and probes a node', async () => {
    for (const words of [
      ['crictl', POD, '-n', NAMESPACE, '--', 'ps', '-q'],
      ['crictl', POD, '-n', NAMESPACE, '-c', 'redis', '--', 'logs', '--tail', '1'],
      ['crictl', POD, '-n', NAMESPACE, '-c', 'redis', '--', 'exec', 'id', '-u'],
    ]) {
      const at = words.indexOf('--');
      const [all, least] = await Promise.all([
        gkeprof(words),
        gkeprof([...words.slice(0, at), LEAST, ...words.slice(at)]),
      ]);
      expect([all.code, all.stdout === ''], all.stderr).toEqual([0, false]);
      expect([least.code, least.stdout], least.stderr).toEqual([0, all.stdout]);
    }
    const probe = async (...words: string[]) =>
      (await json<{ nodes: Array<{ probe: object }> }>('nodes', world().nodes[0], '--probe', ...words)).nodes;
    const [least, all] = await Promise.all([probe(LEAST), probe()]);
    expect(least[0]!.probe).toEqual(all[0]!.probe);
  });

  it('has no privileged container while it captures, and no capability but those of the table', async () => {
    const run = start(['pcap', node(), '--duration', '120s', LEAST, '--output-dir', output.path()]);
    await capturesPackets(run, 10_000);
    const [name] = await debugPods();
    const pod = JSON.parse(await kubectl(['get', '-n', 'gkeprof', name!, '-o', 'json']));
    expect(JSON.stringify(pod.spec)).not.toContain('"privileged":true');
    expect(pod.spec.hostPID).toBeUndefined();
    // What the kernel says of tcpdump: NET_RAW is bit 13 (include/uapi/linux/capability.h).
    const tcpdump = (await captureProcesses()).find((line) => line.includes('-w /gkeprof/out/'));
    const status = readFileSync(`/proc/${tcpdump?.split(' ')[0]}/status`, 'utf8');
    for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
      expect(status).toMatch(new RegExp(`^${set}:\t0{12}2000$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    run.kill('SIGINT');
    expect((await run).exitCode).toBe(0);
  });

  it('lets two profiles run at once, however little memory may be locked', async () => {
    const pod = await dryRun(['flamegraph', node()]);
    // As on a node of many processors: what one profile locks is as much as everybody may, and the limit is no more.
    const records = `ulimit -l 512; cd /gkeprof
      for at in 1 2; do perf record --no-bpf-event -F 99 -g -a -e cycles -o "$at" -- sleep 2 & pids+=($!); done
      for pid in "\${pids[@]}"; do wait "$pid" || exit 1; done`;
    Object.assign(pod.spec.containers[0]!, { command: ['/bin/bash', '-c', records], args: [] });
    // Another namespace: that of debug pods takes no such command.
    const metadata = { name: 'two-profiles', namespace: NAMESPACE };
    await kubectl(['create', '-f', '-'], JSON.stringify({ ...pod, metadata, status: undefined }));
    try {
      const ended = 'jsonpath={.status.containerStatuses[?(@.name=="capture")].state.terminated.exitCode}';
      await kubectl(['wait', '-n', NAMESPACE, `pod/${metadata.name}`, `--for=${ended}`, '--timeout=180s']);
      expect(await kubectl(['get', 'pod', '-n', NAMESPACE, metadata.name, '-o', ended])).toBe('0');
    } finally {
      await kubectl(['delete', 'pod', '-n', NAMESPACE, metadata.name]);
    }
  });

  it('needs the level privileged of Pod Security all the same, for host namespaces, a hostPath and capabilities', async () => {
    const result = await execa(
      'kubectl',
      [
        'gkeprof',
        'pcap',
        node(),
        LEAST,
        '--image',
        world().images.tools,
        '--debug-namespace',
        'gkeprof-e2e-baseline',
      ],
      { env: environment(world().admin), extendEnv: false, reject: false, cwd: output.path() },
    );
    expect(result.exitCode).toBe(3);
    const said = String(result.stderr);
    expect(said).toContain('violates PodSecurity "baseline');
    for (const reason of [
      'host namespaces (hostNetwork=true)',
      'hostPath volumes',
      'must not include "NET_RAW"',
    ])
      expect(said).toContain(reason);
    expect(said).not.toContain('securityContext.privileged=true');
    expect(said).toMatch(/hint: .*--least-privilege/);
    expect(await debugPods('gkeprof-e2e-baseline')).toEqual([]);
  });

  it('refuses what cannot be done with it, before anything is created', async () => {
    const shell = await gkeprof(['shell', node(), LEAST, '--', 'id']);
    expect([shell.code, shell.stderr]).toEqual([
      125,
      expect.stringMatching(/^error: --least-privilege: a shell .*\nhint: .*--least-privilege=false/),
    ]);
    const plain = await gkeprof(['ps', 'redis-0', '-n', NAMESPACE, LEAST], { plainImage: true });
    expect([plain.code, plain.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: --least-privilege: needs an image.*\nhint: .*--image/),
    ]);
  });
});
