import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { usageError } from '../errors.ts';
import { recentFile } from '../files/recent-file.ts';
import { shellQuote } from '../text/shell-quote.ts';

/** What a model may ask to record. */
export interface RecordingArguments {
  readonly kind: 'flamegraph' | 'pcap' | 'waits';
  readonly targets: readonly string[];
  readonly namespace?: string | undefined;
  readonly container?: string | undefined;
  readonly duration?: string | undefined;
  readonly filter?: string | undefined;
  readonly offCpu?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** The command line of a recording. Each value is one word with its flag, so that it can never be taken for another flag. */
export function recordingLine(given: RecordingArguments, flags: readonly string[]): string[] {
  const { kind, targets, namespace, container, duration, filter, offCpu, reason } = given;
  if (filter !== undefined && kind !== 'pcap') throw usageError('filter is for packets (pcap) only');
  if (offCpu && kind !== 'flamegraph') throw usageError('offCpu is for a flamegraph only');
  const valued = { namespace, container, duration, filter, reason };
  return [
    kind,
    ...targets,
    ...flags,
    ...Object.entries(valued).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...(offCpu ? ['--off-cpu'] : []),
  ];
}

/** What a person types to approve the recording. */
export const approveLine = (line: readonly string[]): string =>
  ['kubectl', 'gkeprof', ...line, '--approve'].map(shellQuote).join(' ');

/** How a kind of file is read: the endings of such files, what they contain, and the words that read one. */
const READERS = {
  profile: [['.perf-script.txt.gz'], 'raw stacks', ['render']],
  waits: [['.waits.txt.gz'], 'waits', ['render']],
  packets: [['.pcap.gz', '.pcapng.gz', '.pcap', '.pcapng'], 'packets', ['analyze']],
  receipt: [['.receipt.json'], 'a receipt', ['verify']],
} as const;

export type ResultKind = keyof typeof READERS;
export const RESULT_KINDS = Object.keys(READERS) as [ResultKind, ...ResultKind[]];

/** The command line that reads a result. Throws for a file outside of the folder: a model reads only what was recorded there. */
export async function readingLine(kind: ResultKind, file: string, folder: string): Promise<string[]> {
  const [endings, what, words] = READERS[kind];
  const named = await recentFile(file, folder, endings, what);
  const path = await realpath(named === file ? resolve(folder, file) : named).catch(() => undefined);
  const inside = path && relative(await realpath(folder), path);
  if (!path || !inside || inside.startsWith('..') || isAbsolute(inside))
    throw usageError('there is no such file in the folder of the server (--output-dir)');
  if (!endings.some((ending) => path.endsWith(ending)))
    throw usageError(`a file with ${what} ends in ${endings.join(' or ')}`);
  return [...words, path, '-o', 'json', '--quiet'];
}
