import { EXIT, GkeprofError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { makeReceipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/result.ts';
import { printable } from '../text/printable.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { CUT_TEXT } from './run-capture.ts';

/**
 * Keeps the raw samples of a profile, with a receipt, when the node could not turn them into stacks. Returns the error to
 * end with: there is no flame graph, because the program files that name the functions are on the node.
 */
export async function partialProfileError(plan: Plan, result: SessionResult): Promise<GkeprofError> {
  const { path, base } = result.artifact;
  await writeReceipt(base, makeReceipt(plan, result, {}));
  return new GkeprofError(
    EXIT.incomplete,
    `no flame graph, because ${result.cut ? CUT_TEXT[result.cut] : 'the capture container died'}, and only the node knows the names of functions; its raw samples are kept: ${path}${copiesText(result)}`,
    // perf refuses the file of a newer one: "incompatible file format".
    `on a machine with the same program files, with ${printable(result.toolVersion) || 'a perf'} or newer: perf script -i ${shellQuote(path)}`,
  );
}

/** perf wrote parts of stacks into the file, which may hold whatever the program had there. */
const copiesText = ({ stacks }: SessionResult): string =>
  stacks?.way === 'dwarf'
    ? ', with copies of the programs’ stacks: handle it like a core dump, because it may hold secrets'
    : '';
