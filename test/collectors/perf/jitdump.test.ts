import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asset } from '../../../src/assets.ts';

/** Converts FILE as the harvest does, and prints what became of it. The words behind FILE: its pid, the limits, and the seconds. */
const CONVERT = `${asset('collectors/perf/jitdump.pl')}
my ($file, $map, $pid, $most, $left, $seconds) = @ARGV;
open my $from, '<', $file or die;
print join ' ', write_jit_map($from, $pid, $map, $most, $left, time + $seconds);`;
const PID = 7;
const MIB = 2 ** 20;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-jitdump-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const mapPath = () => join(folder, 'perf.map');

function convertFile(
  path: string,
  pid = PID,
  { most = 256 * MIB, left = 256 * MIB, seconds = 60, program = CONVERT } = {},
) {
  const words = [path, mapPath(), pid, most, left, seconds].map(String);
  const { stdout, stderr } = spawnSync('perl', ['-e', program, ...words], {
    ...{ encoding: 'utf8', timeout: 300_000, killSignal: 'SIGKILL' },
  });
  const map = existsSync(mapPath()) ? readFileSync(mapPath(), 'utf8') : undefined;
  return { said: `${stdout}${stderr}`, map };
}

function convert(bytes: Uint8Array, pid = PID, limits = {}) {
  const path = join(folder, 'jit-7.dump');
  writeFileSync(path, bytes);
  rmSync(mapPath(), { force: true });
  return convertFile(path, pid, limits);
}

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number | bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

/** The parts of the format as its specification lists them. */
const header = ({ magic = 0x4a695444, version = 1, size = 40 } = {}) =>
  Buffer.concat([...[magic, version, size, 62, 0, PID].map(u32), u64(0), u64(0), Buffer.alloc(size - 40)]);
const record = (kind: number, body: Uint8Array, size = 16 + body.length) =>
  Buffer.concat([u32(kind), u32(size), u64(0), body]);

interface Load {
  readonly at: number | bigint;
  readonly size: number;
  readonly name: string | Uint8Array;
  readonly index?: number;
  readonly pid?: number;
  /** What the record says instead of the size of its code. */
  readonly says?: number | bigint;
}
const load = ({ at, size, name, index = 0, pid = PID, says = size }: Load) =>
  record(
    0,
    Buffer.concat([
      u32(pid),
      u32(PID),
      ...[at, at, says, index].map(u64),
      Buffer.from(name),
      u32(0).subarray(0, 1),
      Buffer.alloc(size, 0x90),
    ]),
  );
const move = (from: number, to: number, size: number, index: number, pid = PID) =>
  record(1, Buffer.concat([u32(pid), u32(PID), ...[to, from, to, size, index].map(u64)]));

describe('the map of a jitdump file', () => {
  it('has the functions at their addresses', () => {
    const dump = [
      header(),
      load({ at: 0x7f00_0000_2000, size: 0x123, name: 'JS:*second /app/x.js:1:2' }),
      record(2, Buffer.alloc(40)),
      record(4, Buffer.alloc(24)),
      load({ at: 0x1000, size: 16, name: 'Lorg/Class;::first()V größer', index: 1 }),
      record(99, Buffer.alloc(3)),
      record(3, Buffer.alloc(0)),
    ];
    const map = '1000 10 Lorg/Class;::first()V größer\n7f0000002000 123 JS:*second /app/x.js:1:2\n';
    expect(convert(Buffer.concat(dump))).toEqual({ said: `taken ${Buffer.byteLength(map)}`, map });
  });

  it('has what was loaded last at an address, and nothing of what had a part of that place', () => {
    const dump = [
      header(),
      load({ at: 0x1000, size: 0x3000, name: 'large' }),
      load({ at: 0x5000, size: 0x10, name: 'stays' }),
      load({ at: 0x1800, size: 0x10, name: 'inside' }),
      load({ at: 0x4fff, size: 1, name: 'just before' }),
      load({ at: 0x5010, size: 1, name: 'just behind' }),
      load({ at: 0x1800, size: 0x10, name: 'inside again' }),
    ];
    expect(convert(Buffer.concat(dump)).map).toBe(
      '1800 10 inside again\n4fff 1 just before\n5000 10 stays\n5010 1 just behind\n',
    );
  });

  it('follows what was moved, if it is still that function', () => {
    const dump = [
      header(),
      load({ at: 0x1000, size: 0x10, name: 'moves', index: 1 }),
      load({ at: 0x2000, size: 0x10, name: 'is overwritten', index: 2 }),
      move(0x1000, 0x2008, 0x10, 1),
      move(0x2000, 0x9000, 0x10, 2),
      move(0x2008, 0x3000, 0xffff, 1),
      load({ at: 0x4000, size: 0x10, name: 'another', index: 4 }),
      move(0x4000, 0x5000, 0x10, 3),
      move(0x4000, 0x5000, 0x10, 4, PID + 1),
    ];
    expect(convert(Buffer.concat(dump)).map).toBe('3000 10 moves\n4000 10 another\n');
  });

  it('has only what the process itself has written: a child of it writes into the same file', () => {
    const dump = [
      header(),
      load({ at: 0x1000, size: 0x10, name: 'own' }),
      load({ at: 0x1000, size: 0x10, name: 'child', pid: PID + 1 }),
    ];
    expect(convert(Buffer.concat(dump)).map).toBe('1000 10 own\n');
  });

  it('begins behind a longer header', () => {
    const dump = [header({ size: 64 }), load({ at: 0x1000, size: 0x10, name: 'f' })];
    expect(convert(Buffer.concat(dump)).map).toBe('1000 10 f\n');
  });

  /** Byte by byte: who owns it. */
  function slowly(steps: readonly Step[]): string {
    const owner = new Map<number, number>();
    const functions: Array<{ at: number; size: number; index: number }> = [];
    const put = (at: number, size: number, index: number) => {
      for (let byte = at; byte < at + size; byte += 1) {
        const dead = owner.get(byte);
        if (dead !== undefined) for (const [each, of] of owner) if (of === dead) owner.delete(each);
      }
      for (let byte = at; byte < at + size; byte += 1) owner.set(byte, functions.length);
      functions.push({ at, size, index });
    };
    steps.forEach(({ at, size, moves }, number) => {
      const old = moves === undefined ? undefined : functions.findLast(({ index }) => index === moves);
      if (moves === undefined) put(at, size, number);
      else if (old && owner.get(old.at) === functions.lastIndexOf(old)) {
        for (const [each, of] of owner) if (of === functions.lastIndexOf(old)) owner.delete(each);
        put(at, old.size, old.index);
      }
    });
    return [...new Set(owner.values())]
      .map((each) => functions[each]!)
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, size, index }) => `${at.toString(16)} ${size.toString(16)} f${index}\n`)
      .join('');
  }
  interface Step {
    readonly at: number;
    readonly size: number;
    /** Not a load, but a move of what the load of this number has made. */
    readonly moves?: number | undefined;
  }

  it('is what is there after any loads and moves', () => {
    const step = fc.record({
      at: fc.integer({ min: 4000, max: 4400 }),
      size: fc.integer({ min: 1, max: 60 }),
      moves: fc.option(fc.nat({ max: 30 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let places = new Map<number, number>();
        const records = steps.map(({ at, size, moves }, index) => {
          if (moves === undefined) {
            places = places.set(index, at);
            return load({ at, size, name: `f${index}`, index });
          }
          const from = places.get(moves) ?? 0;
          if (slowly(steps.slice(0, index)).match(new RegExp(`^${from.toString(16)} .* f${moves}$`, 'm')))
            places.set(moves, at);
          return move(from, at, size, moves);
        });
        expect(convert(Buffer.concat([header(), ...records])).map ?? '').toBe(slowly(steps));
      }),
      { numRuns: 40 },
    );
  });
});

describe('a hostile jitdump file', () => {
  const honest = load({ at: 0x1000, size: 0x10, name: 'honest' });
  const MAP = '1000 10 honest\n';

  it.each([
    ['of another version', Buffer.concat([header({ version: 2 }), honest])],
    ['of another byte order', Buffer.concat([header({ magic: 0x4454694a }), honest])],
    ['something else', Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(100), honest])],
  ])('is refused if it is %s', (_, bytes) => {
    expect(convert(bytes)).toEqual({ said: 'format', map: undefined });
  });

  it.each([
    [
      'a header that goes on for 4 GiB',
      Buffer.concat([...[0x4a695444, 1, 0xffffffff].map(u32), Buffer.alloc(28), honest]),
    ],
    ['nothing in it, because the compiler has not yet written', Buffer.alloc(0)],
    ['half a header', header().subarray(0, 39)],
    ['nothing but its header', header()],
    [
      'only functions of another process',
      Buffer.concat([header(), load({ at: 1, size: 1, name: 'x', pid: 8 })]),
    ],
    ['a function without a name', Buffer.concat([header(), load({ at: 1, size: 1, name: '' })])],
  ])('gives no map if it has %s', (_, bytes) => {
    expect(convert(bytes)).toEqual({ said: 'changed', map: undefined });
  });

  it.each([
    ['a record of no length', record(0, Buffer.alloc(100), 0)],
    ['a record that is shorter than its head', record(0, Buffer.alloc(100), 15)],
    ['a record of 4 GiB', record(0, Buffer.alloc(100), 0xffffffff)],
    ['half a record', load({ at: 0x2000, size: 64, name: 'half' }).subarray(0, 100)],
    ['half a head', u32(0)],
  ])('gives what stands before %s', (_, bytes) => {
    expect(convert(Buffer.concat([header(), honest, bytes]))).toEqual({ said: 'taken 15', map: MAP });
  });

  it.each([
    ['of more code than it has', load({ at: 0x2000, size: 16, name: 'f', says: 18 })],
    ['of 16 EiB', load({ at: 0x2000, size: 16, name: 'f', says: 2n ** 64n - 1n })],
    ['of no code', load({ at: 0x2000, size: 0, name: 'f' })],
    ['at the end of the address space', load({ at: 2n ** 64n - 8n, size: 16, name: 'f' })],
    ['without the fields that it has to have', record(0, Buffer.alloc(39))],
    ['that is moved without the fields', record(1, Buffer.alloc(47))],
    [
      'that is moved out of the address space',
      Buffer.concat([
        load({ at: 0x2000, size: 1, name: '', index: 5 }),
        record(1, Buffer.concat([u32(PID), u32(PID), ...[0, 0x2000, 2n ** 64n - 1n, 1, 5].map(u64)])),
      ]),
    ],
  ])('has no function %s', (_, bytes) => {
    expect(convert(Buffer.concat([header(), bytes, honest])).map).toBe(MAP);
  });

  it('has names of one line', () => {
    const names = [
      'a\nffff 1 forged',
      'b\0c',
      '\x1b[2Jd\r\x7f',
      'e'.repeat(3000),
      Buffer.from([0xff, 0xfe, 0x66]),
    ];
    const loads = names.map((name, at) => load({ at: 0x1000 + at, size: 1, name }));
    const { map } = convert(Buffer.concat([header(), ...loads]));
    const text = readFileSync(mapPath());
    expect(map!.split('\n').slice(0, 4)).toEqual([
      '1000 1 a?ffff 1 forged',
      '1001 1 b',
      '1002 1 ?[2Jd??',
      `1003 1 ${'e'.repeat(1024)}`,
    ]);
    expect(text.subarray(-4)).toEqual(Buffer.from([0xff, 0xfe, 0x66, 0x0a]));
  });

  it.each([
    ['large', { most: 100 }],
    ['total', { left: 14 }],
    ['time', { seconds: -1 }],
  ])('costs no more than its bound: %s', (said, limits) => {
    expect(convert(Buffer.concat([header(), honest]), PID, limits)).toEqual({ said, map: undefined });
  });

  it('costs no more than its bound if it is endless', () => {
    const path = join(folder, 'jit-7.dump');
    writeFileSync(path, Buffer.concat([header(), honest]));
    truncateSync(path, 2 ** 40);
    expect(convertFile(path)).toEqual({ said: 'large', map: undefined });
    // The first record of zeros has no length.
    expect(convertFile(path, PID, { most: 2 ** 41 })).toEqual({ said: 'taken 15', map: MAP });
  });

  it('has at most so many functions', () => {
    const few = CONVERT.replace('MOST_FUNCTIONS => 500_000', 'MOST_FUNCTIONS => 2');
    const loads = [1, 2, 1, 3].map((at) => load({ at, size: 1, name: `f${at}` }));
    const converted = (count: number) =>
      convert(Buffer.concat([header(), ...loads.slice(0, count)]), PID, { program: few });
    expect(converted(3)).toEqual({ said: 'taken 14', map: '1 1 f1\n2 1 f2\n' });
    expect(converted(4)).toEqual({ said: 'large', map: undefined });
  });

  // Each move costs 64 bytes of the file, however large the function is.
  it('has at most so many pages, also those that a function has left', () => {
    const few = CONVERT.replace('MOST_PAGES => 600_000', 'MOST_PAGES => 4');
    const large = load({ at: 0x10000, size: 0x2000, name: 'f', index: 1 });
    const moves = [0x20000, 0x30000].map((to, at) => move([0x10000, 0x20000][at]!, to, 0x2000, 1));
    const converted = (count: number) =>
      convert(Buffer.concat([header(), large, ...moves.slice(0, count)]), PID, { program: few });
    expect(converted(1).map).toBe('20000 2000 f\n');
    expect(converted(2)).toEqual({ said: 'large', map: undefined });
  });

  it('writes over nothing, and follows no link', () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'kept');
    symlinkSync(other, mapPath());
    const path = join(folder, 'jit-7.dump');
    writeFileSync(path, Buffer.concat([header(), honest]));
    expect(convertFile(path).said).toBe('changed');
    expect(readFileSync(other, 'utf8')).toBe('kept');
  });
});

/** Compiles functions all the time, so that their places are used again. */
const COMPILES = `
const make = (i) => new Function('n', 'let x = 0; for (let i = 0; i < n; i++) x = (x * ' + i + ' + i) % 1000003; return x;');
for (let i = 0, end = Date.now() + 2000; Date.now() < end; i++) { const f = make(i); for (let k = 0; k < 20; k++) f(2000); }`;

/** One function, for long enough to be sampled. */
const STEADY = `
function jitLoop(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x; }
for (const end = process.cpuUsage().user + 2e6; process.cpuUsage().user < end; ) jitLoop(1e6);`;

const dumpOf = () => {
  const name = readdirSync(folder).find((each) => /^jit-\d+\.dump$/.test(each))!;
  return { path: join(folder, name), pid: Number(/\d+/.exec(name)) };
};

interface Place {
  readonly at: bigint;
  readonly end: bigint;
  readonly name: string;
}
const placesOf = (map: string): Place[] =>
  [...map.matchAll(/^([0-9a-f]+) ([0-9a-f]+) (.*)$/gm)].map(([, at, size, name]) => ({
    at: BigInt(`0x${at}`),
    end: BigInt(`0x${at}`) + BigInt(`0x${size}`),
    name: name!,
  }));

describe('the jitdump file of Node.js', () => {
  it('gives what its own perf map says, which has the same functions in the same order', () => {
    const flags = ['--perf-prof', '--perf-basic-prof', `--perf-basic-prof-path=${folder}`];
    execFileSync(process.execPath, [...flags, '-e', COMPILES], { cwd: folder });
    const { path, pid } = dumpOf();
    // The map has the places of bytecode too (`~`), which no processor runs.
    const all = placesOf(readFileSync(join(folder, `perf-${pid}.map`), 'utf8'));
    const lines = all.filter(({ name, at, end }) => end > at && !/^\w+:~/.test(name));
    const { said, map } = convertFile(path, pid);
    expect(said).toMatch(/^taken \d+$/);
    const found = placesOf(map!);
    const text = ({ at, end, name }: Place) => `${at} ${end} ${name}`;
    const last = lines.filter(
      ({ at, end }, number) => !lines.slice(number + 1).some((later) => later.at < end && later.end > at),
    );
    expect(found.map(text)).toEqual(
      last.map(text).sort((a, b) => Number(a.split(' ')[0]) - Number(b.split(' ')[0])),
    );
    expect(found.length).toBeGreaterThan(1000);
  });

  it('gives the names that perf inject gives', () => {
    const data = join(folder, 'perf.data');
    const jitted = join(folder, 'perf.jit.data');
    const words = ['record', '-k', '1', '-F', '499', '-e', 'cpu-clock', '-o', data, '--'];
    const program = [process.execPath, '--perf-prof', '-e', STEADY];
    execFileSync('perf', [...words, ...program], { cwd: folder, stdio: 'pipe' });
    execFileSync('perf', ['inject', '-j', '-i', data, '-o', jitted], { cwd: folder, stdio: 'pipe' });
    const script = execFileSync('perf', ['script', '-F', 'ip,sym,dso', '-i', jitted], {
      ...{ cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26, stdio: 'pipe' },
    });
    const { path, pid } = dumpOf();
    const places = placesOf(convertFile(path, pid).map!);
    const samples = [...script.matchAll(/^ *([0-9a-f]+) (.*) \(.*\/jitted-\d+-\d+\.so\)$/gm)];
    expect(samples.length).toBeGreaterThan(100);
    const wrong = samples.filter(([, at, name]) => {
      const ip = BigInt(`0x${at}`);
      const place = places.find((each) => each.at <= ip && ip < each.end);
      return place?.name !== name;
    });
    expect(wrong.map(([, at, name]) => `${at} ${name}`)).toEqual([]);
    expect(samples.filter(([, , name]) => name!.includes('jitLoop')).length).toBeGreaterThan(50);
  });
});
