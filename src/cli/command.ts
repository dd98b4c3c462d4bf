import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterNames } from '../cluster/completion-names.ts';
import type { Connection } from '../cluster/connection.ts';
import type { ExitCode } from '../errors.ts';
import type { Interrupts } from '../interrupts.ts';
import type { Log } from '../output/log.ts';
import type { ByteSource } from '../output/stream.ts';
import type { SafeSink } from '../output/terminal-text.ts';
import type { Config } from './config/parse.ts';
import type { CompletionKind, OptionTable, RawOptions } from './option-spec.ts';

/** What a command may touch. Nothing in src/ reaches for a global. */
export interface Context {
  readonly stdin: ByteSource;
  /** On a terminal everything that is written becomes printable, unless it is written to `raw`. */
  readonly stdout: SafeSink;
  readonly stderr: SafeSink;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly interrupts: Interrupts;
  readonly openCluster: (connection: Connection) => Promise<Cluster>;
  /** For completion: within so many milliseconds, and whatever fails is an empty list. */
  readonly names: (connection: Connection, boundMs: number) => Promise<ClusterNames>;
  readonly configuration: Configuration;
  /** The table of all commands, for those that tell about the others. */
  readonly commands: readonly AnyCommand[];
  /** Whether commands that are shown are for a shell of Windows. */
  readonly windows: boolean;
  /** Opens a file in the browser; why it could not, else undefined. */
  readonly open: (path: string) => Promise<string | undefined>;
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** The file that flags are preset in. */
export interface Configuration {
  /** Where it is looked for; undefined where there is no folder for such files. */
  readonly path: string | undefined;
  /** Undefined where there is none; throws a usage error for what is not understood. */
  readonly read: () => Promise<Config | undefined>;
}

/** The arguments of a command: what follows its name and is not a flag. */
export interface Arguments {
  /** What one of them is called in messages, in the singular. */
  readonly noun: string;
  readonly min: number;
  /** Any number of them, where this is absent. */
  readonly max?: number;
  /**
   * Whether arguments after `--` are taken. `inline`: they belong to a program that runs on the node, and `--` may be
   * left out as long as they contain no flags.
   */
  readonly rest?: 'separate' | 'inline';
  /** The hint if there are too many. */
  readonly tooMany?: string;
}

/**
 * A verb as a value. `validate` understands the command line without touching anything but local folders and
 * throws usage errors; `run` acts and returns the exit code.
 */
export interface Command<Options> {
  readonly name: string;
  readonly describe: string;
  /** More of it, in paragraphs; those that begin with a space stay as they are. */
  readonly details?: readonly string[];
  /** Behind the name in the usage line. */
  readonly usage: string;
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>;
  /** What follows the name besides flags; nothing, if absent. */
  readonly args?: Arguments;
  readonly options: OptionTable;
  /** What its words name, for completion, in their order; the last one also stands for all that follow with `repeats`. */
  readonly completion?: readonly CompletionKind[];
  readonly repeats?: true;
  /** For completion: what the first word may be, and the first behind `--`. */
  readonly subcommands?: readonly string[];
  readonly restWords?: readonly string[];
  /** Not in the help: for programs. */
  readonly hidden?: true;
  /** The exit code of its own failures, where every other one is that of what it ran. */
  readonly failureCode?: ExitCode;
  validate(raw: RawOptions): Options;
  run(options: Options, context: Context): Promise<number>;
}

// biome-ignore lint/suspicious/noExplicitAny: the table holds commands of every kind; each keeps its own type inside.
export type AnyCommand = Command<any>;
