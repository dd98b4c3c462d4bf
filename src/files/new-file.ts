import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EXIT, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { temporaryFolder } from './temporary-folder.ts';

const BUFFER = 1 << 20;

/** What happens if the file exists: another name is used, the name is refused, or the file is overwritten. */
export type IfThere = 'number' | 'refuse' | 'replace';

/**
 * A file that is written from its beginning, whole or not at all: it gets its name when it is closed. Until then it is in a
 * temporary folder beside that name, which a later command removes if this one is killed. Mode 0600.
 */
export class NewFile {
  readonly #wanted: string;
  readonly #ifThere: IfThere;
  readonly #file: number;
  /** Undefined for a device, which is written to at once. */
  readonly #folder: string | undefined;
  readonly #buffer = Buffer.allocUnsafe(BUFFER);
  #path: string;
  #held = 0;
  #isWhole = false;

  /** If the file exists, a generated name gets a number; a name that the user chose is refused, or the file is replaced. */
  constructor(wanted: string, ifThere: IfThere = 'number') {
    this.#wanted = wanted;
    this.#ifThere = ifThere;
    let folder: string | undefined;
    try {
      if (ifThere !== 'number') checkNamedFile(wanted, ifThere);
      const isReplaced = ifThere === 'replace' && statSync(wanted, { throwIfNoEntry: false })?.isFile();
      this.#path = isReplaced ? realpathSync(wanted) : wanted;
      if (ifThere !== 'number' && isDevice(wanted)) {
        this.#file = openSync(wanted, 'a');
        return;
      }
      folder = temporaryFolder(dirname(this.#path));
      this.#folder = folder;
      this.#file = openSync(this.#part, 'wx', 0o600);
    } catch (error) {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      throw notWritable(wanted, error);
    }
  }

  /** Where the file is; for a name that gets a number, as soon as it is closed. */
  get path(): string {
    return this.#path;
  }

  get #part(): string {
    return join(this.#folder!, 'part');
  }

  /** Copies the bytes, so the caller may reuse their buffer. */
  write(bytes: Uint8Array): void {
    if (this.#held + bytes.length > BUFFER) this.#flush();
    if (bytes.length > BUFFER) {
      writeAllSync(this.#file, bytes);
      return;
    }
    this.#buffer.set(bytes, this.#held);
    this.#held += bytes.length;
  }

  /** Gives the file its name. Rejects if it was named by the user and is there by now. */
  close(): void {
    this.#flush();
    closeSync(this.#file);
    this.#isWhole = true;
    if (this.#folder === undefined) return;
    try {
      this.#appear();
    } catch (error) {
      throw notWritable(this.#wanted, error);
    } finally {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** Removes the file instead of closing it, because it is incomplete. */
  discard(): void {
    if (this.#isWhole) return;
    closeSync(this.#file);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #appear(): void {
    if (this.#ifThere === 'replace') {
      renameSync(this.#part, this.#path);
      return;
    }
    for (let number = 1; ; number += 1) {
      this.#path = number === 1 ? this.#wanted : numbered(this.#wanted, number);
      if (linkNew(this.#part, this.#path)) return;
      if (this.#ifThere === 'refuse') throw existsError(this.#wanted);
    }
  }

  #flush(): void {
    writeAllSync(this.#file, this.#buffer.subarray(0, this.#held));
    this.#held = 0;
  }
}

/** A file that the shell or the process itself has open; it is appended to, even if it is a regular file. */
const OPEN_ALREADY = /^\/(?:dev\/(?:stdout|stderr|fd\/\d+)|proc\/(?:self|\d+)\/fd\/\d+)$/;

const isDevice = (path: string): boolean =>
  OPEN_ALREADY.test(path) || statSync(path, { throwIfNoEntry: false })?.isFile() === false;

/**
 * Refuses a name that the user chose if it cannot be written, or if the file exists and must not be replaced. This is
 * checked before anything is done. A device or a pipe may be written to.
 */
export function checkNamedFile(path: string, ifThere: Exclude<IfThere, 'number'>): void {
  try {
    checkPlace(path, ifThere);
  } catch (error) {
    throw notWritable(path, error);
  }
}

function checkPlace(path: string, ifThere: Exclude<IfThere, 'number'>): void {
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  const name = printable(path);
  if (!folder)
    throw usageError(
      `cannot write ${name}: there is no folder ${printable(dirname(path))}`,
      `make it first: mkdir -p ${shellQuote(dirname(path))}`,
    );
  if (!folder.isDirectory())
    throw usageError(
      `cannot write ${name}: ${printable(dirname(path))} is not a folder`,
      'name another file',
    );
  const there = statSync(path, { throwIfNoEntry: false });
  if (!there && path.endsWith('/'))
    throw usageError(
      `cannot write ${name}: there is no folder ${printable(path.replace(/\/+$/, ''))}`,
      'name a file; --output-dir names a folder',
    );
  if (there?.isDirectory())
    throw usageError(
      `cannot write ${name}: it is a folder`,
      `name a file in it: ${printable(join(path, 'NAME'))}`,
    );
  if (there && !isDevice(path) && ifThere === 'refuse') throw existsError(path);
}

/** Gives a file one more name. False if another file has that name. */
function linkNew(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
  }
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL); // A file system without hard links.
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const existsError = (path: string): GkeprofError =>
  usageError(`${printable(path)} exists already`, '--force overwrites it');

/** A missing or read-only folder is not a bug. A full disk is reported by the caller, who knows what to do. */
function notWritable(path: string, error: unknown): unknown {
  if (error instanceof GkeprofError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || /^(?:ENOSPC|EDQUOT|EFBIG|EROFS)$/.test(code)) return error;
  const reason =
    code === 'ENOENT' && !existsSync(dirname(path))
      ? `there is no folder ${printable(dirname(path))}`
      : printable(reasonOf(error));
  return new GkeprofError(EXIT.failed, `cannot write ${printable(path)}: ${reason}`, 'name another file');
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
