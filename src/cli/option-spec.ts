/** A flag as data. Its value is text or a switch; `validate` of the command interprets the text. */
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
  /** Specific to one run: neither the environment nor the configuration file can preset it. */
  readonly notPresettable?: true;
  /** Accepted, but left out of the help of the command. */
  readonly unlisted?: true;
  /** What its value names, for completion. */
  readonly completion?: CompletionKind;
  /** For completion: the words that its value consists of, separated by commas. */
  readonly words?: readonly string[];
  /** For completion: values that it can have, if others are accepted too. */
  readonly suggestions?: readonly string[];
  /**
   * The value of a string flag if it is omitted. A number is added up when the flag is repeated (`-vv`). With text, the
   * next word is the value only if it is one of `choices` (`--dry-run client`).
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

/** The values from the command line, else from the environment or the configuration file; not yet interpreted. */
export interface RawOptions {
  readonly positionals: readonly string[];
  /** Words after `--`. */
  readonly rest: readonly string[];
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** Whether the command has this flag. */
  knows(name: string): boolean;
  /** Whether the flag was given on the command line itself. */
  isTyped(name: string): boolean;
  /** The variable or the place in the file that preset it; undefined if it was typed or is not set. */
  origin(name: string): string | undefined;
}

/** What the flags of a command depend on. */
export interface FlagOwner {
  readonly name: string;
  readonly options: OptionTable;
  readonly hidden?: true;
}
