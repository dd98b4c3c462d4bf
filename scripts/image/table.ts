import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipBytes } from './archive.ts';
import type { Contents } from './contents.ts';

/** What a node may have to pull at most, in bytes. */
export const COMPRESSED_LIMIT = 60e6;

/** A line of the table: a package or a Go program, or what the build makes. */
export interface Row {
  readonly name: string;
  readonly version: string;
  readonly bytes: number;
  /** Its files alone, compressed one behind the other. */
  readonly compressedBytes: number;
}

/** How large everything in the image is, the largest first. */
export async function rowsOf(root: string, { packages, programs, files }: Contents): Promise<Row[]> {
  const versions = new Map([...packages, ...programs].map(({ name, version }) => [name, version]));
  const rows: Row[] = [];
  for (const [name, owned] of files) {
    const paths = owned.map((path) => join(root, path));
    let bytes = 0;
    for (const path of paths) bytes += (await stat(path)).size;
    rows.push({ name, version: versions.get(name) ?? '', bytes, compressedBytes: await gzipBytes(paths) });
  }
  return rows.sort((a, b) => b.compressedBytes - a.compressedBytes || (a.name < b.name ? -1 : 1));
}

/** The first `most` rows as a table of Markdown, and the others together. */
export function tableOf(rows: readonly Row[], most = Number.POSITIVE_INFINITY): string {
  const small = rows.slice(most);
  const rest = small.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0);
  const restBytes = small.reduce((sum, { bytes }) => sum + bytes, 0);
  const lines = rows.slice(0, most).map(line);
  if (small.length > 0)
    lines.push(
      line({ name: `${small.length} smaller ones`, version: '', bytes: restBytes, compressedBytes: rest }),
    );
  return [
    '| package or program | version | MB | MB compressed |',
    '| --- | --- | ---: | ---: |',
    ...lines,
    '',
  ].join('\n');
}

const line = ({ name, version, bytes, compressedBytes }: Row): string =>
  `| ${name.includes(' ') ? name : `\`${name}\``} | ${version} | ${megabytes(bytes)} | ${megabytes(compressedBytes)} |`;

/** Bytes in millions, as registries show them. */
export const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
