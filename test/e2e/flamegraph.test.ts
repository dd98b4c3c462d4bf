import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { environment, gkeprof, kubectl, leavesNothing, NAMESPACE, outputFolder, world } from './world.ts';

const REDIS_FUNCTIONS = ['aeProcessEvents', 'readQueryFromClient', 'processCommand', 'call'];

describe('flamegraph', () => {
  leavesNothing();
  const output = outputFolder();

  it('draws a busy Redis pod: functions, figures, verified raw stacks', async () => {
    const run = await gkeprof([
      'flamegraph',
      'pod/redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '5s',
      '--output-dir',
      output.path(),
    ]);
    expect(run.stderr).toContain('Results:');
    expect(run.code).toBe(0);
    const [svg, raw, receipt] = ['.flamegraph.svg', '.perf-script.txt.gz', '.receipt.json'].map((ending) =>
      output.files().find((file) => file.endsWith(ending)),
    );
    expect(output.files()).toHaveLength(3);
    expect(svg).toMatch(
      new RegExp(`^${world().nodes[0]}\\.\\d{8}_\\d{6}_UTC\\.pod_${NAMESPACE}_redis-0\\.flamegraph\\.svg$`),
    );
    expect(run.stdout).toBe(
      [
        `Flamegraph:       ${join(output.path(), svg!)}`,
        `Raw stack traces: ${join(output.path(), raw!)}`,
        `Receipt:          ${join(output.path(), receipt!)}`,
      ].join('\n'),
    );
    for (const file of [svg, raw, receipt])
      expect(statSync(join(output.path(), file!)).mode & 0o777).toBe(0o600);

    const picture = readFileSync(join(output.path(), svg!), 'utf8');
    for (const name of REDIS_FUNCTIONS) expect(picture).toContain(name);
    const lint = await execa('xmllint', ['--noout', '--nonet', join(output.path(), svg!)], { reject: false });
    expect(lint.stderr).toBe('');
    expect(lint.exitCode).toBe(0);

    // One pod of two busy containers on two processors for 5 s at 99 Hz: a few hundred samples, none of other pods.
    const text = gunzipSync(readFileSync(join(output.path(), raw!))).toString('utf8');
    const comms = new Set(
      text.split('\n').flatMap((line) => /^(\S.*?)\s+\d+\/\d+\s+\[/.exec(line)?.[1] ?? []),
    );
    expect(comms).toContain('redis-server');
    for (const comm of comms)
      expect(comm).toMatch(
        /^(redis-server|redis-benchmark|redis-cli|sh|sleep|bio_\w+|jemalloc_bg_thd|io_thd_\d+|:\d+)$/,
      );
    expect(run.stderr).toMatch(/samples/);
    expect(run.stderr).toMatch(/cpu-clock|cycles/);
    expect(run.stderr).toMatch(/redis-server, main thread: \d\.\d\d of one core/);

    const written = JSON.parse(readFileSync(join(output.path(), receipt!), 'utf8'));
    const sum = await execa('sha256sum', [join(output.path(), raw!)]);
    expect(written.artifact.sha256).toBe(sum.stdout.split(' ')[0]);
    expect(written.artifact.bytes).toBe(statSync(join(output.path(), raw!)).size);
    expect(written.plan.targets[0].name).toBe('redis-0');
    expect(written.capture.ended).toBe('time');
  });

  it('records two pods at once and shows what differs, and all of it can be read again without the cluster', async () => {
    const words = ['-n', NAMESPACE, '--duration', '3s', '--output-dir', output.path()];
    const run = await gkeprof(['flamegraph', 'pod/redis-0', '--vs', 'pod/redis-stock', ...words]);
    expect(run.stdout).toMatch(/samples before, \d+ after\nCompared by samples per second/);
    expect(run.code).toBe(0);
    const files = output.files();
    expect(files.filter((file) => file.endsWith('.perf-script.txt.gz'))).toHaveLength(2);
    const diff = files.find((file) => file.endsWith('.diff.svg'))!;
    expect(readFileSync(join(output.path(), diff), 'utf8')).toContain(
      `before: ${NAMESPACE}/redis-stock on ${world().nodes[1]}`,
    );
    const fold = async (file: string) =>
      (await gkeprof(['render', file, '--format', 'folded', '--output', '-', '--output-dir', output.path()]))
        .stdout;
    const raw = join(output.path(), files.find((file) => /redis-0\.perf-script/.test(file))!);
    const stacks = await fold(raw);
    expect(stacks).toMatch(/^redis-server;.*aeMain;.* \d+$/m);
    expect(await fold(raw.replace('.perf-script.txt.gz', '.flamegraph.svg'))).toBe(stacks);
    const top = await gkeprof(['render', '@last', '--format', 'top', '--output-dir', output.path()]);
    expect(top.stdout).toMatch(/^By self, cpu-clock/);
    expect(top.stdout).toMatch(/redis-server +\d+ +\d+$/m);
    const rows = ['--format', 'top', '--rows', '3', '--output-dir', output.path()];
    const again = await gkeprof(['diff', '@2', '@last', ...rows]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('SIGNIFICANCE');
  });

  it('profiles one container of the pod with -c, on the other node too', async () => {
    const run = await gkeprof([
      'flamegraph',
      'redis-stock',
      '-c',
      'load',
      '-n',
      NAMESPACE,
      '--duration',
      '3s',
      '--output-dir',
      output.path(),
    ]);
    expect(run.code).toBe(0);
    const raw = output.files().find((file) => file.endsWith('.gz'))!;
    expect(raw).toContain(`${world().nodes[1]}.`);
    expect(raw).toContain(`container_${NAMESPACE}_redis-stock_load`);
    const text = gunzipSync(readFileSync(join(output.path(), raw))).toString('utf8');
    expect(text).toContain('redis-benchmark');
    expect(text).not.toMatch(/^redis-server/m);
  });

  it('does the same from its sources', async () => {
    const words = [
      'flamegraph',
      'redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '1s',
      '--output-dir',
      output.path(),
    ];
    const run = await gkeprof(words, { source: true });
    expect(run.stderr).toContain('Results:');
    expect(run.code).toBe(0);
    const svg = readFileSync(
      join(output.path(), output.files().find((file) => file.endsWith('.svg'))!),
      'utf8',
    );
    expect(svg).toContain('aeMain');
    expect(svg).toContain('addEventListener'); // The browser half is in it.
  });

  it('profiles a whole node', async () => {
    const run = await gkeprof([
      'flamegraph',
      `node/${world().nodes[0]}`,
      '--duration',
      '2s',
      '--output-dir',
      output.path(),
    ]);
    expect(run.code).toBe(0);
    expect(output.files().some((file) => file.endsWith('.all_cpus.flamegraph.svg'))).toBe(true);
  });

  it('keeps names text: of a thread, a label, an annotation, a reason; and the longest names fit', async () => {
    const name = 'n'.repeat(200); // The kubelet's folder for its logs takes no longer one.
    const container = 'c'.repeat(63);
    const hostile = '$(touch /tmp/gkeprof-pwned);`id` "\' <b>\x1b[31m';
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: NAMESPACE, annotations: { hostile } },
      spec: {
        nodeName: world().nodes[1],
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: container,
            image: world().images.debian,
            imagePullPolicy: 'IfNotPresent',
            // A thread's name has at most 15 bytes: this one is markup, an escape sequence and a shell's words.
            command: ['bash', '-c', `printf '$$(x);\\033[3<b>"' >/proc/self/comm; while :; do :; done`],
          },
        ],
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
    try {
      await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${name}`, '--timeout=120s']);
      const run = await gkeprof([
        ...['flamegraph', name, '-c', container, '-n', NAMESPACE, '--duration', '2s'],
        ...['--reason', hostile, '--output-dir', output.path()],
      ]);
      expect(run.stderr).toContain('Results:');
      expect(run.code).toBe(0);
      expect(`${run.stdout}${run.stderr}`).not.toContain('\x1b');
      expect(run.stderr).toContain('$(x);');
      expect(output.files()).toHaveLength(3);
      for (const file of output.files()) {
        expect(Buffer.byteLength(file)).toBeLessThanOrEqual(200);
        expect(file).toMatch(/-[0-9a-f]{8}\.(flamegraph\.svg|perf-script\.txt\.gz|receipt\.json)$/);
      }
      const svg = join(output.path(), output.files().find((file) => file.endsWith('.svg'))!);
      expect((await execa('xmllint', ['--noout', '--nonet', svg], { reject: false })).stderr).toBe('');
      expect(readFileSync(svg, 'utf8')).not.toMatch(/<b>|\x1b/);
      expect(existsSync('/tmp/gkeprof-pwned')).toBe(false);
    } finally {
      await kubectl(['delete', 'pod', '-n', NAMESPACE, name, '--wait=false']);
    }
  });

  // perf record opens what is called like a mapped file that was removed, `/tmp/x (deleted)`: this one held up every
  // profile of the node, of whatever pod.
  it('is not held up by a fifo in another pod', async () => {
    const script =
      'cp /bin/sleep /tmp/x; /tmp/x 1000 & until [ "$(readlink /proc/$!/exe)" = /tmp/x ]; do sleep 0.1; done; rm /tmp/x; mkfifo "/tmp/x (deleted)"; touch /tmp/laid; wait';
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'fifo', namespace: NAMESPACE },
      spec: {
        nodeName: world().nodes[0],
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'c',
            image: world().images.debian,
            imagePullPolicy: 'IfNotPresent',
            command: ['bash', '-c', script],
            readinessProbe: { exec: { command: ['test', '-e', '/tmp/laid'] }, periodSeconds: 1 },
          },
        ],
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
    try {
      await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', 'pod/fifo', '--timeout=120s']);
      const run = await gkeprof([
        ...['flamegraph', 'redis-0', '-n', NAMESPACE, '--duration', '2s', '--output-dir', output.path()],
      ]);
      expect(run.stderr).toMatch(/warning: perf did not read the files of \d+ process/);
      expect(run.stderr).toMatch(/redis-server, main thread/);
      expect(run.code).toBe(0);
      const svg = output.files().find((file) => file.endsWith('.svg'))!;
      expect(readFileSync(join(output.path(), svg), 'utf8')).toContain('aeProcessEvents');
    } finally {
      await kubectl(['delete', 'pod', '-n', NAMESPACE, 'fifo', '--wait']);
    }
  });

  it('finds an idle pod idle: exit 4, explained, the raw file kept', async () => {
    const run = await gkeprof([
      'flamegraph',
      'idle',
      '-n',
      NAMESPACE,
      '--duration',
      '1s',
      '--output-dir',
      output.path(),
    ]);
    expect(run.code).toBe(4);
    expect(run.stderr).toMatch(/0 samples: pod\/idle was idle, it used \d+ ms of CPU time/);
  });

  it('prints the pod and stops with --dry-run, and the API server accepts it', async () => {
    const run = await gkeprof(['flamegraph', 'redis-0', '-n', NAMESPACE, '--dry-run', 'client']);
    expect(run.code).toBe(0);
    const applied = await execa(world().kubectl, ['create', '--dry-run=server', '-f', '-'], {
      env: environment(world().sre),
      input: run.stdout,
    });
    expect(applied.stdout).toMatch(/created \(server dry run\)/);
    expect((await gkeprof(['flamegraph', 'redis-0', '-n', NAMESPACE, '--dry-run', 'server'])).code).toBe(0);
  });
});
