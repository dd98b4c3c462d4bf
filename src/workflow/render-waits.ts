import type { Context } from '../cli/command.ts';
import { openResult } from '../cli/result-options.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { printResult } from '../output/result.ts';
import { describeFiles } from '../report/files.ts';
import { waitsData, waitsFileMarkdown } from '../report/waits.ts';
import { receiptBeside } from '../session/receipt.ts';
import { waitsFacts } from '../waits/facts.ts';
import { inputName } from './capture-subject.ts';
import { baseFor } from './draw-profile.ts';
import {
  readWaitsFile,
  type WaitsChoice,
  waitsText,
  warnOfReading,
  writeWaitsPage,
} from './present-waits.ts';
import { type FoundNames, namesKept } from './wait-names.ts';

/** Whether a file has the name of a recording of waits. */
export const isWaitsName = (path: string): boolean => /\.waits\.txt(?:\.gz)?$/.test(path);

/**
 * Reads a recording of waits again: the same tables, and the page, with the names that the receipt beside it has kept. Returns the
 * exit code.
 */
export async function renderWaits(
  path: string,
  folder: string,
  { format, open }: WaitsChoice,
  context: Context,
): Promise<ExitCode> {
  const { log, stdout } = context;
  const waits = await readWaitsFile(path, context);
  const receipt = await receiptBeside(path);
  const kept = receipt?.findings.names as Partial<FoundNames> | undefined;
  const facts = waitsFacts(waits, namesKept(kept, receipt?.plan.targets[0]));
  const isEmpty = facts.groups.length === 0;
  const page = isEmpty ? undefined : await writeWaitsPage(path, baseFor(path, folder), waits, facts);
  warnOfReading(facts, '', context);
  if (format.kind === 'text')
    stdout.write(`${waitsText(facts)}${page === undefined ? '' : `Page: ${page}\n`}`);
  else {
    const files = await describeFiles(page === undefined ? [] : [{ role: 'page', path: page }]);
    await printResult(
      context,
      format,
      () => ({ kind: 'WaitsReport', version: 1, input: path, waits: waitsData(facts), files }),
      files.map((file) => file.path),
      () => waitsFileMarkdown(inputName(path), facts),
    );
  }
  log.end();
  if (open) await openResult(page, context);
  return isEmpty ? EXIT.tool : EXIT.done;
}
