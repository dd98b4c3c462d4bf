import type { Context } from '../cli/command.ts';
import { cacheFolder } from '../debuginfod/cache.ts';
import type { FileSource } from '../debuginfod/find-file.ts';
import { functionsAt } from '../debuginfod/functions-at.ts';
import type { Servers } from '../debuginfod/servers.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { type Input, openInput } from '../files/input.ts';
import { FileSpill } from '../files/spill.ts';
import type { SymbolLookup } from '../profile/profile.ts';
import { sniff } from '../profile/read/sniff.ts';
import {
  type BuildIds,
  type FrameName,
  isSharedFile,
  namedText,
  type UnnamedFrame,
  UnnamedFrames,
  wholeLines,
} from '../profile/read/unnamed-frames.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';

/** A text with the names that were found, and what was looked up for it. */
export interface NamedInput {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly lookups: readonly SymbolLookup[];
}

/**
 * Names the frames of raw stacks for which perf had no symbol, by the build IDs of their objects. The text is read twice: for
 * its unnamed frames, and with their names. Throws if the input is of another kind, or if the cache cannot be written.
 */
export async function nameFrames(input: Input, servers: Servers, context: Context): Promise<NamedInput> {
  const release = context.interrupts.hold();
  const spill = input.path === '-' ? new FileSpill() : undefined;
  try {
    const unnamed = await collect(spill ? kept(input.chunks, spill) : input.chunks, context);
    const lookups = await lookUp(unnamed, servers, context);
    const again = spill ? piecesOf(spill) : (await openInput(input.path, context.stdin)).chunks;
    const names = new Map(lookups.flatMap(({ key, names: found }) => (found ? [[key, found] as const] : [])));
    return {
      chunks: namedText(inUtf8(again), (frame) =>
        frame.offset === undefined ? undefined : names.get(keyOf(frame))?.get(frame.offset),
      ),
      lookups: lookups.map(({ lookup }) => lookup),
    };
  } catch (error) {
    spill?.close();
    throw error;
  } finally {
    release();
  }
}

/** The unnamed frames of one object. */
interface UnnamedObject {
  /** One of them. */
  readonly frame: UnnamedFrame;
  /** The number of frames at each place in the file, and of those without one. */
  readonly offsets: Map<number, number>;
  withoutOffset: number;
}

interface Unnamed {
  readonly objects: ReadonlyMap<string, UnnamedObject>;
  readonly buildIds: BuildIds;
}

const keyOf = ({ path, buildId }: UnnamedFrame): string => `${buildId ?? ''} ${path}`;

async function collect(chunks: AsyncIterable<Uint8Array>, { interrupts }: Context): Promise<Unnamed> {
  const frames = new UnnamedFrames();
  const objects = new Map<string, UnnamedObject>();
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const { kind, head, rest } = await sniff(iterator);
    if (kind !== 'perf script')
      throw new GkeprofError(
        EXIT.usage,
        '--debuginfod cannot be used with this file, because it has no addresses',
        'the raw stacks (.perf-script.txt.gz) have what that needs',
      );
    for await (const block of wholeLines(joined(head, rest))) {
      interrupts.stop.throwIfAborted();
      frames.scan(block, (frame) => {
        if (!isSharedFile(frame.path)) return;
        const key = keyOf(frame);
        let object = objects.get(key);
        if (!object) {
          object = { frame, offsets: new Map(), withoutOffset: 0 };
          objects.set(key, object);
        }
        if (frame.offset === undefined) object.withoutOffset += 1;
        else object.offsets.set(frame.offset, (object.offsets.get(frame.offset) ?? 0) + 1);
      });
    }
  } finally {
    await iterator.return?.();
  }
  return { objects, buildIds: frames.buildIds };
}

interface Looked {
  readonly key: string;
  readonly lookup: SymbolLookup;
  readonly names?: ReadonlyMap<number, FrameName>;
}

const NO_OFFSET = {
  kind: 'no-offset',
  text: 'the text does not say where in the file its functions are (perf script -F +dsoff prints it)',
} as const;

/** Looks up one object after the other: a server gets one request at a time. */
async function lookUp({ objects, buildIds }: Unnamed, servers: Servers, context: Context): Promise<Looked[]> {
  const { env, log, interrupts, now } = context;
  const source: FileSource = {
    ...{ servers, folder: cacheFolder(env), down: new Map(), env, log, signal: interrupts.stop, now },
  };
  const looked: Looked[] = [];
  for (const [key, { frame, offsets, withoutOffset }] of objects) {
    const { path } = frame;
    const stated = buildIds.get(path);
    const buildId = frame.buildId ?? (stated?.size === 1 ? [...stated][0] : undefined);
    const frames = [...offsets.values()].reduce((sum, each) => sum + each, withoutOffset);
    const about = { object: path, ...(buildId !== undefined && { buildId }), frames };
    if (buildId === undefined) {
      const text = stated
        ? 'the text has several build IDs for its path'
        : 'the text does not have its build ID';
      looked.push({ key, lookup: { ...about, named: 0, unknown: { kind: 'no-build-id', text } } });
      continue;
    }
    if (offsets.size === 0) {
      looked.push({ key, lookup: { ...about, named: 0, unknown: NO_OFFSET } });
      continue;
    }
    const { functions, unresolved } = await functionsAt(
      buildId,
      [...offsets.keys()],
      printable(path.slice(path.lastIndexOf('/') + 1)),
      source,
    ).catch((error) => {
      throw cacheError(error, source.folder);
    });
    const named = [...functions.keys()].reduce((sum, offset) => sum + offsets.get(offset)!, 0);
    looked.push({
      key,
      names: functions,
      lookup: { ...about, named, ...(named < frames && { unknown: unresolved ?? NO_OFFSET }) },
    });
  }
  return looked;
}

/** A cache that cannot be written is no bug of this program. */
function cacheError(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof GkeprofError || code === undefined || !/^E[A-Z]+$/.test(code)) return error;
  return new GkeprofError(
    EXIT.failed,
    `cannot use the cache ${printable(folder)}: ${printable(reasonOf(error))}`,
    'DEBUGINFOD_CACHE_PATH names another folder',
  );
}

/** The most objects that are listed for people; `-o json` has all of them. */
const LISTED = 10;

/** What was looked up, as lines for people: how much was named, and what is still unknown, by object and reason. */
export function lookupLines(lookups: readonly SymbolLookup[]): string[] {
  const sum = (of: (lookup: SymbolLookup) => number) => lookups.reduce((all, each) => all + of(each), 0);
  const frames = sum((each) => each.frames);
  if (frames === 0) return ['debuginfod: no frame of a file is without a name'];
  const unknown = lookups
    .filter((each) => each.named < each.frames)
    .sort((a, b) => b.frames - b.named - (a.frames - a.named));
  return [
    `debuginfod: named ${sum((each) => each.named)} of ${counted(frames, 'frame')} that had no name`,
    ...unknown
      .slice(0, LISTED)
      .map(
        ({ object, buildId, frames: all, named, unknown: why }) =>
          `  still unknown: ${counted(all - named, 'frame')} of ${object}${buildId === undefined ? '' : ` (build ID ${buildId.slice(0, 12)})`}: ${why?.text ?? ''}`,
      ),
    ...(unknown.length > LISTED
      ? [`  and ${counted(unknown.length - LISTED, 'more object')}; -o json lists them`]
      : []),
  ];
}

async function* joined(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/** The text in UTF-8: PowerShell writes UTF-16. */
async function* inUtf8(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const { head, rest } = await sniff(iterator);
    yield* joined(head, rest);
  } finally {
    await iterator.return?.();
  }
}

/** Keeps what passes, because stdin can be read only once. */
async function* kept(chunks: AsyncIterable<Uint8Array>, spill: FileSpill): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    spill.append(chunk);
    yield chunk;
  }
}

async function* piecesOf(spill: FileSpill): AsyncGenerator<Uint8Array> {
  yield* spill.pieces();
  spill.close();
}
