import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { code, markdownTable } from './markdown.ts';

/** A file that a command made. */
export interface MadeFile {
  /** What it is: `flamegraph`, `stacks`, `packets`, `receipt` … */
  readonly role: string;
  readonly path: string;
  /** Its SHA-256, where it was computed already. */
  readonly sha256?: string;
}

/** The same file with what a result says about it. */
export interface DescribedFile extends MadeFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Adds the size and the SHA-256 of each file. All of a file is read for it, unless its SHA-256 is known. */
export const describeFiles = (files: readonly MadeFile[]): Promise<DescribedFile[]> =>
  Promise.all(
    files.map(async ({ role, path, sha256: known }) => ({
      role,
      path,
      bytes: (await stat(path)).size,
      sha256: known ?? (await sha256(path)),
    })),
  );

/** The SHA-256 of a file, in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** The files of a result as a table in Markdown. */
export const fileTable = (files: readonly DescribedFile[]): string =>
  markdownTable(
    [{ title: 'file' }, { title: 'bytes', right: true }, { title: 'SHA-256' }],
    files.map(({ path, bytes, sha256: sum }) => [code(path), String(bytes), code(sum)]),
  );
