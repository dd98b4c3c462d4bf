import type { Cluster } from '../cluster/cluster.ts';
import type { Connection } from '../cluster/connect.ts';
import type { ExitCode } from '../errors.ts';
import type { Interrupts } from '../interrupts.ts';
import type { OptionTable, RawOptions } from '../options.ts';
import type { Log } from '../output/log.ts';
import type { ByteSink, ByteSource } from '../output/stream.ts';

/** What a command may touch. Nothing in src/ reaches for a global. */
export interface Context {
  readonly stdin: ByteSource;
  readonly stdout: ByteSink;
  readonly stderr: ByteSink;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly interrupts: Interrupts;
  readonly openCluster: (connection: Connection) => Promise<Cluster>;
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/**
 * A verb as a value. `validate` understands the command line without touching anything but local folders and
 * throws usage errors; `run` acts and returns the exit code.
 */
export interface Command<Options> {
  readonly name: string;
  readonly describe: string;
  /** Behind the name in the usage line. */
  readonly usage: string;
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>;
  readonly options: OptionTable;
  /** The exit code of its own failures, where every other one is that of what it ran. */
  readonly failureCode?: ExitCode;
  validate(raw: RawOptions): Options;
  run(options: Options, context: Context): Promise<number>;
}

// biome-ignore lint/suspicious/noExplicitAny: the table holds commands of every kind; each keeps its own type inside.
export type AnyCommand = Command<any>;
