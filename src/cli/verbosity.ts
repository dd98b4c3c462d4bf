import { usageError } from '../errors.ts';
import { parseCount } from '../text/quantity.ts';
import type { RawOptions } from './option-spec.ts';

/** How much is printed to stderr: `level` is that of -v; with `quiet` only errors are printed. */
export interface Verbosity {
  readonly level: number;
  readonly quiet: boolean;
}

export function verbosityOf(raw: RawOptions): Verbosity {
  const quiet = raw.flag('quiet');
  const level = parseCount(raw.text('verbose') ?? '0', '--verbose', 0, 10);
  if (quiet && level > 0) throw usageError('--quiet and -v cannot be used together', 'leave one of them out');
  return { level, quiet };
}
