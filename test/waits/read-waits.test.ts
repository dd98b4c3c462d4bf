import { describe, expect, it } from 'vitest';
import { type WaitNames, waitsFacts } from '../../src/waits/facts.ts';
import { readWaits } from '../../src/waits/read-waits.ts';
import { parseRecordingLine } from '../../src/waits/recording-line.ts';
import { groupTable } from '../../src/waits/tables.ts';
import { fc } from '../properties.ts';
import { randomFrom } from '../random.ts';
import { cycle, pieces, synthetic } from './synthetic.ts';

const NAMES: WaitNames = { ofAddress: () => undefined, ofContainer: () => undefined };
const read = (text: string, size = () => 65_536) => readWaits(pieces(text, size), 'a.waits.txt.gz');
const facts = async (text: string, size?: () => number) => waitsFacts(await read(text, size), NAMES);

const RECORDING = synthetic({
  durationUs: 5e6,
  rateHz: 50,
  random: randomFrom(7),
  header: ['cgroup 1 scope 20000 100000 /pod', 'sock 0 1 tcp out 10.0.0.5:4000 10.0.0.9:5432'],
  threads: Array.from({ length: 5 }, (_, at) => ({
    tid: 200 + at,
    comm: `pool-1-thread-${at}`,
    bornAt: at * 500_000,
    ...(at === 2 && { endsAt: 3e6 }),
    next: cycle([
      { does: 'run', us: 3000 + at },
      { does: 'wait', us: 40_000 + 1000 * at, object: 's:1' },
    ]),
  })),
}).text;

describe('readWaits', () => {
  it('reads the same, wherever the bytes are cut', async () => {
    const whole = await facts(RECORDING);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), async (sizes) => {
        let at = 0;
        expect(await facts(RECORDING, () => sizes[at++ % sizes.length]!)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('makes one row of a pool, whose threads came and went', async () => {
    const { groups, isWhole } = await facts(RECORDING);
    expect(isWhole).toBe(true);
    expect(groups.map(({ name, threads }) => [name, threads])).toEqual([['pool-N-thread-N', 5]]);
    expect(groups[0]!.seconds).toBeGreaterThan(5 + 4.5 + 1.9 + 3.5 + 3 - 0.2);
    expect(groups[0]!.seconds).toBeLessThan(5 + 4.5 + 2 + 3.5 + 3);
  });

  it('reads what is whole of a recording that was cut anywhere, and says that its end is missing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 20, max: RECORDING.length - 20 }), async (length) => {
        const { isWhole, damagedLines, groups } = await facts(RECORDING.slice(0, length));
        expect([isWhole, damagedLines]).toEqual([false, 0]);
        for (const { shares } of groups)
          expect(Object.values(shares).reduce((sum, each) => sum + each)).toBeCloseTo(1, 4);
      }),
      { numRuns: 200 },
    );
  });

  it('never fails because of a line, whatever it is, and counts those of a known kind that are damaged', async () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('look', 'look 1 2', 'thread 1 2 3', 'cpu 1 1 x 0 0 0', 'start', 'new kind of line 1 2'),
      fc
        .tuple(fc.constantFrom('look', 'cpu', 'gone', 'ran', 'sock', 'rate'), fc.array(fc.integer()))
        .map(([kind, numbers]) => [kind, ...numbers].join(' ')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 30 }), async (lines) => {
        const text = `waits 1 x86_64\n${lines.map((line) => line.replaceAll('\n', ' ')).join('\n')}\n`;
        const { groups, damagedLines } = await facts(text);
        expect(damagedLines).toBeLessThanOrEqual(lines.length);
        for (const { shares } of groups)
          for (const share of Object.values(shares)) expect(share).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
    expect((await facts('waits 1 x86_64\nlook 1 2\nsomething new\ncpu x\n')).damagedLines).toBe(2);
  });

  it('leaves out a line that is too long, and keeps nothing of it', async () => {
    const text = `waits 1 x86_64\nfile 0 1 ${'x'.repeat(200_000)}\n${RECORDING.slice(RECORDING.indexOf('\n') + 1)}`;
    const { damagedLines, groups } = await facts(text, () => 1000);
    expect([damagedLines, groups.length]).toEqual([1, 1]);
  });

  it('refuses what is no recording, and one of another format', async () => {
    for (const text of ['', 'waits', 'waits one\n', 'redis;main 5\n', `${'x'.repeat(100_000)}\n`])
      await expect(read(text)).rejects.toMatchObject({
        code: 1,
        message: 'a.waits.txt.gz is not a recording of waits: its first line is not "waits 1"',
      });
    await expect(read('waits 2 x86_64\n')).rejects.toMatchObject({
      code: 1,
      message: expect.stringContaining('in format 2'),
      hint: expect.any(String),
    });
  });

  it('shows hostile names harmlessly', async () => {
    const comm = '%1B[31m%0A|%3Cb%3E';
    const text = `waits 1 x86_64\nstart 0 50 1 100\nproc 0 1 - ${comm}\nthread 0 1 1 ${comm}\nlook 0 1 0 0 1 S 0 - 0 idle\nlook 9000000 1 0 0 1 S 0 - 0 idle\nend 9000000 time\n`;
    const { groups } = await facts(text);
    expect(groups[0]!.name).toBe('\u001b[31m\n|<b>');
    expect(groupTable(groups)).toContain('\\x1b[31m\\n|<b>');
  });
});

describe('parseRecordingLine', () => {
  it.each([
    ['proc 5 7 - %', { kind: 'proc', at: 5, pid: 7, container: undefined, comm: '' }],
    ['thread 5 7 7 a%20b%25', { kind: 'thread', at: 5, tid: 7, pid: 7, comm: 'a b%' }],
    ['thread 5 7 7 %E2%82%AC further fields', { kind: 'thread', at: 5, tid: 7, pid: 7, comm: '€' }],
    ['rate 9 12.5', { kind: 'rate', at: 9, rateHz: 12.5 }],
    [
      'sock 1 2 udp - 10.0.0.1:53 -',
      { kind: 'sock', number: 2, protocol: 'udp', direction: '-', local: '10.0.0.1:53', remote: undefined },
    ],
    ['ran 1 0 77 - -', { kind: 'ran', at: 1, pid: 77, container: undefined, comm: undefined, waitedNs: 1 }],
    ['ran 1 0 77 - a 500', { kind: 'ran', at: 1, pid: 77, container: undefined, comm: 'a', waitedNs: 500 }],
    ['constructor 1', undefined],
    ['look 1 2 3 4 five S 0 - 0 -', undefined],
    ['gone 1  2', undefined],
  ])('%s', (line, parsed) => expect(parseRecordingLine(line)).toEqual(parsed));
});
