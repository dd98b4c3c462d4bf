import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { PACKING_BYTES, packingOf } from '../text/file-signature.ts';
import { printable } from '../text/printable.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { type Condition, decompress } from './decompress.ts';

export interface Input {
  /** The file's path; `-` for stdin. */
  readonly path: string;
  /** The decompressed content. A piece is valid until the next one is read. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** A local file that is not compressed. */
  readonly plain: boolean;
  /** How the compressed file ended; known after all chunks were read. */
  readonly condition: Readonly<Condition>;
}

const PIECE = 1 << 20;

/**
 * Opens a local file, or stdin for `-`. Whether it is plain, gzip, zstd or xz is decided by its content, not by its name. Of a
 * compressed file that is cut short, everything before the cut is read. `verb` is the command in the hint for a compression
 * that only another program can unpack.
 */
export async function openInput(
  path: string,
  stdin: AsyncIterable<Uint8Array>,
  verb: 'render' | 'analyze' = 'render',
): Promise<Input> {
  const condition: Condition = { cut: false, trailing: false };
  const isPlain = path !== '-' && !(await isCompressed(path));
  const unpack = `COMMAND${path === '-' ? '' : ` ${shellQuote(path)}`} | kubectl gkeprof ${verb} -`;
  return {
    path,
    plain: isPlain,
    chunks: isPlain
      ? plain(path)
      : decompress(
          path === '-' ? stdin : createReadStream(path, { highWaterMark: PIECE }),
          condition,
          unpack,
        ),
    condition,
  };
}

async function isCompressed(path: string): Promise<boolean> {
  const magic = Buffer.alloc(PACKING_BYTES);
  try {
    const handle = await open(path);
    try {
      if ((await handle.stat()).isDirectory()) throw new Error('it is a folder');
      await handle.read(magic, 0, PACKING_BYTES, 0);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : printable(reasonOf(error));
    throw new GkeprofError(EXIT.failed, `cannot read ${printable(path)}: ${reason}`);
  }
  return packingOf(magic) !== undefined;
}

/** Reads the next piece while the caller works on the one before, into two buffers in turn. */
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
