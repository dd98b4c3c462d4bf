import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterNames } from '../cluster/completion-names.ts';
import type { Connection } from '../cluster/connection.ts';
import type { ExitCode } from '../errors.ts';
import type { Interrupts } from '../interrupts.ts';
import type { Log } from '../output/log.ts';
import type { ByteSource } from '../output/stream.ts';
import type { SafeSink } from '../output/terminal-text.ts';
import type { Engine } from '../version.ts';
import type { Config } from './config/parse.ts';
import type { CompletionKind, OptionTable, RawOptions } from './option-spec.ts';

/** The outside world, as far as a command may use it. No module in src/ uses globals. */
export interface Context {
  readonly stdin: ByteSource;
  /** On a terminal, control characters are escaped, except in what is written to `raw`. */
  readonly stdout: SafeSink;
  readonly stderr: SafeSink;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly interrupts: Interrupts;
  readonly openCluster: (connection: Connection) => Promise<Cluster>;
  /** For completion: answers within `boundMs` milliseconds; a failure gives an empty list. */
  readonly names: (connection: Connection, boundMs: number) => Promise<ClusterNames>;
  /** The version of kubectl. Rejects if it is not installed, or does not answer within `boundMs` milliseconds. */
  readonly kubectlVersion: (boundMs: number) => Promise<string>;
  readonly engine: Engine;
  /** The words that start this program again: Node.js and the script, or the executable. */
  readonly self: readonly string[];
  /** Called by a command whose result is printed, though something that it started still waits, possibly for ever. */
  readonly leaveUnfinished: () => void;
  readonly configuration: Configuration;
  /** The table of all commands, for commands that describe the others. */
  readonly commands: readonly AnyCommand[];
  /** Whether printed command lines are written for a Windows shell. */
  readonly windows: boolean;
  /** Opens a file in the browser. Returns the reason if that fails. */
  readonly open: (path: string) => Promise<string | undefined>;
  readonly now: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

/** The file that presets flags. */
export interface Configuration {
  /** Its path; undefined if the user has no folder for configuration. */
  readonly path: string | undefined;
  /** Undefined if the file does not exist. Throws a usage error if its content is invalid. */
  readonly read: () => Promise<Config | undefined>;
}

/** The arguments of a command: what follows its name and is not a flag. */
export interface Arguments {
  /** What one of them is called in messages, in the singular. */
  readonly noun: string;
  readonly min: number;
  /** Absent if any number is allowed. */
  readonly max?: number;
  /**
   * Whether arguments after `--` are taken. `inline`: they belong to a program that runs on the node, and `--` may be
   * left out as long as they contain no flags.
   */
  readonly rest?: 'separate' | 'inline';
  /** The hint if there are too many, or an unknown flag that may be meant for the program on the node. */
  readonly tooMany?: string;
}

/**
 * A verb as a value. `validate` checks the command line, touches nothing but local folders and throws usage errors; `run` acts and returns the exit code.
 */
export interface Command<Options> {
  readonly name: string;
  readonly describe: string;
  /** Further paragraphs. A paragraph that begins with a space is not wrapped. */
  readonly details?: readonly string[];
  /** The part of the usage line after the name. */
  readonly usage: string;
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>;
  /** Absent if the command takes no arguments. */
  readonly args?: Arguments;
  readonly options: OptionTable;
  /** For completion: what each argument names, in order. With `repeats`, the last one also describes all that follow. */
  readonly completion?: readonly CompletionKind[];
  readonly repeats?: true;
  /** For completion: the choices for the first argument, and for the first one after `--`. */
  readonly subcommands?: readonly string[];
  readonly restWords?: readonly string[];
  /** Left out of the help, because programs call it. */
  readonly hidden?: true;
  /** The exit code of its own failures, for a command that otherwise passes on the exit code of what it ran. */
  readonly failureCode?: ExitCode;
  validate(raw: RawOptions): Options;
  run(options: Options, context: Context): Promise<number>;
}

// biome-ignore lint/suspicious/noExplicitAny: the table holds commands of every kind; each keeps its own type inside.
export type AnyCommand = Command<any>;
