/** A flag as data. Everything is text or a switch: what a text means is decided in `validate`, with our words. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean' | 'array';
  readonly describe: string;
  readonly group: string;
  readonly alias?: string;
  /** Shown in help; `validate` applies it. */
  readonly defaultText?: string;
  readonly choices?: readonly string[];
  /** The placeholder of its value in help. */
  readonly value?: string;
  /** Names something of one run: neither the environment nor the configuration file speaks for it. */
  readonly notPresettable?: true;
  /** Taken, but not shown: one of the many flags that all of kubectl's commands have. */
  readonly unlisted?: true;
  /** What its value names, for completion. */
  readonly completion?: CompletionKind;
  /** For completion: words that its value is made of, with commas between. */
  readonly words?: readonly string[];
  /**
   * A string whose value may be omitted, and is this then. A number counts on when the flag is repeated (`-vv`); with
   * text, one of `choices` in the next word is the value (`--dry-run client`).
   */
  readonly valueIfOmitted?: number | string;
}

/** Kinds of things that can be completed. */
export type CompletionKind =
  | 'target'
  | 'node'
  | 'node-target'
  | 'container'
  | 'namespace'
  | 'context'
  | 'cluster'
  | 'user'
  | 'file'
  | 'folder'
  | 'capture'
  | 'profile';
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** What the command line gave, and where it is silent the environment or the configuration file; not yet understood. */
export interface RawOptions {
  readonly positionals: readonly string[];
  /** Words after `--`. */
  readonly rest: readonly string[];
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** Whether the command has this flag. */
  knows(name: string): boolean;
  /** On the command line itself. */
  isTyped(name: string): boolean;
  /** The variable or the place in the file that set it; undefined where it is typed or not set. */
  origin(name: string): string | undefined;
}

/** A command as far as its flags are concerned. */
export interface FlagOwner {
  readonly name: string;
  readonly options: OptionTable;
  readonly hidden?: true;
}
