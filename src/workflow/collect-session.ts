import type { Context } from '../cli/command.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { NodeTask, Plan } from '../plan/plan.ts';
import { captureFacts } from '../report/capture.ts';
import { type FailedTarget, failedTarget, failedText, podText } from '../report/failed-target.ts';
import { type DescribedFile, describeFiles } from '../report/files.ts';
import { makeReceipt, type Receipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/result.ts';
import type { Outcome } from '../session/session.ts';
import { formatBytes } from '../text/quantity.ts';
import { quoteFor } from '../text/shell-quote.ts';
import { objectsFor, waitsFindings } from './present-waits.ts';
import { AGAIN, endedText, missingText, sessionCode, warnOfTarget } from './run-capture.ts';
import type { ClusterObjects } from './wait-names.ts';

/** A recording that was collected, with its files. */
interface CollectedFile {
  readonly plan: Plan;
  readonly result: SessionResult;
  readonly receipt: Receipt;
  readonly files: readonly DescribedFile[];
}

/**
 * Writes the receipts of the recordings that were collected, and prints them. Warns of each recorder that has no file, and
 * rejects if none has one. Returns the exit code.
 */
export async function presentCollected(
  id: string,
  outcomes: readonly Outcome[],
  format: OutputFormat,
  cluster: Cluster,
  context: Context,
): Promise<ExitCode> {
  const failed = outcomes.filter((each) => 'error' in each);
  const results = outcomes.filter((each) => 'result' in each);
  if (results.length === 0) throw failed[0]!.error;
  const collected: CollectedFile[] = [];
  const waiting = results.filter(({ plan }) => plan.capture.collector === 'waits');
  const objects =
    waiting.length > 0
      ? await objectsFor(
          waiting.map(({ plan }) => plan),
          cluster,
          context,
        )
      : undefined;
  for (const each of results) collected.push(await withReceipt(each, objects, context));
  const failures = failed.map(({ plan, error }) => failedTarget(plan, error));
  await printResult(
    context,
    format,
    () => ({
      kind: 'CollectedSession',
      version: 1,
      session: id,
      ...facts(collected, failures, outcomes.length),
    }),
    collected.flatMap(({ files }) => files.map(({ path }) => path)),
    () => collected.map(({ files }) => fileLines(files)).join(''),
  );
  const { log } = context;
  for (const each of failures) {
    log.warn(`${failedText(each)} was not collected: ${each.error}`);
    if (each.hint !== undefined) log.hint(each.hint);
  }
  for (const each of collected) sayHow(each, outcomes.length > 1, context);
  await Promise.all(collected.map(({ result }) => result.removed));
  const codes = collected.map(({ result }) => sessionCode(result));
  return failed.length > 0 ? EXIT.incomplete : (codes.find((code) => code !== EXIT.done) ?? EXIT.done);
}

/** What the artifact of each collector is, as the verb that records it names it. */
const ROLES: Readonly<Partial<Record<NodeTask['collector'], string>>> = {
  perf: 'stacks',
  tcpdump: 'packets',
  waits: 'waits',
};

async function withReceipt(
  { plan, result }: { readonly plan: Plan; readonly result: SessionResult },
  objects: ClusterObjects | undefined,
  context: Context,
): Promise<CollectedFile> {
  warnOfTarget(result, context.log);
  // The names of addresses are those of now: nobody may know them later.
  const findings = objects ? await waitsFindings({ plan, result }, objects, context) : {};
  const receipt = makeReceipt(plan, result, findings);
  const receiptPath = await writeReceipt(result.artifact.base, receipt);
  const files = await describeFiles([
    { role: ROLES[plan.capture.collector] ?? 'packets', path: result.artifact.path },
    { role: 'receipt', path: receiptPath },
  ]);
  return { plan, result, receipt, files };
}

/** A session with one recorder is its capture; one with several has a list of them. */
function facts(
  collected: readonly CollectedFile[],
  failed: readonly FailedTarget[],
  recorders: number,
): object {
  const captures = collected.map(({ receipt, files }) => ({ ...captureFacts(receipt), files }));
  return recorders === 1 ? captures[0]! : { captures, failed };
}

const fileLines = (files: readonly DescribedFile[]): string =>
  files.map(({ role, path }) => `${role === 'receipt' ? 'Receipt:' : 'File:   '} ${path}\n`).join('');

function sayHow({ plan, result }: CollectedFile, isOneOfMany: boolean, { log, windows }: Context): void {
  const prefix = isOneOfMany ? `${podText(plan)}: ` : '';
  for (const line of missingText(result)) log.warn(prefix + line);
  log.line(prefix + endedText(result));
  const verb = AGAIN[plan.capture.collector] ?? 'analyze';
  log.line(
    `${prefix}${formatBytes(result.artifact.bytes)}, verified; see it: kubectl gkeprof ${verb} ${quoteFor(windows)(result.artifact.path)}`,
  );
}
