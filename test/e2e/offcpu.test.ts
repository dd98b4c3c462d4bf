// Waits by --off-cpu, beside the log of a program that measures its own.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faults } from '../schemas.ts';
import {
  createNamespace,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  outputFolder,
  world,
} from './world.ts';

const SPACE = 'gkeprof-e2e-offcpu';

/** On one CPU with the program, and always runnable: so the program is preempted. */
const NEIGHBOUR = 'exec -a loud-neighbour sh -c "while :; do :; done"';

const pod = (name: string, command: string) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: SPACE } },
  spec: {
    nodeName: world().nodes[0],
    terminationGracePeriodSeconds: 0,
    enableServiceLinks: false,
    volumes: [{ name: 'disk', emptyDir: {} }],
    containers: [
      {
        ...{ name: 'main', image: world().images.debian, imagePullPolicy: 'IfNotPresent' },
        command: ['bash', '-c', command],
        volumeMounts: [{ name: 'disk', mountPath: '/disk' }],
      },
    ],
  },
});

const waiter = (name: string) =>
  pod(name, 'until [ -e /tmp/here ]; do sleep 0.1; done; exec taskset -c 0 /tmp/program /disk/file');

const held = pod('held', 'until [ -e /tmp/here ]; do sleep 0.1; done; exec /tmp/program');

/** What the parts of the program took in all, by the wall clock and of CPU time, in seconds. */
interface Entry {
  readonly at: number;
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

const PARTS = ['sleep', 'spin', 'lock', 'disk'] as const;

function parseLog(text: string): Entry[] {
  return text
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter((row) => row.length === 9 && row.every(Number.isFinite))
    .map(([at, ...rest]) => ({
      at: at!,
      wall: rest.filter((_, column) => column % 2 === 0),
      cpu: rest.filter((_, column) => column % 2 === 1),
    }));
}

type OfParts = Record<(typeof PARTS)[number], number>;

/**
 * How long each part was off the CPU between two times, in seconds, by the log. `unsure` is how much of it lies between the two
 * entries around an end: the log does not say on which side of it.
 */
function offCpu(log: readonly Entry[], from: number, to: number): { off: OfParts; unsure: OfParts } {
  const around = (time: number, part: number) => {
    const next = log.findIndex(({ at }) => at >= time);
    expect(next, `the log has no entry around ${time}`).toBeGreaterThan(0);
    const [one, other] = [log[next - 1]!, log[next]!];
    const off = ({ wall, cpu }: Entry) => wall[part]! - cpu[part]!;
    const step = off(other) - off(one);
    return { value: off(one) + (step * (time - one.at)) / (other.at - one.at), step };
  };
  const of = (read: (from: ReturnType<typeof around>, to: ReturnType<typeof around>) => number) =>
    Object.fromEntries(
      PARTS.map((name, part) => [name, read(around(from, part), around(to, part))]),
    ) as OfParts;
  return {
    off: of((begin, end) => end.value - begin.value),
    unsure: of((begin, end) => begin.step + end.step),
  };
}

/** Seconds of folded stacks in which all of these occur. */
const secondsOf = (lines: readonly string[], ...words: readonly (string | RegExp)[]): number =>
  lines
    .filter((line) =>
      words.every((word) => (typeof word === 'string' ? line.includes(word) : word.test(line))),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0) / 1e6;

const logOf = async (name: string) => parseLog(await kubectl(['logs', '-n', SPACE, name]));

describe('flamegraph --off-cpu', () => {
  leavesNothing();
  const output = outputFolder();

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-waiter-'));
    const build = async (name: string) => {
      const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
      const path = join(folder, name);
      await execa('cc', ['-O1', '-fno-omit-frame-pointer', '-static', '-pthread', '-o', path, source]);
      return readFileSync(path).toString('base64');
    };
    const [waits, holds] = [await build('waiter'), await build('held')];
    rmSync(folder, { recursive: true });
    await createNamespace(SPACE);
    const pods = [
      ...[waiter('one'), waiter('two'), held],
      pod('neighbour', `taskset -pc 0 $$; ${NEIGHBOUR}`),
    ];
    await kubectl(['apply', '-f', '-'], pods.map((each) => JSON.stringify(each)).join('\n'));
    await kubectl(['wait', '-n', SPACE, 'pod', '--all', '--for=condition=Ready', '--timeout=240s']);
    const start = 'base64 -d >/tmp/program; chmod +x /tmp/program; touch /tmp/here';
    for (const [name, program] of [
      ['one', waits],
      ['two', waits],
      ['held', holds],
    ] as const)
      await kubectl(['exec', '-i', '-n', SPACE, name, '--', 'sh', '-c', start], program);
  });
  afterAll(async () => {
    await kubectl(['delete', 'namespace', SPACE, '--wait=false']);
  });

  const record = (...words: string[]) =>
    gkeprof([
      ...['flamegraph', ...words, '-n', SPACE, '--off-cpu', '--output-dir', output.path(), '-o', 'json'],
    ]);
  const file = (ending: string) =>
    readFileSync(join(output.path(), output.files().find((name) => name.endsWith(ending))!));

  it('agrees with the log of a program within 5 %, part by part, and has nothing of a neighbour', async () => {
    const run = await record('pod/one', '--duration', '15s', '--format', 'svg,folded');
    expect(run.code, run.stderr).toBe(0);
    const result = JSON.parse(run.stdout);
    expect(faults('flamegraph', result)).toEqual([]);
    expect(result.profile).toMatchObject({ event: 'off-cpu', unit: 'microseconds', frequencyHz: 0 });
    const from = Date.parse(result.startedAt) / 1000;
    const { off: log, unsure } = offCpu(await logOf('one'), from, Date.parse(result.stoppedAt) / 1000);
    const lines = String(file('.folded'))
      .split('\n')
      .filter((line) => line.startsWith('program;'));
    const found = {
      sleep: secondsOf(lines, '[sleeping]', 'nanosleep'),
      spin: secondsOf(lines, '[preempted]', ';spin'),
      lock: secondsOf(lines, '[sleeping]', 'futex'),
      disk: secondsOf(lines, '[disk sleep]') + secondsOf(lines, '[preempted]', /fdatasync|pwrite/),
    };
    const shown = JSON.stringify({ log, found, unsure });
    const total = (parts: Record<string, number>) =>
      Object.values(parts).reduce((sum, part) => sum + part, 0);
    expect(Math.abs(secondsOf(lines, 'program') / total(log) - 1), shown).toBeLessThan(0.05);
    // Of a part that takes little, a twentieth is less than one wait.
    for (const part of PARTS)
      expect(Math.abs(found[part] - log[part]), `${part}: ${shown}`).toBeLessThan(
        0.05 * log[part] + unsure[part] + 0.02,
      );
    // What it does not do by itself stands apart.
    expect(found.spin, shown).toBeGreaterThan(0.1 * log.sleep);
    expect(result.profile.states.map(({ name }: { name: string }) => name).sort()).toEqual(
      expect.arrayContaining(['[disk sleep]', '[preempted]', '[sleeping]']),
    );
    const text = String(gunzipSync(file('.perf-script.txt.gz')));
    expect(text).toContain('holder');
    expect(text).not.toMatch(/neighbour|next_comm|next_pid/);
    const picture = String(file('.svg'));
    expect(picture).toContain('width: time off the CPU, idle waits included');
    expect(picture).toContain('>state</text>');
  });

  it('merges two targets, and leaves out waits by their length', async () => {
    const run = await record(
      'pods',
      'one',
      'two',
      '--duration',
      '5s',
      '--format',
      'folded',
      '--min-wait',
      '15ms',
      '--max-wait',
      '1s',
    );
    expect(run.code, run.stderr).toBe(0);
    const result = JSON.parse(run.stdout);
    expect(faults('flamegraph', result)).toEqual([]);
    expect(result.profile).toMatchObject({ event: 'off-cpu', unit: 'microseconds' });
    const lines = String(file('.folded')).split('\n').filter(Boolean);
    for (const name of ['one', 'two']) {
      const own = lines.filter((line) => line.startsWith(`${SPACE}/${name};`) && line.includes(';program;'));
      // Of 20 ms are its sleeps alone.
      expect(secondsOf(own, 'nanosleep'), run.stderr).toBeGreaterThan(0.5);
      expect(secondsOf(lines, `${SPACE}/${name};holder`)).toBe(0);
    }
  });

  it('finds the functions that wait for a lock, by the command that waits prints', async () => {
    const run = await gkeprof([
      ...['waits', 'pod/one', '-n', SPACE, '--duration', '5s', '--output-dir', output.path()],
    ]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/ lock +\d+\.\d % +0x[0-9a-f]+\n/);
    const [, record, render] =
      /\nwhere in the program \S.* waited for locks: kubectl gkeprof (.*); .*: kubectl gkeprof (.*)\n/.exec(
        run.stderr,
      ) ?? [];
    expect(record, run.stderr).toBe(`flamegraph pod/one -n ${SPACE} --off-cpu`);
    const recorded = await gkeprof([
      ...record!.split(' '),
      ...['--duration', '5s', '--output-dir', output.path(), '-o', 'json'],
    ]);
    expect(recorded.code, recorded.stderr).toBe(0);
    const [stacks] = output.files().filter((name) => name.endsWith('.perf-script.txt.gz'));
    const drawn = await gkeprof([
      ...render!.replace('@last', join(output.path(), stacks!)).split(' '),
      ...['--format', 'folded', '--output-dir', output.path()],
    ]);
    expect(drawn.code, drawn.stderr).toBe(0);
    const lines = String(file('.folded')).split('\n').filter(Boolean);
    // The C library has no frame pointers, so the function that called it is missing, and the one that called that is there.
    const found = secondsOf(lines, /^program;\[sleeping\];(?:.*;)?main;(?:.*;)?\S*lock\S*;.*futex/);
    expect(found, lines.join('\n')).toBeGreaterThan(0.5);
    expect(lines.filter((line) => !line.includes('futex'))).toEqual([]);
  });

  it('counts waits that began before the recording, and those that have not ended', async () => {
    const sleeps = async () =>
      (await kubectl(['logs', '-n', SPACE, 'held']))
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ').map(Number) as [number, number]);
    expect((await eventually(sleeps, ({ length }) => length > 0)).length).toBeGreaterThan(0);
    const run = await record('pod/held', '--duration', '8s', '--format', 'svg,folded');
    expect(run.code, run.stderr).toBe(0);
    const result = JSON.parse(run.stdout);
    expect(faults('flamegraph', result)).toEqual([]);
    const [from, to] = [Date.parse(result.startedAt) / 1000, Date.parse(result.stoppedAt) / 1000];
    const lines = String(file('.folded')).split('\n').filter(Boolean);
    const shown = lines.join('\n');
    const near = (seconds: number, expected: number) =>
      expect(Math.abs(seconds - expected), `${seconds} ${expected}\n${shown}`).toBeLessThan(
        0.05 * expected + 0.2,
      );
    const before = '[began before the recording, user stack unknown]';
    near(secondsOf(lines, /^held;\[sleeping\];/, before, 'futex'), 10 * (to - from));
    near(secondsOf(lines, /^reader;\[sleeping\];/, before, 'unix_stream'), to - from);
    near(secondsOf(lines, /^a\)_R_1\?\(b\[c;\[sleeping\];/, before, 'futex'), to - from);
    // The log has a line for each sleep that has ended.
    const log = await eventually(sleeps, (all) => all.at(-1)![1] > to);
    const slept = log.reduce(
      (sum, [began, ended]) => sum + Math.max(0, Math.min(ended, to) - Math.max(began, from)),
      0,
    );
    near(secondsOf(lines, /^cycler;\[sleeping\];/, 'nanosleep'), slept);
    // The looks have nothing of the sandbox, and nothing is of another pod.
    const text = String(gunzipSync(file('.perf-script.txt.gz')));
    expect(text).toMatch(/^# thread start .* held$/m);
    expect(text).not.toMatch(/^# thread .*pause|neighbour/m);
    const { waitsFromBefore, samples } = result.profile;
    // The twelve, the cycler, the main thread, and perhaps a mayfly.
    expect(waitsFromBefore.threads, shown).toBeGreaterThanOrEqual(12);
    expect(waitsFromBefore.threads, shown).toBeLessThanOrEqual(15);
    expect(samples).toBeGreaterThan(waitsFromBefore.threads);
    const receipt = JSON.parse(String(file('.receipt.json')));
    expect(receipt.findings.fromBefore).toEqual(waitsFromBefore);
    const [stacks] = output.files().filter((name) => name.endsWith('.perf-script.txt.gz'));
    const drawn = await gkeprof([
      ...['render', join(output.path(), stacks!), '--min-wait', '7s', '--output-dir', output.path()],
    ]);
    expect(drawn.code, drawn.stderr).toBe(0);
    expect(drawn.stderr).toContain('12 waits, ');
    expect(drawn.stderr).toMatch(/^waits that began before the recording: 12 threads, 1m\d+s/m);
  });

  it.each([
    [['pod/one', '--call-graph', 'dwarf'], '--off-cpu finds callers by frame pointers only'],
    [['pod/one', '--frequency', '99'], 'it has no --frequency'],
    [['node/NODE'], '--off-cpu cannot be used with a whole node'],
  ])('refuses %j', async (words, why) => {
    const run = await record(...words.map((word) => word.replace('NODE', world().nodes[0])));
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(why);
  });
});
