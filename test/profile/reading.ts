import { foldedChunks } from '../../src/profile/export/folded.ts';
import type { Frame } from '../../src/profile/frame.ts';
import type { Profile } from '../../src/profile/profile.ts';
import { type Reading, type ReadOptions, readProfile } from '../../src/profile/read/read-profile.ts';
import { Stacks } from '../../src/profile/stacks.ts';
import { treeOf } from '../../src/profile/tree.ts';

const PLAIN: ReadOptions = { noIdle: false, timeline: true };

/** Pieces of a text, cut where they are asked for, all in one buffer that is written over: as a file is read. */
export async function* pieces(
  text: string | Uint8Array,
  cuts: readonly number[] = [],
): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text as string);
  const buffer = Buffer.alloc(bytes.length);
  let from = 0;
  for (const cut of [...[...cuts].sort((a, b) => a - b), bytes.length]) {
    const end = Math.min(bytes.length, Math.max(from, cut));
    buffer.fill('X');
    bytes.copy(buffer, 0, from, end);
    yield buffer.subarray(0, end - from);
    from = end;
  }
}

export const read = (
  text: string | Uint8Array,
  options: Partial<ReadOptions> = {},
  cuts: readonly number[] = [],
): Promise<Reading> =>
  readProfile(
    pieces(text, cuts),
    { ...PLAIN, ...options },
    () => ({ target: 'test' }),
    () => undefined,
  );

export const folded = (profile: Profile, annotate = false): string =>
  Buffer.concat([...foldedChunks(profile, annotate)]).toString();

/** What stackcollapse-perf.pl would be asked for: the text folded. */
export const fold = async (
  text: string,
  options: Partial<ReadOptions> = {},
  annotate = false,
): Promise<string> => folded((await read(text, options)).profile, annotate);

/** A profile of these stacks, from the root to the leaf, so many times each, by one thread; names as they are. */
export function stacksOf(
  paths: ReadonlyArray<readonly [path: readonly string[], times: number]>,
  comm = 'redis-server',
): Profile {
  const stacks = new Stacks('root first');
  const frames: Frame[] = [{ name: comm, kind: 'thread', dso: '', unknown: false }];
  const known = new Map<string, number>();
  const ends = paths.map(([path]) => {
    const numbers = path.map((name) => {
      const kind = name.startsWith('sys_') ? 'kernel' : 'user';
      if (!known.has(name))
        known.set(name, frames.push({ name, kind, dso: '/usr/bin/redis-server', unknown: false }) - 1);
      return known.get(name)!;
    });
    return stacks.number(Int32Array.of(0, ...numbers), 0, 1 + path.length);
  });
  const self = new Float64Array(stacks.size);
  paths.forEach(([, times], at) => {
    self[ends[at]!]! += times;
  });
  const { tree, place } = treeOf(stacks, frames, self);
  const nodes = [...new Set(ends)];
  const counts = Float64Array.from(nodes, (node) => self[node]!);
  const samples = tree.total[0]!;
  return {
    about: { target: 'default/redis-0', node: 'node-a', seconds: 10, frequencyHz: 99 },
    event: 'cpu-clock',
    unit: 'samples',
    frames,
    tree,
    threads: [{ comm, pid: 1, tid: 1, samples, weight: samples }],
    stacks: {
      node: Int32Array.from(nodes, (node) => place[node]!),
      thread: new Int32Array(nodes.length),
      samples: counts,
      weight: counts,
    },
    timeline: undefined,
    samples,
    idle: { samples: 0, leftOut: false },
    lost: 0,
  };
}

/** Pieces of text and of bytes as one text. */
export const textOf = (pieces: Iterable<string | Uint8Array>): string =>
  Buffer.concat(Array.from(pieces, (piece) => Buffer.from(piece as string))).toString();
