import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { VERBOSE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { recentFile } from '../files/recent-file.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { sha256 } from '../report/files.ts';
import { RECEIPT_ENDING, type Receipt } from '../session/receipt.ts';
import { printable } from '../text/printable.ts';

interface VerifyOptions {
  readonly receipts: readonly string[];
  readonly format: OutputFormat;
}

/** Whether an artifact has changed since its receipt was written. */
export interface FileVerdict {
  readonly receipt: string;
  readonly path: string;
  readonly status: 'same' | 'changed' | 'missing';
  /** Size and SHA-256 in the receipt, and of the file, which may be missing. */
  readonly expected: { readonly bytes: number; readonly sha256: string };
  readonly found?: { readonly bytes: number; readonly sha256: string };
}

const OPTIONS: OptionTable = { output: outputOption('the files that have not changed'), ...VERBOSE };

export const verify: Command<VerifyOptions> = {
  name: 'verify',
  describe: 'Check captured files against their receipts. Needs no cluster',
  details: [
    'A receipt is written beside each captured file. It contains the size and SHA-256 that the node announced after the capture; the file is compared with them. The exit code is 0 if all files are the same, and 1 if one has changed or is missing.',
  ],
  usage: 'RECEIPT…|@last [flags]',
  args: { noun: 'receipt', min: 1 },
  examples: [
    ['kubectl gkeprof verify @last', 'Check the newest receipt in this folder'],
    ['kubectl gkeprof verify *.receipt.json', 'Check all receipts in this folder'],
  ],
  options: OPTIONS,
  completion: ['file'],
  repeats: true,

  validate(raw) {
    return { receipts: raw.positionals, format: outputFormatOf(raw) };
  },

  async run({ receipts, format }, context) {
    const verdicts: FileVerdict[] = [];
    for (const name of receipts)
      verdicts.push(await verdictOn(await recentFile(name, '.', [RECEIPT_ENDING], 'receipts')));
    const isWhole = verdicts.every(({ status }) => status === 'same');
    await printResult(
      context,
      format,
      () => ({ kind: 'Verification', version: 1, artifacts: verdicts }),
      verdicts.filter(({ status }) => status === 'same').map(({ path }) => path),
      () => verdictTable(verdicts),
    );
    return isWhole ? EXIT.done : EXIT.failed;
  },
};

async function verdictOn(path: string): Promise<FileVerdict> {
  const { artifact } = await readReceipt(path);
  // Only the name counts, because a receipt may have been moved together with its artifact. It cannot name another folder.
  const file = join(dirname(path), artifact.file.split(/[\\/]/).at(-1)!);
  const expected = { bytes: artifact.bytes, sha256: artifact.sha256 };
  const about = await stat(file).catch(() => undefined);
  if (!about?.isFile()) return { receipt: path, path: file, status: 'missing', expected };
  const found = { bytes: about.size, sha256: await sha256(file) };
  const isSame = found.bytes === expected.bytes && found.sha256 === expected.sha256;
  return { receipt: path, path: file, status: isSame ? 'same' : 'changed', expected, found };
}

async function readReceipt(path: string): Promise<Receipt> {
  let receipt: Partial<Receipt> | null;
  try {
    receipt = JSON.parse(await readFile(path, 'utf8')) as Partial<Receipt> | null;
  } catch (error) {
    const isJson = error instanceof SyntaxError;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new GkeprofError(
        EXIT.failed,
        `cannot read ${printable(path)}: no such file`,
        `receipts end in ${RECEIPT_ENDING}, beside their files`,
      );
    throw notAReceipt(path, isJson ? 'it is not JSON' : reasonOf(error));
  }
  if (receipt?.receiptVersion !== 1) throw notAReceipt(path, 'its receiptVersion is not 1');
  const { file, bytes, sha256: sum } = receipt.artifact ?? {};
  if (typeof file !== 'string' || typeof bytes !== 'number' || typeof sum !== 'string')
    throw notAReceipt(path, 'it does not name an artifact');
  return receipt as Receipt;
}

const notAReceipt = (path: string, why: string): GkeprofError =>
  new GkeprofError(
    EXIT.failed,
    `cannot read ${printable(path)} as a receipt: ${printable(why)}`,
    `a receipt ends in ${RECEIPT_ENDING} and is in the folder of its artifact`,
  );

const verdictTable = (verdicts: readonly FileVerdict[]): string =>
  table(
    [{ title: 'STATUS' }, { title: 'BYTES', right: true }, { title: 'SHA-256' }, { title: 'FILE' }],
    verdicts.flatMap(({ status, path, expected, found }) => [
      [status, String((found ?? expected).bytes), (found ?? expected).sha256, path],
      ...(status === 'changed' ? [['  was', String(expected.bytes), expected.sha256, '']] : []),
    ]),
  );
