import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Spill } from '../packets/record-list.ts';

/** In bytes: a longer list is written to disk. */
const IN_MEMORY = 4 << 20;
const PIECE = 1 << 20;

/** A list that is moved to disk when it grows: to a file without a name, which disappears with the process. */
export class FileSpill implements Spill {
  #parts: Uint8Array[] = [];
  #size = 0;
  #file: number | undefined;
  #written = 0;
  /** In bytes: the size of what is appended. Pieces are a multiple of it, so that they contain whole records. */
  #unit = 1;

  append(bytes: Uint8Array): void {
    this.#unit = bytes.length;
    if (this.#file === undefined && this.#size + bytes.length <= IN_MEMORY) {
      this.#parts.push(new Uint8Array(bytes));
      this.#size += bytes.length;
      return;
    }
    this.#file ??= this.#toDisk();
    this.#write(bytes);
  }

  *pieces(): Generator<Uint8Array> {
    if (this.#file === undefined) {
      yield* this.#parts;
      return;
    }
    const piece = Buffer.alloc(Math.max(1, Math.floor(PIECE / this.#unit)) * this.#unit);
    for (let at = 0; at < this.#written; ) {
      const read = readSync(this.#file, piece, 0, Math.min(piece.length, this.#written - at), at);
      yield piece.subarray(0, read);
      at += read;
    }
  }

  /** Closes the file, which removes it. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#parts = [];
  }

  #toDisk(): number {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-'));
    const file = openSync(join(folder, 'list'), 'wx+', 0o600);
    // The name is removed at once, so nothing is left behind however the process ends. Windows keeps it until the file is closed.
    rmSync(folder, { recursive: true, force: true, maxRetries: 0 });
    this.#file = file;
    for (const part of this.#parts) this.#write(part);
    this.#parts = [];
    return file;
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(this.#file!, bytes, at, bytes.length - at, this.#written);
      at += written;
      this.#written += written;
    }
  }
}
