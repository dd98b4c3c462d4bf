import { closeSync, openSync, rmSync, writeSync } from 'node:fs';

const BUFFER = 1 << 20;

/** A file that was not there before: `name.2` and so on where it was. Mode 0600. */
export class NewFile {
  readonly path: string;
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(BUFFER);
  #held = 0;
  #isWhole = false;

  constructor(wanted: string) {
    for (let number = 1; ; number += 1) {
      const path = number === 1 ? wanted : numbered(wanted, number);
      try {
        this.#file = openSync(path, 'wx', 0o600);
        this.path = path;
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** Takes a copy. */
  write(bytes: Uint8Array): void {
    if (this.#held + bytes.length > BUFFER) this.#flush();
    if (bytes.length > BUFFER) {
      writeAllSync(this.#file, bytes);
      return;
    }
    this.#buffer.set(bytes, this.#held);
    this.#held += bytes.length;
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
    this.#isWhole = true;
  }

  /** Instead of `close`: what could not be written whole does not stay. */
  discard(): void {
    if (this.#isWhole) return;
    closeSync(this.#file);
    rmSync(this.path, { force: true });
  }

  #flush(): void {
    writeAllSync(this.#file, this.#buffer.subarray(0, this.#held));
    this.#held = 0;
  }
}

function writeAllSync(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** `a.flamegraph.2.svg`: the ending stays, so that a double click still opens it. */
export const numbered = (path: string, number: number): string => {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1
    ? `${path.slice(0, dot)}.${number}${path.slice(dot)}`
    : `${path}.${number}`;
};
