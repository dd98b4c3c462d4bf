import { asset } from '../assets.ts';

/**
 * Kubernetes expands `$(VAR)` and turns `$$` into `$` in command and args (core/v1 Container docs), so every
 * `$` is doubled: what arrives on the node is the text as written.
 */
export const literal = (text: string): string => text.replaceAll('$', '$$$$');

const PARTS = [
  'node/protocol.sh',
  'node/arguments.sh',
  'node/identity.sh',
  'collectors/perf/perf.sh',
  'collectors/tcpdump/tcpdump.sh',
  'collectors/snapshot/snapshot.sh',
  'collectors/command/command.sh',
  'node/capture.sh',
] as const;

/** The text of the capture container's script: a constant of the release, whatever the plan says. */
export const captureScript = (): string => PARTS.map(asset).join('\n');

/** `command` of the capture container: byte for byte the same for every plan; the plan travels in `args`. */
export const captureCommand = (): string[] => [
  '/bin/bash',
  '-c',
  literal(captureScript()),
  'gkeprof-capture',
];

/** `command` of the files container: likewise a constant. */
export const filesCommand = (): string[] => [
  '/bin/bash',
  '-c',
  literal(asset('node/files.sh')),
  'gkeprof-files',
];

/** The scripts as they are sent, by container: what an admission policy compares with. */
export const sentScripts = (): { capture: string; files: string } => ({
  capture: literal(captureScript()),
  files: literal(asset('node/files.sh')),
});
