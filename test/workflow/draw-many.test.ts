import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DrawOptions } from '../../src/cli/profile-options.ts';
import { EXIT } from '../../src/errors.ts';
import { Log } from '../../src/output/log.ts';
import { safeSink } from '../../src/output/terminal-text.ts';
import { type DrawManyOptions, drawMany, manyResult } from '../../src/workflow/draw-many.ts';
import { readRecording } from '../../src/workflow/read-recording.ts';
import { gkeprof } from '../command-line.ts';
import { golden } from '../golden.ts';
import { COMMANDS, recordingText } from '../profile/pods.ts';
import { faults } from '../schemas.ts';
import { type RecordedText, recordedIn } from './recordings.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-many-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SORTS = { ...COMMANDS, getCommand: 15, sortCommand: 41 };
const CPU = { seconds: 60, usedSeconds: 20.2, limitCores: 0.5, throttledSeconds: 0 };

/** Three replicas, of which the last one sorts, on two nodes. */
const REPLICAS: readonly RecordedText[] = [
  { name: 'redis-0', text: recordingText(1), result: { cpu: CPU } },
  { name: 'redis-1', text: recordingText(2), result: { cpu: { ...CPU, throttledSeconds: 1.5 } } },
  { name: 'redis-2', node: 'node-b', text: recordingText(3, { commands: SORTS }), result: { cpu: CPU } },
];

const DRAW: DrawOptions = { formats: ['svg'], annotate: false, format: { kind: 'text' }, open: false };

/** A hundred samples, of which so many end in the middle. */
const cutText = (cut: number): string =>
  [
    '# cmdline : perf record\n',
    ...Array.from({ length: 100 }, (_, at) => {
      const start = at < cut ? '' : '\t 55d1 main+0x1 (/bin/a)\n';
      return `a  1/1  [000]  1.00${at}:  10101010 cycles: \n\t 55d0 f+0x1 (/bin/a)\n\t 55d2 g+0x1 (/bin/a)\n${start}\n`;
    }),
  ].join('');

/** Without the temporary folder. */
const readable = (text: string) => text.replaceAll(`${folder}/`, '');

async function drawn(
  texts: readonly RecordedText[],
  { draw = {}, ...options }: Partial<Omit<DrawManyOptions, 'draw'>> & { draw?: Partial<DrawOptions> } = {},
) {
  let stdout = '';
  let stderr = '';
  const sink = (add: (text: string) => void) => ({
    write: (data: string | Uint8Array) => add(Buffer.from(data as string).toString()),
  });
  const context = {
    log: new Log(
      sink((text) => {
        stderr += text;
      }),
    ),
    stdin: (async function* () {})(),
    stdout: safeSink(
      sink((text) => {
        stdout += text;
      }),
    ),
  };
  const recordings = [];
  for (const text of texts)
    recordings.push(
      await readRecording(
        recordedIn(folder, text),
        { choice: () => ({ noIdle: false, timeline: true }), isOneOfMany: true },
        context,
      ),
    );
  const many = await drawMany(
    recordings,
    { split: false, folder, ...options, draw: { ...DRAW, ...draw } },
    context,
  );
  return {
    many,
    recordings,
    stdout: readable(stdout),
    stderr: readable(stderr),
    files: readdirSync(folder).sort(),
  };
}

describe('recordings of several pods', () => {
  it('become one picture, a table with the outlier at the top, and the raw texts with their receipts', async () => {
    const { many, stdout, stderr, files } = await drawn(REPLICAS, {
      workload: { text: 'sts/redis', name: 'redis' },
    });
    golden('profile/many.txt', `${stdout}\n--- stderr\n${stderr}`);
    expect(files).toEqual([
      '2-nodes.20261130_020000_UTC.pods_redis_redis.flamegraph.svg',
      'node-a.20261130_020000_UTC.pod_redis_redis-0.perf-script.txt.gz',
      'node-a.20261130_020000_UTC.pod_redis_redis-0.receipt.json',
      'node-a.20261130_020000_UTC.pod_redis_redis-1.perf-script.txt.gz',
      'node-a.20261130_020000_UTC.pod_redis_redis-1.receipt.json',
      'node-b.20261130_020000_UTC.pod_redis_redis-2.perf-script.txt.gz',
      'node-b.20261130_020000_UTC.pod_redis_redis-2.receipt.json',
    ]);
    const svg = readFileSync(join(folder, files[0]!), 'utf8');
    for (const part of ['sts/redis (3 pods)', 'redis/redis-2', '>redis<', 'redis-2 differs: sortCommand'])
      expect(svg).toContain(part);
    expect(many.merged!.profile.samples).toBe(6000);
    expect(many.code).toBe(EXIT.done);
    for (const name of files.filter((each) => each.endsWith('.receipt.json')))
      expect(faults('receipt', JSON.parse(readFileSync(join(folder, name), 'utf8')))).toEqual([]);
  });

  it('whose stacks end early are followed by the line that finds the callers, with the pods that need it', async () => {
    const again = (way: string) => `flamegraph web --call-graph ${way}`;
    const stacks = { way: 'fp', why: 'no-unwinder' } as const;
    const cut = ['redis-0', 'redis-1'].map((name) => ({ name, text: cutText(60), result: { stacks } }));
    const whole = { name: 'redis-2', text: cutText(0), result: { stacks } };
    const { stderr } = await drawn([...cut, whole], { again });
    expect(stderr).toContain(
      'hint: to see the missing callers of redis-0, redis-1: flamegraph web --call-graph dwarf\n',
    );
    expect((await drawn([{ ...whole, name: 'redis-3' }], { again })).stderr).not.toContain('hint:');
  });

  it('are the profile that render makes of the same files', async () => {
    const { files } = await drawn(REPLICAS, { draw: { formats: ['folded'] } });
    const raw = files.filter((name) => name.endsWith('.gz')).map((name) => join(folder, name));
    const run = await gkeprof(['render', ...raw.reverse(), '--format', 'folded', '--output', '-']);
    expect(run.code).toBe(0);
    const merged = readFileSync(join(folder, files.find((name) => name.endsWith('.folded'))!), 'utf8');
    expect(run.stdout.toString()).toBe(merged);
    expect(merged).toMatch(/^redis\/redis-2;redis;redis-server;main;processCommand;sortCommand \d+$/m);
    // Twice the same pod is not several.
    const once = await gkeprof(['render', raw[0]!, raw[0]!, '--format', 'folded', '--output', '-']);
    expect(once.stdout.toString()).toMatch(/^redis-server;main;/);
  });

  it('of several nodes are the profile that render makes of the same files, or of their pictures', async () => {
    const text = readFileSync(new URL('../profile/node.perf-script.txt', import.meta.url), 'utf8');
    const nodes = ['node-a', 'node-b'].map((node) => ({ node, text }));
    const { files } = await drawn(nodes, { split: true, draw: { formats: ['folded', 'svg'] } });
    const render = async (...names: readonly string[]) => {
      const words = ['--format', 'folded', '--output', '-'];
      const run = await gkeprof(['render', ...names.map((name) => join(folder, name)), ...words]);
      expect(run.code).toBe(0);
      return run.stdout.toString();
    };
    const merged = readFileSync(join(folder, files.find((name) => name.endsWith('nodes_2.folded'))!), 'utf8');
    expect(merged).toMatch(/^node-b;[^;]*34f6bf06-5aee-4a36-85e0-d373248802be;.*;sh;/m);
    const raw = files.filter((name) => name.endsWith('.gz'));
    expect(await render(...raw)).toBe(merged);
    expect(await render(...files.filter((name) => name.endsWith('.node.flamegraph.svg')))).toBe(merged);
    // Twice the same node is not several.
    expect(await render(raw[0]!, raw[0]!)).not.toMatch(/^node-a;/m);
    // A pod does not stand beside a node as another node does.
    await drawn([{ name: 'redis-0', text }]);
    const pod = readdirSync(folder).find((name) => name.endsWith('redis-0.perf-script.txt.gz'))!;
    expect(await render(raw[0]!, pod)).not.toMatch(/^(?:node-a|redis\/redis-0);/m);
  });

  it('have files of their own with --split', async () => {
    const { files, many } = await drawn(REPLICAS, { split: true, draw: { formats: ['svg', 'folded'] } });
    expect(files.filter((name) => name.endsWith('.flamegraph.svg'))).toHaveLength(4);
    expect(files).toContain('node-b.20261130_020000_UTC.pod_redis_redis-2.folded');
    expect(many.recordings[2]!.made.map(({ role }) => role)).toEqual(['svg', 'folded', 'stacks', 'receipt']);
  });

  it('are a result for programs, by its schema, with the targets that failed', async () => {
    const { many, stdout, files } = await drawn(REPLICAS, { draw: { format: { kind: 'json' } as never } });
    expect(stdout).toBe('');
    const failed = [{ target: 'pod/redis-3', node: 'node-c', error: 'the node is not ready', hint: 'wait' }];
    const { facts, names } = await manyResult(many, failed);
    const data = JSON.parse(JSON.stringify(facts));
    expect(faults('flamegraph', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'FlameGraphs', version: 1, failed });
    expect(
      data.pods.map(({ name, comparison }: { name: string; comparison: string }) => [name, comparison]),
    ).toEqual([
      ['redis-2', 'differs'],
      ['redis-0', 'alike'],
      ['redis-1', 'alike'],
    ]);
    expect(data.pods[0]).toMatchObject({
      ...{ node: 'node-b', samples: 2000, comparedWith: 2, countedCores: 20.2 / 60, limitCores: 0.5 },
      differences: [{ name: 'sortCommand', othersShare: 0 }, { name: 'getCommand' }, { name: 'setCommand' }],
    });
    expect(data.captures.map(({ target }: { target: { name: string } }) => target.name)).toEqual([
      ...['redis-0', 'redis-1', 'redis-2'],
    ]);
    expect(data.captures[1].cpu.throttledSeconds).toBe(1.5);
    expect(data.captures[1].profile.samples).toBe(2000);
    expect(data.profile.samples).toBe(6000);
    expect(data.profile.coresBusy).toBeCloseTo(6000 / 99 / 60, 2);
    expect(data.profile.cpu).toMatchObject({ usedSeconds: expect.closeTo(60.6), throttledSeconds: 1.5 });
    expect(names.map((path) => readable(path)).sort()).toEqual(files);
  });

  it('are a block of Markdown for an incident', async () => {
    const { many } = await drawn(REPLICAS, { workload: { text: 'sts/redis', name: 'redis' } });
    const { markdown } = await manyResult(many, [
      { target: 'pod/redis-3', error: 'its node | is not ready' },
    ]);
    golden('profile/many.md', readable(markdown()).replaceAll(/\d+ \| `[0-9a-f]{64}`/g, 'N | `SHA`'));
  });

  it('say which pods were idle, cut short or incomplete, and once what all have', async () => {
    const incomplete = { ended: 'target-gone', stoppedAt: Date.UTC(2026, 10, 30, 2, 0, 20) } as const;
    const tools = { symbolFiles: { copied: 0, bytes: 0, why: 'tools' } } as const;
    const { many, stderr, stdout } = await drawn([
      { ...REPLICAS[0]!, result: tools },
      {
        name: 'redis-1',
        text: '# captured on: x\n',
        result: { ...tools, cpu: { ...CPU, usedSeconds: 0.01 } },
      },
      {
        ...REPLICAS[2]!,
        text: recordingText(3, { samples: 600, seconds: 20 }),
        result: { ...tools, ...incomplete },
      },
    ]);
    expect(stderr).toContain(
      'warning: redis-1: 0 samples: pod/redis-1 was idle, it used 10 ms of CPU time in 60s',
    );
    expect(stderr).toContain('warning: redis-2: stopped after 20s: the target is gone');
    expect(stderr.match(/the image has no perl/g)).toHaveLength(1);
    expect(stderr).not.toContain('redis-0: functions');
    expect(stdout.replaceAll(/\n +/g, ' ')).toContain(
      'the recordings are of 20s to 60s: widths are what each pod used while it was recorded',
    );
    expect(stdout).toMatch(/^redis-1 +node-a +0 +0\.00 +no +too few samples$/m);
    expect(many.code).toBe(EXIT.incomplete);
    expect(many.merged!.summary.cores).toBeUndefined();
  });

  it('are a failure only if all of them are empty', async () => {
    const empty = (name: string): RecordedText => ({ name, text: '# captured on: x\n' });
    expect((await drawn([REPLICAS[0]!, empty('redis-1')])).many.code).toBe(EXIT.done);
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-many-'));
    const { many, files } = await drawn([empty('redis-0'), empty('redis-1')]);
    expect(many.code).toBe(EXIT.tool);
    expect(files).toContain('node-a.20261130_020000_UTC.pods_redis_2.flamegraph.svg');
  });

  it('have a picture each if they are of different events', async () => {
    const { many, files, stdout } = await drawn([
      REPLICAS[0]!,
      { name: 'redis-1', node: 'node-b', text: recordingText(2, { event: 'cycles' }) },
    ]);
    expect(many.merged).toBeUndefined();
    expect(files.filter((name) => name.endsWith('.svg'))).toHaveLength(2);
    expect(stdout).toContain('the recordings are of different events (cpu-clock:ppp, cycles)');
    const { facts } = await manyResult(many);
    expect(faults('flamegraph', JSON.parse(JSON.stringify(facts)))).toEqual([]);
  });

  it('count the events of a counter by their periods, also where a pod has a single sample', async () => {
    const cycles = recordingText(1, { event: 'cycles', samples: 50 }).replaceAll(
      '10101010',
      () => `${1_000_000 + Math.trunc(Number('7'))}`,
    );
    const varied = cycles.replace('1000007', '5000000');
    const single = recordingText(2, { event: 'cycles', samples: 1 });
    const { many } = await drawn([
      { name: 'redis-0', text: varied },
      { name: 'redis-1', text: single },
    ]);
    expect(many.merged!.profile.unit).toBe('events');
    expect(many.merged!.profile.tree.total[0]).toBe(49 * 1_000_007 + 5_000_000 + 10_101_010);
  });
});
