import type { Transform } from 'node:stream';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { PACKING_BYTES, packingOf } from '../text/file-signature.ts';
import { printable } from '../text/printable.ts';

/** How a compressed input ended; known after all of it was read. */
export interface Condition {
  /** It ended too early. */
  cut: boolean;
  /** Bytes that are not compressed follow it; they were ignored. */
  trailing: boolean;
}

const OUTPUT = 1 << 18;

/** The pieces of a source; a part of them can be put back. */
class Pieces {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #back: Uint8Array[] = [];

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  async next(): Promise<Uint8Array | undefined> {
    const back = this.#back.pop();
    if (back) return back;
    const next = await this.#iterator.next();
    return next.done ? undefined : next.value;
  }

  putBack(piece: Uint8Array): void {
    if (piece.length) this.#back.push(piece);
  }

  /** Takes so many bytes, or fewer if the source ends before. */
  async take(count: number): Promise<Buffer> {
    let head = Buffer.alloc(0);
    while (head.length < count) {
      const piece = await this.next();
      if (!piece) break;
      head = Buffer.concat([head, piece]);
    }
    this.putBack(head.subarray(count));
    return head.subarray(0, count);
  }

  /** Returns the same bytes but does not take them. */
  async peek(count: number): Promise<Buffer> {
    const head = await this.take(count);
    this.putBack(head);
    return head;
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    for (let piece = await this.next(); piece; piece = await this.next()) yield piece;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/**
 * The content of gzip, zstd or xz, which are recognised by their first bytes; any other input unchanged. Several compressed
 * members in a row are one content. `unpack` is the hint for a compression that cannot be read: a command line in which
 * COMMAND stands for the command that unpacks it.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  condition: Condition,
  unpack: string,
): AsyncGenerator<Uint8Array> {
  const pieces = new Pieces(source);
  try {
    const packing = packingOf(await pieces.peek(PACKING_BYTES));
    if (packing?.command !== undefined)
      throw new GkeprofError(
        EXIT.failed,
        `the input is compressed with ${packing.name}, which gkeprof cannot read`,
        `unpack it: ${unpack.replace('COMMAND', packing.command)}`,
      );
    if (!packing) yield* pieces.rest();
    else if (packing.name === 'gzip') yield* gunzip(pieces, condition);
    else if (packing.name === 'zstd') yield* unzstd(pieces, condition);
    else yield* unxz(pieces, condition, unpack);
  } finally {
    await pieces.close();
  }
}

const damaged = (reason: string): GkeprofError =>
  new GkeprofError(EXIT.failed, `the compressed input is damaged: ${printable(reason)}`);

/**
 * Reads the members of gzip one by one, because Node's own gunzip returns nothing of a member that is followed by other
 * bytes. gzip ignores these with a warning (RFC 1952, 2.2).
 */
async function* gunzip(pieces: Pieces, condition: Condition): AsyncGenerator<Uint8Array> {
  // Loaded on first use, because it takes 30 ms, which other commands need not spend.
  const { createInflateRaw, crc32 } = await import('node:zlib');
  for (let isFirst = true; ; isFirst = false) {
    const start = await pieces.peek(2);
    if (!isFirst && start.length === 0) return;
    if (!isFirst && !(start[0] === 0x1f && start[1] === 0x8b)) {
      condition.trailing = await isMoreThanZeros(pieces);
      return;
    }
    if (!(await skipHeader(pieces))) {
      condition.cut = true;
      return;
    }
    const inflate = createInflateRaw({ chunkSize: OUTPUT });
    let sum = 0;
    let size = 0;
    try {
      for await (const chunk of fed(inflate, pieces)) {
        sum = crc32(chunk, sum);
        size = (size + chunk.length) >>> 0;
        yield chunk;
      }
    } catch (error) {
      if (!isCut(error)) throw damaged(reasonOf(error));
      condition.cut = true;
      return;
    }
    const end = await pieces.take(8);
    if (end.length < 8) {
      condition.cut = true;
      return;
    }
    if (end.readUInt32LE(0) !== sum || end.readUInt32LE(4) !== size) throw damaged('incorrect data check');
  }
}

/** Whether other bytes than zeros follow. Zeros pad the last block of a tape or a device and need no warning. */
async function isMoreThanZeros(pieces: Pieces): Promise<boolean> {
  for await (const piece of pieces.rest()) if (piece.some((byte) => byte !== 0)) return true;
  return false;
}

/** Returns false if the header is incomplete. */
async function skipHeader(pieces: Pieces): Promise<boolean> {
  const fixed = await pieces.take(10);
  if (fixed.length < 10) return false;
  if (fixed[2] !== 8) throw damaged('unknown compression method');
  const flags = fixed[3]!;
  if (flags & 4) {
    const length = await pieces.take(2);
    if (length.length < 2) return false;
    const extra = length.readUInt16LE(0);
    if ((await pieces.take(extra)).length < extra) return false;
  }
  if (flags & 8 && !(await skipText(pieces))) return false;
  if (flags & 16 && !(await skipText(pieces))) return false;
  return !(flags & 2) || (await pieces.take(2)).length === 2;
}

/** Skips a name or a comment, which ends with a zero. */
async function skipText(pieces: Pieces): Promise<boolean> {
  for (let piece = await pieces.next(); piece; piece = await pieces.next()) {
    const end = piece.indexOf(0);
    if (end < 0) continue;
    pieces.putBack(piece.subarray(end + 1));
    return true;
  }
  return false;
}

/** Decompresses the pieces. Bytes after the end of the compressed data are put back. */
async function* fed(
  inflate: Transform & { readonly bytesWritten: number },
  pieces: Pieces,
): AsyncGenerator<Uint8Array> {
  /** The number of bytes that were written before the last piece, and that piece. */
  let before = 0;
  let last: Uint8Array = new Uint8Array(0);
  const feeding = (async () => {
    while (!inflate.readableEnded && !inflate.destroyed) {
      const piece = await pieces.next();
      if (!piece) {
        inflate.end();
        return;
      }
      before += last.length;
      last = piece;
      await new Promise<void>((resolve) => inflate.write(piece, () => resolve()));
      if (inflate.bytesWritten < before + last.length) return;
    }
  })();
  feeding.catch((error: Error) => inflate.destroy(error));
  yield* inflate as AsyncIterable<Uint8Array>;
  await feeding;
  pieces.putBack(last.subarray(Math.max(0, inflate.bytesWritten - before)));
}

const isCut = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR' || /unexpected end/i.test(reasonOf(error));

async function* unzstd(pieces: Pieces, condition: Condition): AsyncGenerator<Uint8Array> {
  const [{ createZstdDecompress }, { Readable }] = await Promise.all([
    import('node:zlib'),
    import('node:stream'),
  ]);
  const packed = Readable.from(pieces.rest());
  const inflate: Transform = createZstdDecompress({ chunkSize: OUTPUT });
  packed.on('error', (error) => inflate.destroy(error));
  try {
    yield* packed.pipe(inflate) as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (!isCut(error)) throw damaged(reasonOf(error));
    condition.cut = true;
  } finally {
    packed.destroy();
  }
}

/** Error codes of XZ Embedded (include/xz.h, enum xz_ret). */
const XZ = { options: 6, atEnd: 8 } as const;

/** Decompresses with XZ Embedded, which reads everything that xz writes except rare filters and SHA-256 checks. */
async function* unxz(pieces: Pieces, condition: Condition, unpack: string): AsyncGenerator<Uint8Array> {
  const [{ default: xz }, { ReadableStream }] = await Promise.all([
    import('xz-decompress'),
    import('node:stream/web'),
  ]);
  const packed = ReadableStream.from(pieces.rest());
  try {
    yield* new xz.XzReadableStream(
      packed as globalThis.ReadableStream<Uint8Array>,
    ) as AsyncIterable<Uint8Array>;
  } catch (error) {
    const code = Number(/error code (\d+)/.exec(reasonOf(error))?.[1]);
    if (code === XZ.atEnd) {
      condition.cut = true;
      return;
    }
    if (code === XZ.options)
      throw new GkeprofError(
        EXIT.failed,
        'the input is compressed by xz in a way that gkeprof cannot read',
        `unpack it: ${unpack.replace('COMMAND', 'xz -dc')}`,
      );
    throw damaged(Number.isNaN(code) ? reasonOf(error) : `xz reports error ${code}`);
  }
}
