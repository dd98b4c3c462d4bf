import { type AssetName, asset } from '../assets.ts';
import type { NodeWork } from './collector.ts';
import { COLLECTORS } from './index.ts';

/**
 * Kubernetes expands `$(VAR)` and turns `$$` into `$` in command and args (core/v1 Container docs), so every
 * `$` is doubled: then the node gets the text as it is written.
 */
export const literal = (text: string): string => text.replaceAll('$', '$$$$');

/**
 * A text of the node as it is sent: without the comments that have a line of their own, and without indentation. kubectl reads
 * the pod before each exec and each copy, and this is a third of it. The lines stay, empty where a comment was, so that a line
 * number in a message of bash or perl leads to the same line in the files here. Text in which leading blanks or a leading `#`
 * mean something must not begin a line of a script: test/node/protocol.test.ts compares what bash understands.
 */
const withoutComments = (text: string): string => text.replaceAll(/^[ \t]*#.*|^[ \t]+/gm, '');

/** What is sent of a file of the source tree. */
const sent = (name: AssetName): string => withoutComments(asset(name));

/** What all collectors share; the collectors' own parts stand between it and the life of the script. */
const SHARED = [
  'node/protocol.sh',
  'node/memory.sh',
  'node/arguments.sh',
  'node/identity.sh',
  'node/cpu.sh',
  'node/runtime.sh',
] as const;
const LIFE = 'node/capture.sh';

/**
 * The parts of the capture container's script: what all share, the shell halves of these collectors, and the life of the
 * script. A pod gets the half of its own collector alone: kubectl reads the pod before each exec and each copy, and on a slow
 * line the halves of all would take minutes each time (the pod had 186 KB with them).
 */
export function scriptParts(
  collectors: readonly NodeWork[],
  read: (name: AssetName) => string = sent,
): readonly [shared: string, own: string, life: string] {
  const own = [...new Set(collectors.flatMap(({ scripts }) => scripts))].map((name) => `${read(name)}\n`);
  // The programs are the first words behind the script (captureCommand); then come the words of the plan.
  const programs = collectors.flatMap(({ name, program }) =>
    program ? [`readonly ${name}_program=$1\nshift\n\n`] : [],
  );
  return [SHARED.map((name) => `${read(name)}\n`).join(''), [...own, ...programs].join(''), read(LIFE)];
}

/**
 * The text of the script with these collectors: a constant of the release, whatever the plan says. The release's grammar
 * is read from the script with all of them. Tests give other collectors, and read their shell halves from elsewhere; shellcheck
 * reads the files as they are.
 */
export const captureScript = (
  collectors: readonly NodeWork[] = COLLECTORS,
  read: (name: AssetName) => string = sent,
): string => scriptParts(collectors, read).join('');

/** The texts of the collectors' programs, in the order of the table. */
export const capturePrograms = (collectors: readonly NodeWork[] = COLLECTORS): string[] =>
  collectors.flatMap(({ program }) => (program ? [program.map(sent).join('')] : []));

/** `command` of the capture container: byte for byte the same for every plan of a collector; the plan travels in `args`. */
export const captureCommand = (collector: NodeWork): string[] => [
  '/bin/bash',
  '-c',
  literal(captureScript([collector])),
  'gkeprof-capture',
  ...capturePrograms([collector]).map(literal),
];

/** `command` of the files container: likewise a constant. */
export const filesCommand = (): string[] => [
  '/bin/bash',
  '-c',
  literal(sent('node/files.sh')),
  'gkeprof-files',
];
