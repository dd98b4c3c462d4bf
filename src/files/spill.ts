import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Spill } from '../packets/record-list.ts';

/** Kept in memory; what is beyond goes to disk. */
const IN_MEMORY = 4 << 20;
const PIECE = 1 << 20;

/** A list that does not grow in memory: a file without a name, gone with the process. */
export class FileSpill implements Spill {
  #parts: Uint8Array[] = [];
  #size = 0;
  #file: number | undefined;
  #written = 0;
  /** A multiple of what is appended, so that pieces hold whole records. */
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

  /** Lets go of the file. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#parts = [];
  }

  #toDisk(): number {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-'));
    const file = openSync(join(folder, 'list'), 'wx+', 0o600);
    // Without a name: nothing is left behind, however this ends. Windows keeps the folder until the file is closed.
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
