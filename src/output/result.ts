import { isForPrograms, type OutputFormat, rendered } from './format.ts';
import type { Log } from './log.ts';
import type { ByteSink } from './stream.ts';

/** Where a result is printed, and the log, whose live line is removed first. */
export interface ResultSinks {
  readonly stdout: ByteSink;
  readonly log: Log;
}

/**
 * Puts the result on stdout: as data in the format that was asked for, else as `text` makes it. `names` is what
 * `-o name` prints, one a line. Each is made only when it is wanted.
 */
export async function printResult(
  { stdout, log }: ResultSinks,
  format: OutputFormat,
  data: () => object,
  names: readonly string[],
  text: () => string,
): Promise<void> {
  log.end();
  stdout.write(isForPrograms(format) ? await rendered(format, data(), names) : text());
}
