import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import type { infer as Given, ZodObject } from 'zod';
import { usageError } from '../errors.ts';
import { recentFile } from '../files/recent-file.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { array, boolean, oneOf, string } from './sdk.ts';

const NAME = string()
  .regex(/^[a-z0-9][-a-z0-9.]*$/, 'must be a name of Kubernetes')
  .max(253);
/** On one line and without invisible characters: a person reads it on a terminal before approving. */
const TEXT = string().regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'must be one line without invisible characters');

const TARGET = /^(?!id\/)[a-z0-9][-a-zA-Z0-9./]*$/;
const TARGETS = 'pod/NAME, deploy/NAME, svc/NAME or node/NAME';

/** What a model may ask to record. */
export const RECORDING = {
  kind: oneOf(['flamegraph', 'pcap', 'waits']).describe('CPU samples, packets, or what threads wait for'),
  targets: array(string().regex(TARGET, `must be ${TARGETS}`).max(300))
    .min(1)
    .max(10)
    .describe(TARGETS),
  namespace: NAME.optional(),
  container: NAME.optional(),
  duration: string()
    .regex(/^[0-9][0-9a-z.]*$/, 'must be such as 10s or 2m')
    .max(20)
    .optional()
    .describe('Such as 10s or 2m; if left out, 60s, and 30s for waits'),
  filter: TEXT.max(1000).optional().describe('pcap: a filter of tcpdump, such as "port 6379"'),
  offCpu: boolean().optional().describe('flamegraph: what threads wait for, in place of what runs'),
  reason: TEXT.max(500).optional().describe('For the audit log'),
};
export type RecordingArguments = Given<ZodObject<typeof RECORDING>>;

/** The command line of a recording. Each value is one word with its flag, so that it can never be taken for another flag. */
export function recordingLine(given: RecordingArguments, flags: readonly string[]): string[] {
  const { kind, targets, offCpu, ...valued } = given;
  if (valued.filter !== undefined && kind !== 'pcap') throw usageError('filter is for packets (pcap) only');
  if (offCpu && kind !== 'flamegraph') throw usageError('offCpu is for a flamegraph only');
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

/** How a kind of file is read: the endings of such files, what they contain, and the verb that reads one. */
const READERS = {
  profile: [['.perf-script.txt.gz'], 'raw stacks', 'render'],
  waits: [['.waits.txt.gz'], 'waits', 'render'],
  packets: [['.pcap.gz', '.pcapng.gz', '.pcap', '.pcapng'], 'packets', 'analyze'],
  receipt: [['.receipt.json'], 'a receipt', 'verify'],
} as const;

export type ResultKind = keyof typeof READERS;
export const RESULT_KINDS = Object.keys(READERS) as [ResultKind, ...ResultKind[]];

/** The command line that reads a result. Throws for a file outside of the folder: a model reads only what was recorded there. */
export async function readingLine(kind: ResultKind, file: string, folder: string): Promise<string[]> {
  const [endings, what, verb] = READERS[kind];
  const root = await realpath(folder).catch(() => undefined);
  if (!root) throw usageError('nothing was recorded yet: the folder of the server (--output-dir) is missing');
  const named = await recentFile(file, folder, endings, what);
  const path = await realpath(named === file ? resolve(folder, file) : named).catch(() => undefined);
  const inside = path && relative(root, path);
  if (!path || !inside || inside.startsWith('..') || isAbsolute(inside))
    throw usageError('there is no such file in the folder of the server (--output-dir)');
  if (!endings.some((ending) => path.endsWith(ending)))
    throw usageError(`a file with ${what} ends in ${endings.join(' or ')}`);
  return [verb, path, '-o', 'json', '--quiet'];
}
