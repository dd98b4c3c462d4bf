import { toolError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** A piece of a frame: its bytes as they come. */
export interface FramePiece {
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** The whole content, in the last piece of a frame that is not part of stdout or stderr. */
  readonly whole?: Uint8Array;
}

const STREAMS = 'oe';
const LONGEST_HEADER = 24;
/** Bytes of the longest frame that is not part of a stream: a command line or a status. */
const LONGEST_WHOLE = 2 ** 20;

/** Splits a stream into its frames: `KIND BYTES`, a line feed, the bytes. It does not matter where the chunks are cut. */
export class FrameReader {
  #header = '';
  #kind = '';
  #left = 0;
  #whole: Uint8Array[] = [];

  push(chunk: Uint8Array): FramePiece[] {
    const pieces: FramePiece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const end = chunk.indexOf(0x0a, at);
        const upTo = end < 0 ? chunk.length : end;
        this.#header += Buffer.from(chunk.subarray(at, Math.min(upTo, at + LONGEST_HEADER))).toString(
          'latin1',
        );
        at = upTo + 1;
        if (end < 0 && this.#header.length < LONGEST_HEADER) break;
        const [kind = '', bytes = ''] = this.#header.split(' ');
        const isFrame = /^[a-z]$/.test(kind) && /^\d{1,15}$/.test(bytes);
        if (!isFrame || (!STREAMS.includes(kind) && Number(bytes) > LONGEST_WHOLE))
          throw toolError(`the debug pod sent "${printable(this.#header)}", which is not a frame`);
        this.#header = '';
        this.#kind = kind;
        this.#left = Number(bytes);
        if (this.#left === 0) pieces.push({ kind, bytes: new Uint8Array(), whole: new Uint8Array() });
        continue;
      }
      const bytes = chunk.subarray(at, Math.min(chunk.length, at + this.#left));
      at += bytes.length;
      this.#left -= bytes.length;
      if (STREAMS.includes(this.#kind)) pieces.push({ kind: this.#kind, bytes });
      else {
        this.#whole.push(bytes);
        if (this.#left > 0) continue;
        pieces.push({ kind: this.#kind, bytes, whole: Buffer.concat(this.#whole) });
        this.#whole = [];
      }
    }
    return pieces;
  }
}
