import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { EXIT, GkeprofError, reasonOf } from './errors.ts';
import { printable } from './printable.ts';

export interface Input {
  /** The file's path; `-` for stdin. */
  readonly path: string;
  /** The content, decompressed. A piece is valid until the next one is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** A local file that is not compressed. */
  readonly plain: boolean;
  /** Whether the compressed file ended too early; known when all chunks were read. */
  cut(): boolean;
}

const PIECE = 1 << 20;

/**
 * Opens a local file, plain, .gz or .zst by what it holds, or stdin for `-`. A compressed file that is cut short gives
 * what is there.
 */
export async function openInput(path: string, stdin: AsyncIterable<Uint8Array>): Promise<Input> {
  let cut = false;
  const onCut = () => {
    cut = true;
  };
  const packed = path !== '-' && (await isCompressed(path));
  const isPlain = path !== '-' && !packed;
  const chunks = isPlain
    ? plain(path)
    : decompress(packed ? createReadStream(path, { highWaterMark: PIECE }) : stdin, onCut);
  return { path, plain: isPlain, chunks, cut: () => cut };
}

async function isCompressed(path: string): Promise<boolean> {
  const magic = Buffer.alloc(4);
  try {
    const handle = await open(path);
    try {
      if ((await handle.stat()).isDirectory()) throw new Error('it is a folder');
      await handle.read(magic, 0, 4, 0);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new GkeprofError(EXIT.failed, `cannot read ${printable(path)}: ${printable(reasonOf(error))}`);
  }
  return compression(magic) !== undefined;
}

/** Reads the next piece while the one before is worked on, into two buffers in turn. */
async function* plain(path: string): AsyncGenerator<Uint8Array> {
  const handle = await open(path);
  try {
    const buffers = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)] as const;
    let next = handle.read(buffers[0], 0, PIECE, null);
    for (let turn = 0; ; turn ^= 1) {
      const { bytesRead } = await next;
      if (bytesRead === 0) return;
      next = handle.read(buffers[turn ^ 1]!, 0, PIECE, null);
      yield buffers[turn]!.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

const compression = (head: Uint8Array): 'gzip' | 'zstd' | undefined => {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const zstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  return zstd ? 'zstd' : undefined;
};

/** The source itself where it is not compressed. Several members one behind the other are one text. */
async function* decompress(source: AsyncIterable<Uint8Array>, onCut: () => void): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let ended = false;
  while (head.length < 4 && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else head = Buffer.concat([head, next.value]);
  }
  const all = async function* () {
    yield head;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  const kind = compression(head);
  if (!kind) {
    yield* all();
    return;
  }
  // Loaded on first use: 30 ms that no other command has to pay.
  const [{ createGunzip, createZstdDecompress }, { Readable: Stream }] = await Promise.all([
    import('node:zlib'),
    import('node:stream'),
  ]);
  const inflate: Transform =
    kind === 'gzip' ? createGunzip({ chunkSize: PIECE / 4 }) : createZstdDecompress({ chunkSize: PIECE / 4 });
  const packed = Stream.from(all());
  packed.on('error', (error) => inflate.destroy(error));
  const text: Readable = packed.pipe(inflate);
  try {
    yield* text as AsyncIterable<Uint8Array>;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'Z_BUF_ERROR' && !/unexpected end/i.test(reasonOf(error)))
      throw new GkeprofError(EXIT.failed, `the compressed input is damaged: ${printable(reasonOf(error))}`);
    onCut();
  } finally {
    packed.destroy();
  }
}

/**
 * `@last` and `@2` name recent files of a folder, those with one of the endings; any other name is itself. `what` says
 * what such files hold.
 */
export async function recentFile(
  name: string,
  folder: string,
  endings: readonly string[],
  what: string,
): Promise<string> {
  const asked = /^@(last|[1-9]\d*)$/.exec(name);
  if (!asked) return name;
  const place = asked[1] === 'last' ? 1 : Number(asked[1]);
  const names = (await readdir(folder)).filter((each) => endings.some((ending) => each.endsWith(ending)));
  const files = await Promise.all(
    names.map(async (each) => ({ path: join(folder, each), at: (await stat(join(folder, each))).mtimeMs })),
  );
  files.sort((a, b) => b.at - a.at || (a.path < b.path ? -1 : 1));
  const file = files[place - 1];
  if (!file)
    throw new GkeprofError(
      EXIT.failed,
      `${name}: ${files.length === 0 ? 'no' : `only ${files.length}`} file${files.length === 1 ? '' : 's'} in ${printable(folder)} with ${what}`,
      'name the file',
    );
  return file.path;
}
