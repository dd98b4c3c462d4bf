import { type AssetName, asset } from '../assets.ts';
import type { NodeWork } from './collector.ts';
import { COLLECTORS } from './index.ts';

/**
 * Kubernetes expands `$(VAR)` and turns `$$` into `$` in command and args (core/v1 Container docs), so every
 * `$` is doubled: then the node gets the text as it is written.
 */
export const literal = (text: string): string => text.replaceAll('$', '$$$$');

/** What all collectors share; the collectors' own parts stand between it and the life of the script. */
const SHARED = [
  'node/protocol.sh',
  'node/arguments.sh',
  'node/identity.sh',
  'node/cpu.sh',
  'node/runtime.sh',
] as const;
const LIFE = 'node/capture.sh';

/**
 * The text of the capture container's script: made from the table of collectors, so it is a constant of the release,
 * whatever the plan says. Tests give other collectors, and read their shell halves from elsewhere.
 */
export function captureScript(
  collectors: readonly NodeWork[] = COLLECTORS,
  read: (name: AssetName) => string = asset,
): string {
  const parts: AssetName[] = [...SHARED, ...new Set(collectors.flatMap(({ scripts }) => scripts))];
  // The programs are the first words behind the script (captureCommand); then come the words of the plan.
  const programs = collectors.flatMap(({ name, program }) =>
    program ? [`readonly ${name}_program=$1\nshift\n`] : [],
  );
  return [...parts.map((name) => read(name)), ...programs, read(LIFE)].join('\n');
}

/** The texts of the collectors' programs, in the order of the table. */
export const capturePrograms = (collectors: readonly NodeWork[] = COLLECTORS): string[] =>
  collectors.flatMap(({ program }) => (program ? [program.map((part) => asset(part)).join('')] : []));

/** `command` of the capture container: byte for byte the same for every plan; the plan travels in `args`. */
export const captureCommand = (): string[] => [
  '/bin/bash',
  '-c',
  literal(captureScript()),
  'gkeprof-capture',
  ...capturePrograms().map(literal),
];

/** `command` of the files container: likewise a constant. */
export const filesCommand = (): string[] => [
  '/bin/bash',
  '-c',
  literal(asset('node/files.sh')),
  'gkeprof-files',
];

/** The scripts as they are sent, by container: an admission policy compares with these. */
export const sentScripts = (): { capture: string; files: string } => ({
  capture: literal(captureScript()),
  files: literal(asset('node/files.sh')),
});
