import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type AssetName, asset } from '../../src/assets.ts';
import { capturePrograms, captureScript } from '../../src/collectors/script.ts';
import { type NodeEvent, parseEvent } from '../../src/node/events.ts';

/** Runs a piece of bash with parts of the node's script loaded, and returns what it printed. */
export function runShell(parts: readonly AssetName[], script: string, argv: readonly string[] = []): string {
  // As node/protocol.sh says it of a pod with one recorder.
  const alone = 'recorders=1 at_once=1';
  const text = [alone, ...parts.map(asset), script].join('\n');
  return execFileSync('bash', ['-c', text, 'test', ...argv], {
    ...{ encoding: 'utf8', maxBuffer: 1 << 26 },
    // A script that hangs is a failure of its test. Vitest cannot end it, because it waits for the script itself.
    ...{ timeout: 300_000, killSignal: 'SIGKILL' },
  });
}

const NONCE = 'ab'.repeat(11);

/** What a run of the node's whole script left: its events, and the folder that its files are in. */
export interface Life {
  readonly out: string;
  readonly events: readonly NodeEvent[];
  /** What was printed besides events. */
  readonly rest: string;
}

/** What bash prints of a process that was killed, if it notices that between two commands, and not while it waits for the process. */
const KILLED = /^\S+: line \d+: +\d+ Killed .*\n?/gm;

/**
 * The node's script with a folder in place of the pod's scratch volume, as an argument of `bash -c`. `before` runs once the
 * arguments of a recorder were read; `text` is another script than the release's.
 */
export function scriptIn(folder: string, before = '', text: string = captureScript()): string {
  mkdirSync(join(folder, 'ctl'));
  return text
    .replace(/^scratch=.*\n.*scratch=.*$/m, `scratch=${folder}`)
    .replace('\nread_arguments "$@"\n', (line) => `${line}${before}\n`);
}

/** Runs the node's script from its start to its end in a folder, with one recorder. */
export function runLife(
  folder: string,
  argv: readonly string[],
  before = '',
  text: string = captureScript(),
): Life {
  const script = scriptIn(folder, before, text);
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', script, 'test', ...capturePrograms(), `nonce=${NONCE}`, ...argv, '--'],
    {
      ...{ encoding: 'utf8', maxBuffer: 1 << 26 },
      ...{ timeout: 300_000, killSignal: 'SIGKILL' },
    },
  );
  const lines = stdout.trimEnd().split('\n');
  const events = lines.flatMap((line) => parseEvent(line, NONCE) ?? []);
  const foreign = lines.filter((line) => !parseEvent(line, NONCE));
  return {
    out: join(folder, 'out'),
    events,
    rest: [...foreign, stderr.replaceAll(KILLED, '')].join('\n').trim(),
  };
}
