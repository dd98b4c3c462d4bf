import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import {
  captureProcesses,
  captures,
  capturesPackets,
  debugPods,
  environment,
  eventually,
  gkeprof,
  killOnNode,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  says,
  start,
  world,
} from './world.ts';

/** The command behind kubectl: kubectl replaces itself by the plugin, so the process is the plugin's own. */
const capture = (verb: 'pcap' | 'flamegraph', words: readonly string[], folder: string, options = {}) =>
  start([verb, 'redis-0', '-n', NAMESPACE, '--output-dir', folder, ...words], options);
const pcap = (words: readonly string[], folder: string) => capture('pcap', words, folder);
/** What hundreds of packets take. */
const SOME_BYTES = 100_000;

describe('the life of a session', () => {
  leavesNothing();
  const output = outputFolder();

  it('Ctrl-C once: stops, collects, verifies, cleans up, exit 0', async () => {
    const run = pcap(['--port', '6379'], output.path());
    await capturesPackets(run, SOME_BYTES);
    run.kill('SIGINT');
    const result = await run;
    expect(String(result.stderr)).toMatch(/^stopped after \S+ \(interrupted\)$/m);
    expect(result.exitCode).toBe(0);
    const file = output.files().find((name) => name.endsWith('.pcap.gz'))!;
    const frames = await execa('tshark', [
      '-n',
      '-r',
      join(output.path(), file),
      '-T',
      'fields',
      '-e',
      'frame.number',
    ]);
    expect(frames.stdout.split('\n').length).toBeGreaterThan(10);
  });

  it('Ctrl-C twice: nothing kept, nothing left, 130', async () => {
    const run = pcap(['--port', '6379'], output.path());
    await capturesPackets(run, SOME_BYTES);
    const stopping = says(run, 'stopping: ');
    run.kill('SIGINT');
    await stopping; // Two that come close together are one.
    run.kill('SIGINT');
    const result = await run;
    expect(result.exitCode, `${result.signal}: ${result.stderr}`).toBe(130);
    expect(output.files()).toEqual([]);
  });

  // While it installs its tools it captures nothing yet, and goes on with that for long enough.
  it.each([
    ['Ctrl-C', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGHUP', 'SIGHUP', 129],
  ] as const)('%s before anything was captured: removed, nothing kept', async (_what, signal, code) => {
    const run = capture('pcap', [], output.path(), { plainImage: true });
    await eventually(debugPods, (pods) => pods.length === 1);
    run.kill(signal);
    const result = await run;
    expect(result.exitCode).toBe(code);
    expect(String(result.stderr)).toContain('error: interrupted: nothing was kept');
    expect(output.files()).toEqual([]);
  });

  it('Ctrl-C once: a profile ends early, and is drawn', async () => {
    const run = capture('flamegraph', ['--duration', '300s'], output.path());
    await captures(run);
    run.kill('SIGINT');
    const result = await run;
    expect(String(result.stderr)).toMatch(/^stopped after \S+ \(interrupted\)$/m);
    expect(result.exitCode).toBe(0);
    const svg = readFileSync(
      join(output.path(), output.files().find((name) => name.endsWith('.svg'))!),
      'utf8',
    );
    expect(svg).toContain('aeMain');
  });

  it('kill -9: no debug container outlives its bound, and the next command removes the object', async () => {
    const run = pcap(['--duration', '15s', '--keep', '3s'], output.path());
    await says(run, 'capturing for');
    run.kill('SIGKILL');
    await run;
    expect(await eventually(captureProcesses, (found) => found.length === 0)).toEqual([]);
    const phase = () => kubectl(['get', 'pods', '-n', 'gkeprof', '-o', 'jsonpath={.items[*].status.phase}']);
    expect(await eventually(phase, (text) => text === 'Succeeded')).toBe('Succeeded');
    const [pod] = await debugPods();
    await delay(11_000);
    const next = await gkeprof([
      'flamegraph',
      'redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '1s',
      '--output-dir',
      output.path(),
    ]);
    expect(next.code).toBe(0);
    expect(next.stderr).toContain(`removed ${pod!.replace('pod/', '')}`);
  });

  it('the target deleted during the capture: kept, said, exit 5', async () => {
    const yaml = await kubectl([
      'run',
      'short-lived',
      '-n',
      NAMESPACE,
      '--image',
      world().images.debian,
      '--dry-run=client',
      '-o',
      'json',
      '--command',
      '--',
      'sleep',
      '1000',
    ]);
    const pod = JSON.parse(yaml);
    pod.spec.nodeName = world().nodes[0];
    pod.spec.terminationGracePeriodSeconds = 0;
    await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
    await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', 'pod/short-lived', '--timeout=120s']);
    const run = start(['pcap', 'short-lived', '-n', NAMESPACE, '--output-dir', output.path()]);
    await says(run, 'capturing for');
    await kubectl(['delete', 'pod', '-n', NAMESPACE, 'short-lived', '--grace-period=1']);
    const result = await run;
    expect(String(result.stderr)).toMatch(/pod short-lived was (deleted|being deleted) during the capture/);
    expect(String(result.stderr)).toContain('the target is gone');
    // What is kept may be empty, for the pod was idle; that it vanished says more, so it is 5 and not 4.
    expect(result.exitCode).toBe(5);
    expect(output.files().some((file) => file.endsWith('.pcap.gz'))).toBe(true);
  });

  it('tcpdump killed on the node: what it had is kept, said, exit 5', async () => {
    const run = pcap(['--port', '6379'], output.path());
    await capturesPackets(run, SOME_BYTES);
    await killOnNode(/^\d+ tcpdump /);
    const result = await run;
    expect(String(result.stderr)).toMatch(/the tool ended by itself \(status 137\)/);
    expect(result.exitCode).toBe(5);
    expect(output.files().some((file) => file.endsWith('.pcap.gz'))).toBe(true);
  });

  it('the whole capture container killed on the node: the raw file is salvaged through files, exit 5', async () => {
    const run = pcap(['--port', '6379'], output.path());
    await capturesPackets(run, SOME_BYTES);
    await killOnNode(/gkeprof-capture/);
    const result = await run;
    expect(String(result.stderr)).toContain('the capture container died');
    expect(result.exitCode).toBe(5);
    const file = output.files().find((name) => name.endsWith('.pcap'))!;
    const frames = await execa(
      'tshark',
      ['-n', '-r', join(output.path(), file), '-T', 'fields', '-e', 'frame.number'],
      { reject: false },
    );
    expect(frames.stdout.split('\n').length).toBeGreaterThan(10);
  });

  it('perf killed on the node: what it had is drawn, said, exit 5', async () => {
    const run = capture('flamegraph', ['--duration', '300s'], output.path());
    await captures(run);
    await killOnNode(/^\d+ perf /);
    const result = await run;
    expect(String(result.stderr)).toMatch(/the tool ended by itself \(status 137\)/);
    expect(result.exitCode).toBe(5);
    const svg = readFileSync(
      join(output.path(), output.files().find((name) => name.endsWith('.svg'))!),
      'utf8',
    );
    expect(svg).toContain('aeMain');
  });

  // The files of a short profile are in memory.
  it.each(['300s', '10s'])(
    'the whole capture container killed while it profiles for %s: the samples are salvaged, exit 5',
    async (duration) => {
      const run = capture('flamegraph', ['--duration', duration], output.path());
      await captures(run);
      await killOnNode(/gkeprof-capture/);
      const result = await run;
      expect(String(result.stderr)).toContain('the capture container died');
      expect(result.exitCode).toBe(5);
      const file = output.files().find((name) => name.endsWith('.perf.data'))!;
      expect(String(result.stderr)).toContain(`its raw samples are kept: ${join(output.path(), file)}`);
      expect(String(result.stderr)).toMatch(/with perf version \d+\S* or newer: perf script -i /);
      // The perf of this machine may be older than the image's, and refuse the file.
      const judge = 'gkeprof-judge';
      const pod = ['-n', NAMESPACE, judge];
      await kubectl([
        'run',
        ...pod,
        '--image',
        world().images.tools,
        '--restart=Never',
        '--',
        'sleep',
        '300',
      ]);
      try {
        await kubectl(['wait', '-n', NAMESPACE, `pod/${judge}`, '--for=condition=Ready', '--timeout=120s']);
        await kubectl(['cp', join(output.path(), file), `${NAMESPACE}/${judge}:/tmp/perf.data`]);
        const script = await kubectl(['exec', ...pod, '--', 'perf', 'script', '-f', '-i', '/tmp/perf.data']);
        expect(script.match(/cpu-clock|cycles/g)!.length).toBeGreaterThan(10);
      } finally {
        await kubectl(['delete', 'pod', ...pod, '--now']);
      }
    },
  );

  // The unwinder hands over what it has every two seconds, when the script asks how far it is.
  it.each([
    ['the eBPF unwinder', /^\d+ gkeprof-unwinder record /, /the tool ended by itself \(status 137\)/],
    ['the container in which it runs', /gkeprof-capture/, /the capture container died/],
  ])('%s killed on the node: what it had is drawn, said, exit 5', async (_what, process, said) => {
    const run = capture('flamegraph', ['--duration', '300s', '--call-graph', 'ebpf'], output.path());
    await captures(run);
    await delay(5000);
    await killOnNode(process);
    const result = await run;
    expect(String(result.stderr)).toMatch(said);
    expect(result.exitCode).toBe(5);
    const svg = readFileSync(
      join(output.path(), output.files().find((name) => name.endsWith('.svg'))!),
      'utf8',
    );
    expect(svg).toContain('aeMain');
  });

  it('a container of the target restarted during the capture: kept, said, exit 5', async () => {
    const run = pcap(['--port', '6379'], output.path());
    await capturesPackets(run, SOME_BYTES);
    const ids = () =>
      kubectl([
        'get',
        'pod',
        '-n',
        NAMESPACE,
        'redis-0',
        '-o',
        'jsonpath={.status.containerStatuses[?(@.name=="load")].containerID}',
      ]);
    const before = await ids();
    // Its first process is out of reach of a signal from inside; on this cluster it is one of this machine.
    const id = before.replace(/^.*:\/\//, '');
    await execa('sh', ['-c', `grep -l "$1" /proc/[0-9]*/cgroup | cut -d/ -f3 | xargs kill -9`, 'sh', id], {
      reject: false, // Some have ended by their turn.
    });
    expect(await eventually(ids, (id) => id !== '' && id !== before)).not.toBe(before);
    run.kill('SIGINT');
    const result = await run;
    expect(String(result.stderr)).toContain(
      'container load of pod redis-0 was restarted or ended during the capture',
    );
    expect(result.exitCode).toBe(5);
    const receipt = output.files().find((name) => name.endsWith('.receipt.json'))!;
    expect(JSON.parse(readFileSync(join(output.path(), receipt), 'utf8')).targetChanges).toEqual([
      'container load of pod redis-0 was restarted or ended during the capture',
    ]);
  });

  it('the disk full while copying: exit 5, and the command that still gets the file', async () => {
    const folder = join(output.path(), 'small');
    mkdirSync(folder);
    // Less than the packets of the first moments take, however little Redis gets done.
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]);
    try {
      const run = await gkeprof([
        'pcap',
        'redis-0',
        '-n',
        NAMESPACE,
        '--duration',
        '3s',
        '--output-dir',
        folder,
      ]);
      expect(run.code).toBe(5);
      expect(run.stderr).toMatch(/error: .*could not be copied: .*(no space left|ENOSPC|are free here)/i);
      const command = /still gets the file: (.*)$/m.exec(run.stderr)![1]!;
      await execa('sh', ['-c', command], {
        cwd: output.path(),
        env: environment(world().sre),
        extendEnv: false,
      });
      const file = output.files().find((name) => name.endsWith('.pcap.gz'))!;
      await execa('gzip', ['-t', join(output.path(), file)]);
    } finally {
      await execa('umount', [folder]);
      const [pod] = await debugPods();
      if (pod) await kubectl(['delete', '-n', 'gkeprof', pod]);
    }
  });

  it.each([
    ['pcap', /installing tcpdump .*MB into debian/, '.pcap.gz'],
    ['flamegraph', /installing linux-perf.*MB into debian/, '.flamegraph.svg'],
  ])(
    '%s runs on the default image: tools installed at start, announced with their cost',
    async (verb, announced, ending) => {
      const words = [verb, 'redis-0', '-n', NAMESPACE, '--duration', '1s', '--output-dir', output.path()];
      const run = await gkeprof(words, { plainImage: true });
      expect(run.stderr).toMatch(announced);
      expect(run.code).toBe(0);
      expect(output.files().some((file) => file.endsWith(ending))).toBe(true);
    },
  );

  it('two sessions at once do not disturb each other', async () => {
    const runs = await Promise.all([
      gkeprof(['pcap', 'redis-0', '-n', NAMESPACE, '--duration', '2s', '--output-dir', output.path()]),
      gkeprof(['flamegraph', 'redis-0', '-n', NAMESPACE, '--duration', '2s', '--output-dir', output.path()]),
    ]);
    expect(runs.map((run) => run.code)).toEqual([0, 0]);
  });
});
