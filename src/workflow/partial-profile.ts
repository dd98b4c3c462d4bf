import { EXIT, GkeprofError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { makeReceipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/session.ts';
import { printable } from '../text/printable.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { CUT_TEXT } from './run-capture.ts';

/** What a profile ends with when nobody made stacks on the node, where the programs' names are. */
export async function partialProfileError(plan: Plan, result: SessionResult): Promise<GkeprofError> {
  const { path, base } = result.artifact;
  await writeReceipt(base, makeReceipt(plan, result, {}));
  return new GkeprofError(
    EXIT.incomplete,
    `${result.cut ? CUT_TEXT[result.cut] : 'the capture container died'}, and the names of functions are on the node: no flame graph; its raw samples are kept: ${path}`,
    // perf refuses the file of a newer one: "incompatible file format".
    `where the same programs are, with ${printable(result.toolVersion) || 'a perf'} or newer: perf script -i ${shellQuote(path)}`,
  );
}
