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
  readonly perRun?: true;
  /** Taken, but not shown: one of the many flags that all of kubectl's commands have. */
  readonly unlisted?: true;
  /** What its value names, for completion. */
  readonly completes?: Completes;
  /** For completion: words that its value is made of, with commas between. */
  readonly words?: readonly string[];
  /** A string that may stand without its value, which is this then; repeated (`-vv`) it counts on. */
  readonly bare?: number;
}

/** Kinds of things that can be completed. */
export type Completes =
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
