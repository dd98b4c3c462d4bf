import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { FoundFile } from '../faults/kills.ts';

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

const ARTIFACT = /^(.*)\.(?:pcap|pcap\.gz|perf-script\.txt\.gz|perf\.data)$/;

/** The files of a folder under final names, each after it was compared with its receipt, or else judged by its own format. */
export const finalFiles = (folder: string, others: readonly string[] = []): FoundFile[] =>
  readdirSync(folder)
    .filter((name) => !name.startsWith('.') && !others.includes(name))
    .map((name) => found(folder, name));

/** What is left of commands that did not get to tidy up. */
export const remainsIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('.'));

function found(folder: string, name: string): FoundFile {
  const path = join(folder, name);
  const base = ARTIFACT.exec(name)?.[1];
  try {
    if (base !== undefined) {
      const receipt = join(folder, `${base}.receipt.json`);
      if (!existsSync(receipt)) {
        if (name.endsWith('.gz')) gunzipSync(readFileSync(path));
        return { name, state: 'unreceipted' };
      }
      const { artifact } = JSON.parse(readFileSync(receipt, 'utf8'));
      return { name, state: artifact.file === name && artifact.sha256 === sha256(path) ? 'same' : 'broken' };
    }
    if (name.endsWith('.receipt.json')) {
      const { artifact } = JSON.parse(readFileSync(path, 'utf8'));
      return { name, state: existsSync(join(folder, artifact.file)) ? 'whole' : 'broken' };
    }
    const isPicture = name.endsWith('.svg') && readFileSync(path, 'utf8').trimEnd().endsWith('</svg>');
    return { name, state: isPicture ? 'whole' : 'broken' };
  } catch {
    return { name, state: 'broken' };
  }
}
