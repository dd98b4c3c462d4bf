import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GkeprofError } from '../../src/errors.ts';
import { fold } from './reading.ts';

/**
 * Every combination of `perf script -F` fields, printed by this machine's perf out of one recording, gives the same stacks or a
 * refusal. There are more than there is time for: some are picked, the same ones each time; `npm run test:fields` picks
 * many more, others with another SEED.
 */
const PICKED = Number(process.env.GKEPROF_TEST_FIELDS ?? 6);
const SEED = Number(process.env.SEED ?? 1);

/** Fields that may be left out or added; what perf refuses for a recording is passed over. */
const USUAL = ['comm', 'tid', 'cpu', 'time', 'period', 'event', 'ip', 'sym', 'symoff', 'dso'];
const MORE = [
  ...[
    'pid',
    'misc',
    'tod',
    'flags',
    'addr',
    'data_src',
    'weight',
    'ins_lat',
    'srcline',
    'iregs',
    'uregs',
    'brstack',
  ],
  ...[
    'brstacksym',
    'brstackoff',
    'insn',
    'insnlen',
    'phys_addr',
    'data_page_size',
    'code_page_size',
    'ipc',
    'synth',
  ],
  ...['srccode', 'callindent', 'metric', 'bpf-output', 'trace', 'cgroup'],
];

/** A shell that calls functions of its own, and a program that faults: what perf can record without hardware counters. */
const WORK = 'i=0; while [ $i -lt 9000 ]; do i=$((i+1)); done; ls -l /usr >/dev/null; true';
const DATA = ['-d', '--phys-data', '-W', '--data-page-size', '--code-page-size', '-k', 'CLOCK_MONOTONIC'];
const REGISTERS = ['--intr-regs=ip,sp', '--user-regs=ip,sp'];
const RECORDINGS: ReadonlyArray<readonly [name: string, args: readonly string[]]> = [
  ['a clock with stacks', ['-e', 'cpu-clock', '-c', '1000000', '-g', '--sample-cpu', ...DATA, ...REGISTERS]],
  ['a clock without stacks', ['-e', 'cpu-clock', '-c', '1000000', '--sample-cpu', ...DATA, ...REGISTERS]],
  ['a clock with cgroups', ['-e', 'cpu-clock', '-c', '1000000', '-g', '--sample-cpu', '--all-cgroups']],
  ['page faults with stacks', ['-e', 'page-faults', '-c', '7', '-g', '--sample-cpu', ...DATA]],
  ['page faults without stacks', ['-e', 'page-faults', '-c', '7', '--sample-cpu', ...DATA]],
  [
    'a tracepoint with stacks',
    ['-e', 'sched:sched_switch', '-c', '1', '-g', '--sample-cpu', '-k', 'CLOCK_MONOTONIC'],
  ],
  ['a clock with switches', ['-e', 'cpu-clock', '-c', '1000000', '-g', '--sample-cpu', '--switch-events']],
];

function* numbers(seed: number): Generator<number> {
  for (let state = seed >>> 0; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** Lists of fields: each usual one is mostly there, few others are. */
function combinations(seed: number): ReadonlyArray<readonly [fields: string]> {
  const chance = numbers(seed);
  const next = (): number => chance.next().value!;
  return Array.from({ length: PICKED }, () => {
    const without = next() < 0.5 ? 0 : 0.15;
    const more = next() < 0.5 ? 1 / MORE.length : 0.2;
    return [[...USUAL.filter(() => next() >= without), ...MORE.filter(() => next() < more)].join(',')];
  });
}

describe('the fields of perf script', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-fields-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  describe.each(RECORDINGS.map(([name, args], at) => [name, args, at] as const))('%s', (name, args, at) => {
    const data = join(folder, `${name.replaceAll(' ', '-')}.data`);
    const print = (fields: readonly string[]) =>
      spawnSync('perf', ['script', '--no-inline', '-i', data, '-F', fields.join(',')], {
        encoding: 'utf8',
        maxBuffer: 1 << 28,
        timeout: 60_000,
        env: { ...process.env, PAGER: 'cat', TZ: 'UTC' },
      });
    const whole = new Map<string, string>();
    const isTrace = args.includes('sched:sched_switch');
    const usual = [...USUAL, 'pid', ...(isTrace ? ['trace'] : [])];

    beforeAll(async () => {
      // Without build ids: perf record failed now and then in their code (util/build-id.c) while other tests ran perf too.
      execFileSync('perf', ['record', '--no-buildid', ...args, '-o', data, 'sh', '-c', WORK], {
        stdio: 'pipe',
      });
      whole.set('dso', await fold(print(usual).stdout, { weight: 'samples' }));
      whole.set(
        '',
        await fold(print(usual.filter((field) => field !== 'dso')).stdout, { weight: 'samples' }),
      );
      expect(whole.get('dso')).toContain(';');
    });

    it('gives the same stacks without objects, but for the names of what has none', () => {
      const strip = (text: string) =>
        text
          .replaceAll(/\[[^;]*\](?=[; ])/g, '[]')
          .split('\n')
          .map((line) => line.replace(/ \d+$/, ''))
          .sort();
      expect(new Set(strip(whole.get('')!))).toEqual(new Set(strip(whole.get('dso')!)));
    });

    it.each(combinations(SEED + at))('%s', async (list) => {
      const fields = list.split(',');
      const { status, stdout } = print(fields);
      if (status !== 0 || stdout === '') return; // perf refuses it: ip without sym, and the like.
      const has = (field: string) => fields.includes(field);
      const got = await fold(stdout, { weight: 'samples' }).catch((error: GkeprofError) => {
        expect(error).toMatchObject({ code: 4 });
        expect(error.hint).toContain('perf script');
        return undefined;
      });
      // What is needed for the stacks is there, and something tells where the name of a thread ends.
      const isEnough = has('comm') && has('ip') && has('sym') && (has('cpu') || has('time') || has('event'));
      // The frame of the cgroup is there where the line tells it from other columns; its stacks are the same.
      const stacks = got?.replaceAll(/^cgroup_[^;]*;/gm, '');
      if (stacks !== got) expect(fields).toContain('cgroup');
      // Not one sample is said by the verb.
      if (!stacks) expect(isEnough, stdout.slice(0, 1500)).toBe(false);
      else
        expect(stacks, stdout.slice(0, 1500)).toBe(
          whole.get(/ \([^()]+\)(?: |$)/m.test(stdout) ? 'dso' : ''),
        );
    });
  });
});
