import { describe, expect, it } from 'vitest';
import { exact, isoTime, kept } from '../../src/packets/times.ts';
import { gkeprof } from '../command-line.ts';
import { faults } from '../schemas.ts';
import { analyzed } from './analysis.ts';
import { random } from './frames.ts';
import { expectAsTshark, fileOf } from './judge.ts';
import { FLAG, type Framed, pcap, pcapng, records, tcp, udp } from './packets.ts';

/** Another seed makes other times. */
const SEED = Number(process.env.SEED ?? 1);

/** Powers of ten and of two that the products of Wireshark 4.0 hold; finer ones overflow there (docs/packets.md). */
const RESOLUTIONS = [
  ...Array.from({ length: 11 }, (_, power) => power),
  ...Array.from({ length: 35 }, (_, power) => 0x80 | power),
];
const FINER = [11, 12, 15, 19, 20, 0x7f, 0x80 | 35, 0x80 | 52, 0x80 | 63, 0x80 | 64, 0xff];

const frame = (at: number): Buffer =>
  at % 2 ? tcp({ flags: FLAG.syn, seq: at }) : udp({ sport: 9000, dport: 9001 });

/** A file with one interface, and a packet for each time stamp. */
const stamped = (stamps: readonly bigint[], resolution: number, offset?: bigint): Buffer =>
  pcapng(
    stamps.map((stamp, at): Framed => ({ frame: frame(at), at: 0n, stamp: BigInt.asUintN(64, stamp) })),
    { faces: [{ link: 'raw', resolution, ...(offset !== undefined && { offset }) }] },
  );

const MOST = 2n ** 64n - 1n;

describe('times that no calendar on a wall has', () => {
  it.each<[string, bigint[], number, bigint?]>([
    ['behind the year 9999', [253_402_300_799n, 253_402_300_800n, 253_402_300_801n], 0],
    ['at the end of what a Date holds', [8_640_000_000_000n, 8_640_000_000_001n], 0],
    ['before 1970', [7n, 5n, 6_500_000n], 6, -100n],
    ['before the year 0', [1n, 2n], 0, -70_000_000_000n],
    ['beyond the integers of a number', [2n ** 53n + 1n, 2n ** 53n + 3n, 2n ** 53n + 2n], 0],
    ['at the last second that has a year', [67_767_976_233_532_799n, 67_767_976_233_532_800n], 0],
    ['at the end of the last year', [67_768_036_191_676_799n, 67_768_036_191_676_800n], 0],
    ['that are the largest of 64 bits', [MOST, MOST - 4n], 0],
    ['in the middle of 64 bits', [2n ** 63n - 1n, 2n ** 63n], 0],
    ['whose sum with the offset goes round', [2n ** 63n - 1n, 2n ** 62n], 0, 2n ** 62n],
    ['584 years apart', [0n, MOST], 9],
    [
      '68 years apart and more, which Wireshark takes for another order',
      [0n, 2n ** 31n, 2n ** 32n, 3n << 31n],
      0,
    ],
    ['that go back by 100 years', [5_000_000_000_000n, 5_000_000_000_000n, 7n, 9n], 3],
  ])('are printed as capinfos and tshark do: %s', async (_, stamps, resolution, offset) => {
    await expectAsTshark(fileOf(stamped(stamps, resolution, offset), 'pcapng'), 'America/New_York');
  });

  it('of pcap are printed as capinfos does, to the last of 32 bits', async () => {
    const frames = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((seconds, at) => ({
      frame: frame(at),
      at: BigInt(seconds) * 1_000_000_000n,
    }));
    for (const some of [frames, frames.slice(3), frames.toReversed()])
      await expectAsTshark(fileOf(pcap('raw', some)));
  });

  it('of any 64 bits and any resolution are printed as capinfos does', async () => {
    const below = random(SEED);
    const bits = (count: number) =>
      Array.from({ length: 4 }, () => BigInt(below(65_536))).reduce((all, part) => (all << 16n) | part, 0n) >>
      BigInt(64 - count);
    const pick = <T>(all: readonly T[]): T => all[below(all.length)]!;
    for (let file = 0; file < 60; file += 1) {
      const resolution = pick(RESOLUTIONS);
      const near = bits(64);
      const stamps = Array.from({ length: 1 + below(5) }, () =>
        pick([() => bits(1 + below(64)), () => near + BigInt(below(1000)), () => MOST - BigInt(below(3))])(),
      );
      const offset = pick([() => undefined, () => bits(64), () => -BigInt(below(100_000))])();
      const path = fileOf(stamped(stamps, resolution, offset), 'pcapng');
      await expectAsTshark(path, pick(['UTC', 'Europe/Berlin', 'EST5EDT', 'Australia/Lord_Howe']), 'summary');
    }
  }, 120_000);

  it.each(FINER)('of a resolution finer than capinfos knows have the seconds: %i', async (resolution) => {
    const perSecond = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    const units = perSecond > MOST ? MOST : perSecond;
    const path = fileOf(stamped([0n, units < MOST / 2n ? 2n * units : units], resolution), 'pcapng');
    await expectAsTshark(path, 'UTC', 'summary');
  });

  it('of picoseconds have their nanoseconds', () => {
    const { report } = analyzed(stamped([1_234_567_891_234_567n, 1_234_567_891_235_567n], 12));
    expect(report.summary).toMatchObject({
      start: '1970-01-01T00:20:34.567891234Z',
      end: '1970-01-01T00:20:34.567891235Z',
    });
  });
});

describe('a time for programs', () => {
  it.each<[bigint, number, string]>([
    [0n, 0, '1970-01-01T00:00:00.000000000Z'],
    [-1n, 5, '1969-12-31T23:59:59.000000005Z'],
    [253_402_300_800n, 1, '+010000-01-01T00:00:00.000000001Z'],
    [-62_198_755_200n, 0, '-000001-01-01T00:00:00.000000000Z'],
    [8_639_999_999_999n, 0, '+275760-09-12T23:59:59.000000000Z'],
    [8_640_000_000_000n, 0, '8640000000000.000000000'],
    [-8_640_000_000_001n, 250_000_000, '-8640000000000.750000000'],
    [2n ** 63n - 1n, 999_999_999, '9223372036854775807.999999999'],
    [-(2n ** 63n), 0, '-9223372036854775808.000000000'],
  ])(
    'of %i seconds and %i ns is ISO 8601 where a Date holds it, else exact seconds',
    (seconds, nanos, text) => {
      expect(isoTime(kept(seconds, nanos))).toBe(text);
      expect(exact(kept(seconds, nanos))).toEqual([seconds, nanos]);
    },
  );

  it('is whole in tables and reports, whatever it is', async () => {
    for (const stamp of [253_402_300_800n, 2n ** 53n + 1n, MOST / 2n]) {
      const path = fileOf(stamped([0n, stamp], 0), 'pcapng');
      for (const form of [[], ['-o', 'json'], ['-o', 'yaml'], ['--markdown'], ['--timeline']]) {
        const run = await gkeprof(['analyze', path, ...form]);
        expect(run).toMatchObject({ code: 0, stderr: '' });
        if (form[1] === 'json') expect(faults('analyze', JSON.parse(run.stdout.toString()))).toEqual([]);
        // The block for an incident tells the beginning alone.
        const [first, last] = stamp < 10n ** 12n ? ['1970-01-01', '10000-01-01'] : ['1970-01-01', `${stamp}`];
        expect(run.stdout.toString()).toMatch(form[0] === '--markdown' ? first : last);
      }
    }
  });
});

describe('the timeline', () => {
  const seconds = (all: Iterable<number>) =>
    pcap(
      'raw',
      Array.from(all, (second) => ({ frame: udp({}), at: BigInt(second) * 1_000_000_000n })),
    );
  const steps = (capture: Buffer) => {
    const { report, tables } = analyzed(capture);
    return { ...report.timeline, tables } as {
      stepSeconds: number;
      steps: { time: string; packets: number }[];
      tables: string;
    };
  };
  const every = (count: number, gap: number) => Array.from({ length: count }, (_, at) => 1.7e9 + at * gap);

  it.each<[string, number[]]>([
    ['packets an hour apart', every(4000, 3600)],
    ['packets less than an hour apart, for months', every(3500, 3500)],
    ['two packets, 55 years apart', [0, 1.75e9]],
    ['a packet of 1970 and an hour of today', [0, ...every(4000, 1)]],
    [
      'packets now and then for 136 years',
      Array.from({ length: 3000 }, (_, at) => (at * 1_431_655) % 2 ** 32),
    ],
  ])('has no more than 3600 steps, with all packets: %s', (_, all) => {
    const { steps: told } = steps(seconds(all));
    expect(told.length).toBeLessThanOrEqual(3600);
    expect(told.reduce((sum, { packets }) => sum + packets, 0)).toBe(all.length);
  });

  it('has no more steps for any 64 bits', () => {
    const far = [2n ** 53n, 2n ** 53n + 8n, 2n ** 60n, 2n ** 60n + 1024n, 2n ** 63n - 1n];
    for (const resolution of [0, 9])
      expect(steps(stamped([0n, ...far], resolution)).steps.length).toBeLessThanOrEqual(3600);
  });

  it('keeps its seconds where a clock jumped, and shows that something is left out', () => {
    const { stepSeconds, steps: told, tables } = steps(seconds([0, 1, 1.75e9, 1.75e9 + 2]));
    expect(stepSeconds).toBe(1);
    expect(told.map(({ packets }) => packets)).toEqual([1, 1, 1, 0, 1]);
    expect(tables).toMatch(
      /\n1970-01-01 00:00:01 [^\n]*\n…\n2025-06-15 15:06:40 [^\n]*\n2025-06-15 15:06:41 /,
    );
  });

  it('shows the time of day alone where all of it is one day', () => {
    const { tables } = steps(pcap('raw', records([udp({}), udp({})])));
    expect(tables).toMatch(/\nTimeline, second by second\nTIME [^\n]*\n22:44:50 /);
  });
});
