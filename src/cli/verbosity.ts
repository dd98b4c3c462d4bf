import { usageError } from '../errors.ts';
import { parseCount } from '../text/quantity.ts';
import type { RawOptions } from './option-spec.ts';
import { isOutputFormat } from './output-option.ts';

/** How much a command prints on stderr. */
export interface Verbosity {
  /** 0, or the level of -v. */
  readonly level: number;
  /** Errors alone (--quiet). */
  readonly quiet: boolean;
  /** Warnings and errors alone: the result is for a program, and nobody asked for more with -v. */
  readonly warningsOnly: boolean;
}

export function verbosityOf(raw: RawOptions): Verbosity {
  const quiet = raw.flag('quiet');
  const level = parseCount(raw.text('verbose') ?? '0', '--verbose', 0, 10);
  if (quiet && level > 0) throw usageError('--quiet and -v cannot be used together', 'leave one of them out');
  const asked = [raw.text('output'), raw.knows('o') ? raw.text('o') : undefined];
  const isForPrograms = asked.some((text) => text !== undefined && isOutputFormat(text));
  return { level, quiet, warningsOnly: level === 0 && isForPrograms };
}
