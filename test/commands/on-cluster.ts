import type { Context } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { verbosityOf } from '../../src/cli/verbosity.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { safeSink } from '../../src/output/terminal-text.ts';
import type { FakeCluster } from '../fake-cluster.ts';
import { shortly } from '../session/scene.ts';

/** Runs a command line against a cluster in memory. */
export async function runOn(cluster: FakeCluster, words: readonly string[]) {
  let stdout = '';
  let stderr = '';
  const sink = (add: (text: string) => void) => ({
    write: (data: string | Uint8Array) => add(Buffer.from(data as string).toString()),
  });
  const err = sink((text) => {
    stderr += text;
  });
  const invocation = await parseCommandLine(words, COMMANDS, {
    env: { GKEPROF_IMAGE: 'tools:1' },
    readConfig: async () => undefined,
  });
  if (invocation.kind !== 'run') throw new Error('it printed');
  const context: Context = {
    stdin: (async function* () {})(),
    stdout: safeSink(
      sink((text) => {
        stdout += text;
      }),
    ),
    stderr: safeSink(err),
    log: new Log(err, verbosityOf(invocation.raw)),
    env: {},
    commands: [],
    names: async () => {
      throw new Error('not asked');
    },
    kubectlVersion: async () => 'v1.34.1',
    leaveUnfinished: () => {},
    configuration: { path: '', read: async () => undefined },
    windows: false,
    self: [],
    engine: { node: '26.10.0', platform: 'linux/x64' },
    open: async () => undefined,
    interrupts: new Interrupts(),
    openCluster: async () => cluster,
    now: () => 1_000_000_000,
    sleep: shortly,
  };
  const code = await invocation.command
    .run(invocation.command.validate(invocation.raw), context)
    .catch((error: GkeprofError) => {
      stderr += `error: ${error.message}\n`;
      return error.code;
    });
  return { code, stdout, stderr, calls: cluster.calls };
}
