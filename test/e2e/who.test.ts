import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { crictl, json, kubeletOf, own, type ProcessJson, type RuntimeJson } from './runtime.ts';
import {
  debugPods,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

describe('ps', () => {
  leavesNothing();

  it('prints what ps and crictl print, of exactly the container’s processes', async () => {
    const [node] = world().nodes;
    const { processes } = await json<{ processes: ProcessJson[] }>(
      'ps',
      'redis-0',
      '-n',
      NAMESPACE,
      '-c',
      'redis',
    );
    const runtime = JSON.parse(await crictl(node, 'ps', '-o', 'json')) as RuntimeJson;
    const redis = runtime.containers.find(
      (each) => each.metadata.name === 'redis' && each.labels['io.kubernetes.pod.namespace'] === NAMESPACE,
    )!;
    expect(processes.length).toBeGreaterThan(0);
    for (const each of processes) {
      const cgroup = await readFile(`/proc/${each.pid}/cgroup`, 'utf8');
      expect(cgroup).toContain(redis.id);
      expect(each).toMatchObject({
        what: 'container',
        container: 'redis',
        containerId: redis.id,
        sandboxId: redis.podSandboxId,
        pod: 'redis-0',
        namespace: NAMESPACE,
        qos: 'BestEffort',
      });
      const columns = ['-o', 'ppid=,uid=', '-p', String(each.pid)];
      expect((await execa('ps', columns)).stdout.trim().split(/\s+/)).toEqual([
        String(each.ppid),
        String(each.uid),
      ]);
    }
    expect(processes.map(({ nsPid }) => nsPid)).toContain(1);
    const main = processes.find(({ nsPid }) => nsPid === 1)!;
    expect(main.argv.join(' ').trim()).toBe('redis-server *:6379');
    const api = await kubectl([
      'get',
      'pod',
      '-n',
      NAMESPACE,
      'redis-0',
      '-o',
      'jsonpath={.status.podIPs[*].ip}',
    ]);
    expect(main.ips).toEqual(api.split(' '));
  });

  it('shows the forest, the containers as crictl ps does, and a pid for scripts', async () => {
    const run = await gkeprof(['ps', 'pod/redis-0', '-n', NAMESPACE, '--linger', '10m']);
    expect(run.code).toBe(0);
    const [head, ...lines] = run.stdout.split('\n');
    expect(head!.split(/\s+/)).toEqual(
      'USER PID NSPID %CPU %MEM VSZ RSS TTY STAT START TIME NLWP CONTAINER POD NAMESPACE COMMAND'.split(' '),
    );
    expect(lines.find((line) => line.includes('redis-server'))).toMatch(
      /^root +\d+ +1 +\d+\.?\d* +\d+\.\d +\d+ +\d+ +\? +[RSD]sl +(\d\d:\d\d|[A-Z][a-z]{2}\d\d|\d{4}) +\d+:\d\d +\d+ +redis +redis-0 /,
    );
    expect(run.stdout).toMatch(/ \\_ /);
    const listed = run.stdout.split('\n\n')[1]!.trim().split('\n').slice(1);
    const theirs = (
      await crictl(world().nodes[0], 'ps', '--label', `io.kubernetes.pod.namespace=${NAMESPACE}`)
    )
      .split('\n')
      .filter((line) => / redis-0$/.test(line.trimEnd()));
    // Ages go on while the two are asked; all else is the same.
    const row = (line: string) => line.trim().split(/ {2,}/).toSpliced(2, 1).slice(0, 7);
    expect(listed.map(row)).toEqual(theirs.map(row));
    expect(listed.length).toBe(2);
    // A second question, of the pod that lingers: no other one is made.
    const [warm] = await debugPods();
    const pid = await gkeprof([
      'ps',
      'redis-0',
      '-n',
      NAMESPACE,
      '--match',
      'redis-server .*:6379',
      '--newest',
      '-o',
      'name',
    ]);
    expect(pid.stdout).toMatch(/^\d+$/);
    expect(await readFile(`/proc/${pid.stdout.trim()}/comm`, 'utf8')).toBe('redis-server\n');
    expect(pid.stderr).not.toContain('creating');
    expect(await debugPods()).toEqual([warm]);
    await kubectl(['delete', '-n', 'gkeprof', warm!]);
  });

  it('goes by itself when it has lingered', async () => {
    await gkeprof(['ps', 'redis-0', '-n', NAMESPACE, '--linger', '2s']);
    const [pod] = await debugPods();
    const phase = () =>
      kubectl([
        'get',
        '-n',
        'gkeprof',
        pod!,
        '-o',
        'jsonpath={.status.containerStatuses[?(@.name=="capture")].state}',
      ]);
    expect(await eventually(phase, (text) => text.includes('terminated'))).toContain('Completed');
    await kubectl(['delete', '-n', 'gkeprof', pod!]);
  });

  it('needs no tools: a plain Debian will do, and what it cannot know is said', async () => {
    const run = await gkeprof(['ps', 'redis-stock', '-n', NAMESPACE], { plainImage: true });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain(
      'there is no crictl on the node, nor in the image; the list of containers is from the API',
    );
    expect(run.stdout.split('\n\n')[0]).toContain('redis-server *:6379');
    const ids = await kubectl([
      'get',
      'pod',
      '-n',
      NAMESPACE,
      'redis-stock',
      '-o',
      'jsonpath={.status.containerStatuses[*].containerID}',
    ]);
    for (const id of ids.split(' ')) expect(run.stdout).toContain(own(id.replace('containerd://', '')));
    const shell = await gkeprof(['crictl', 'redis-stock', '-n', NAMESPACE, '--', 'ps'], { plainImage: true });
    expect([shell.code, shell.stderr]).toEqual([125, expect.stringContaining('there is no crictl on node')]);
  });

  it('sorts, selects by labels, and over nodes', async () => {
    const run = await gkeprof(['ps', '-n', NAMESPACE, '-l', 'app in (redis, redis-stock)', '--sort=-rss']);
    expect(run.code).toBe(0);
    const rss = run.stdout
      .split('\n\n')[0]!
      .split('\n')
      .slice(1)
      .map((line) => Number(line.trim().split(/\s+/)[6]));
    expect(rss.length).toBeGreaterThan(3);
    expect(rss).toEqual(rss.toSorted((a, b) => b - a));
    expect(run.stdout).toContain('redis-0');
    expect(run.stdout).toContain('redis-stock');
  });

  it('says that nothing matches, and what no target is', async () => {
    const none = await gkeprof(['ps', 'redis-0', '-n', NAMESPACE, '--match', 'no such thing']);
    expect([none.code, none.stderr]).toEqual([4, expect.stringContaining('matches no such thing')]);
    expect((await gkeprof(['ps', 'deploy/none', '-n', NAMESPACE])).stderr).toContain(
      'deployment "none" not found in namespace',
    );
    expect((await gkeprof(['ps'])).code).toBe(2);
  });

  it('watches until Ctrl-C, and leaves nothing', async () => {
    const run = start(['ps', 'redis-0', '-n', NAMESPACE, '--watch', '-o', 'name']);
    let text = '';
    run.stdout!.on('data', (data: Buffer) => {
      text += String(data);
    });
    expect(
      await eventually(
        async () => text.split('\n').length,
        (lines) => lines > 6,
      ),
    ).toBeGreaterThan(6);
    run.kill('SIGINT');
    expect((await run).exitCode).toBe(0);
  });
});

describe('whois', () => {
  leavesNothing();

  it('goes back from port, socket, address, cgroup, id and interface', async () => {
    const [node] = world().nodes;
    const ip = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.status.podIP}']);
    const idle = await kubectl(['get', 'pod', '-n', NAMESPACE, 'idle', '-o', 'jsonpath={.status.podIP}']);
    const { owners } = await json<{ owners: ProcessJson[] }>(
      'whois',
      `node/${node}`,
      '--port',
      '6379',
      '--linger',
      '10m',
    );
    const redis = owners.find(({ pod }) => pod === 'redis-0')!;
    expect(redis).toMatchObject({ container: 'redis', nsPid: 1, ips: [ip] });
    const of = async (...words: string[]) =>
      (await json<{ owners: ProcessJson[] }>('whois', `node/${node}`, ...words)).owners;
    expect((await of('--container', own(redis.containerId!))).map(({ pid }) => pid)).toEqual([redis.pid]);
    expect((await of('--container', own(redis.sandboxId!))).map(({ what }) => what).sort()).toEqual([
      'container',
      'container',
      'sandbox',
    ]);
    expect((await of('--ip', idle)).map(({ pod }) => pod)).toEqual(['idle', 'idle']);
    const cgroup = /perf_event:(.*)|0::(.*kubepods.*)/.exec(
      await readFile(`/proc/${redis.pid}/cgroup`, 'utf8'),
    )!;
    expect((await of('--cgroup', cgroup[1] ?? cgroup[2]!)).map(({ pid }) => pid)).toContain(redis.pid);
    const inside = (
      await execa('nsenter', ['-t', String(redis.pid), '-n', 'ip', '-o', 'link', 'show', 'eth0'])
    ).stdout;
    const index = /eth0@if(\d+)/.exec(inside)![1]!;
    const kubelet = await kubeletOf(node);
    const links = (await execa('nsenter', ['-t', kubelet, '-n', 'ip', '-o', 'link'])).stdout;
    const veth = new RegExp(`^${index}: (\\w+)@`, 'm').exec(links)![1]!;
    await kubectl(['delete', '-n', 'gkeprof', (await debugPods())[0]!]);
    // On one kernel the other node's pods have the same pair of indexes; the right one is among them.
    expect((await of('--veth', veth)).map(({ pod }) => pod)).toContain('redis-0');
    const pair = (
      await execa('nsenter', ['-t', String(redis.pid), '-n', 'ss', '-tnH', 'state', 'established'])
    ).stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/).slice(-2))
      .find(([local]) => local!.startsWith(ip) || local!.startsWith('127.0.0.1:6379'));
    if (pair) {
      const run = await gkeprof([
        'whois',
        `node/${node}`,
        '--socket',
        pair.join('-').replace(/\[::ffff:([\d.]+)\]/g, '$1'),
      ]);
      expect([0, 4]).toContain(run.code); // Connections of a benchmark come and go.
    }
  });

  it('tells a container that was restarted from the one before', async () => {
    const [node] = world().nodes;
    const before = (
      await json<{ processes: ProcessJson[] }>('ps', 'idle', '-n', NAMESPACE, '--linger', '10m')
    ).processes[0]!;
    const path = 'jsonpath={.status.containerStatuses[0].restartCount}';
    const restarts = async () => Number(await kubectl(['get', 'pod', '-n', NAMESPACE, 'idle', '-o', path]));
    const count = await restarts();
    await crictl(node, 'stop', '--timeout', '1', before.containerId!);
    expect(await eventually(restarts, (now) => now > count)).toBeGreaterThan(count);
    const after = (await json<{ processes: ProcessJson[] }>('ps', 'idle', '-n', NAMESPACE)).processes[0]!;
    expect(after).toMatchObject({ container: 'sleeper', pod: 'idle' });
    expect(after.containerId).not.toBe(before.containerId);
    const old = await gkeprof([
      'whois',
      `node/${node}`,
      String(before.pid),
      '--container',
      own(before.containerId!),
    ]);
    expect(old.code).toBe(4);
    await kubectl(['delete', '-n', 'gkeprof', (await debugPods())[0]!]);
  });

  it('names of a container are targets everywhere: id/HEX', async () => {
    const id = await kubectl([
      'get',
      'pod',
      '-n',
      NAMESPACE,
      'redis-0',
      '-o',
      'jsonpath={.status.containerStatuses[?(@.name=="redis")].containerID}',
    ]);
    const hex = own(id.replace('containerd://', ''));
    const run = await gkeprof(['ps', `id/${hex}`, '-o', 'json']);
    expect(JSON.parse(run.stdout).processes[0]).toMatchObject({ container: 'redis', pod: 'redis-0' });
    const pod = await gkeprof(['flamegraph', `id/${hex}`, '--dry-run', 'client']);
    expect(pod.stdout).toContain(`container_id=${id.replace('containerd://', '')}`);
    expect((await gkeprof(['ps', 'id/ffffffffffffff'])).stderr).toContain("no container's id begins with");
  });
});

describe('flamegraph --pid', () => {
  leavesNothing();
  const output = outputFolder();

  it('profiles the container of a process of the node', async () => {
    const [node] = world().nodes;
    const pid = (await gkeprof(['ps', 'redis-0', '-n', NAMESPACE, '-c', 'redis', '--newest', '-o', 'name']))
      .stdout;
    const words = ['--duration', '4s', '--output-dir', output.path()];
    const run = await gkeprof(['flamegraph', `node/${node}`, '--pid', pid, ...words]);
    expect(run.stderr).toContain(`process ${pid}: container redis of pod ${NAMESPACE}/redis-0`);
    expect(run.code).toBe(0);
    expect(output.files().join(' ')).toContain(`.container_of_pid_${pid}.flamegraph.svg`);
    const none = await gkeprof(['flamegraph', `node/${node}`, '--pid', '2', ...words]);
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('belongs to kernel thread')]);
  });
});

describe('nodes', () => {
  leavesNothing();

  it('lists what kubectl lists, and which run some pods', async () => {
    const [a, b] = world().nodes;
    const run = await gkeprof(['nodes']);
    const theirs = (await kubectl(['get', 'nodes']))
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
    const ours = run.stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
    // NAME STATUS ROLES AGE VERSION; the age may tick between the two.
    const same = (row: string[]) => [row[0], row[1], row[2], row[4]];
    expect(ours.map(same)).toEqual(theirs.map(same));
    expect((await gkeprof(['nodes', '--pods', 'app=redis', '-n', NAMESPACE, '-o', 'name'])).stdout).toBe(
      `node/${a}`,
    );
    expect((await gkeprof(['nodes', b.slice(-3), '-o', 'name'])).stdout).toBe(`node/${b}`);
    expect((await gkeprof(['nodes', 'no-such-node'])).code).toBe(3);
    expect((await gkeprof(['nodes', '-o', 'wide'])).stdout).toContain('<unknown>');
    const probed = await gkeprof(['nodes', '--probe', '-o', 'json']);
    expect(JSON.parse(probed.stdout).nodes.map((each: { probe: unknown }) => each.probe)).toEqual([
      { cgroup: expect.stringMatching(/^(v1|v2|hybrid)$/), pmu: expect.any(Boolean) },
      { cgroup: expect.stringMatching(/^(v1|v2|hybrid)$/), pmu: expect.any(Boolean) },
    ]);
  });
});
