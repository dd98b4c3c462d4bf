import type { Context } from '../cli/command.ts';
import { openResult } from '../cli/result-options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { openInput } from '../files/input.ts';
import { NewFile } from '../files/new-file.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import type { Plan } from '../plan/plan.ts';
import { captureFacts } from '../report/capture.ts';
import { describeFiles } from '../report/files.ts';
import { type ReportedWaits, waitsMarkdown, waitsReport } from '../report/waits.ts';
import { makeReceipt, writeReceipt } from '../session/receipt.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import { deleteLine } from '../text/shell-quote.ts';
import { type WaitsFacts, waitsFacts } from '../waits/facts.ts';
import { findingOf } from '../waits/finding.ts';
import { waitsPage } from '../waits/page.ts';
import { readWaits } from '../waits/read-waits.ts';
import { groupTable, noteLines, waitTable } from '../waits/tables.ts';
import type { Waits } from '../waits/waits.ts';
import { shareText } from '../waits/wording.ts';
import { captureSubject } from './capture-subject.ts';
import { lockHint } from './lock-hint.ts';
import { endedText, type Recorded, sessionCode } from './run-capture.ts';
import { type ClusterObjects, keepNames, listClusterObjects, namesIn } from './wait-names.ts';

/** What is made of a recording of waits. */
export interface WaitsChoice {
  readonly format: OutputFormat;
  /** Open the page in the browser. */
  readonly open: boolean;
}

/** A recording of waits that was read, with its files. */
export interface ReadWaitsRecording {
  readonly plan: Plan;
  readonly report: ReportedWaits;
  readonly page: string | undefined;
  readonly receipt: string;
  readonly artifact: string;
  readonly code: ExitCode;
}

/** Reads a recording, writes its page and its receipt, and prints the result. Returns the exit code. */
export async function presentWaits(
  recorded: Pick<Recorded, 'plan' | 'result'>,
  cluster: Cluster,
  { format, open }: WaitsChoice,
  context: Context,
): Promise<ExitCode> {
  const { log, stdout } = context;
  const objects = await objectsFor([recorded.plan], cluster, context);
  const read = await readWaitsRecording(recorded, objects, context);
  const { report, page } = read;
  log.end();
  warnOfReading(report.waits, '', context);
  sayWhereLocks(read, '', context);
  log.line(report.ended);
  log.line('');
  log.line('Results:');
  if (format.kind === 'text') {
    stdout.write(waitsText(report.waits));
    stdout.write(fileLines(read));
  } else
    await printResult(
      context,
      format,
      () => waitsReport(report),
      report.files.map(({ path }) => path),
      () => waitsMarkdown(report),
    );
  log.line(`${formatBytes(recorded.result.artifact.bytes)}, verified`);
  log.line(`delete it: ${deleteLine(read.artifact, context.windows)}`);
  if (open) await openResult(page, context);
  return read.code;
}

/** The pods and services that the addresses of recordings may be of. */
export function objectsFor(
  plans: readonly Plan[],
  cluster: Cluster,
  { log }: Pick<Context, 'log'>,
): Promise<ClusterObjects> {
  const target = plans[0]!.target;
  return listClusterObjects(target.kind === 'pod' ? target.namespace : cluster.namespace, cluster, log);
}

/** Reads a verified recording, and finds the names in it. `findings` are what its receipt keeps. */
async function readNamed(
  { plan, result }: Pick<Recorded, 'plan' | 'result'>,
  objects: ClusterObjects,
  context: Pick<Context, 'stdin'>,
) {
  const waits = await readWaitsFile(result.artifact.path, context);
  const names = namesIn(objects, plan.target);
  const facts = waitsFacts(waits, names);
  const kept = keepNames(names, waits.addresses, waits.containers);
  return { waits, facts, findings: { names: kept, finding: findingOf(facts) } };
}

/** What the receipt keeps of a recording that is only collected; nothing if it cannot be read. */
export const waitsFindings = (
  recorded: Pick<Recorded, 'plan' | 'result'>,
  objects: ClusterObjects,
  context: Pick<Context, 'stdin'>,
): Promise<Readonly<Record<string, unknown>>> =>
  readNamed(recorded, objects, context).then(
    ({ findings }) => findings,
    () => ({}),
  );

/** Reads a verified recording, and writes its page and its receipt beside it. */
export async function readWaitsRecording(
  { plan, result }: Pick<Recorded, 'plan' | 'result'>,
  objects: ClusterObjects,
  context: Pick<Context, 'stdin'>,
): Promise<ReadWaitsRecording> {
  const { artifact } = result;
  const { waits, facts, findings } = await readNamed({ plan, result }, objects, context);
  const receipt = makeReceipt(plan, result, findings);
  const receiptPath = await writeReceipt(artifact.base, receipt);
  const isEmpty = facts.groups.length === 0;
  const page = isEmpty ? undefined : await writeWaitsPage(artifact.path, artifact.base, waits, facts);
  const files = await describeFiles([
    { role: 'waits', path: artifact.path, sha256: artifact.sha256 },
    ...(page === undefined ? [] : [{ role: 'page', path: page }]),
    { role: 'receipt', path: receiptPath },
  ]);
  const report = { capture: captureFacts(receipt), waits: facts, files, ended: endedText(result) };
  const code = sessionCode(result);
  return {
    ...{ plan, report, page, receipt: receiptPath, artifact: artifact.path },
    code: isEmpty && code === EXIT.done ? EXIT.tool : facts.isWhole ? code : EXIT.incomplete,
  };
}

/** Reads a file with a recording of waits, compressed or not; of one that is cut, everything before the cut. */
export async function readWaitsFile(path: string, { stdin }: Pick<Context, 'stdin'>): Promise<Waits> {
  const { chunks } = await openInput(path, stdin);
  return readWaits(chunks, path === '-' ? 'stdin' : path);
}

/** Writes the page beside a recording, and returns its path. */
export async function writeWaitsPage(
  path: string,
  base: string,
  waits: Waits,
  facts: WaitsFacts,
): Promise<string> {
  const subject = await captureSubject([path]);
  const page = new NewFile(`${base}.waits.html`);
  try {
    for (const piece of waitsPage(waits, facts, subject)) page.write(Buffer.from(piece));
    page.close();
  } catch (error) {
    page.discard();
    throw error;
  }
  return page.path;
}

/** The tables, what else is known, and what stands out. */
export function waitsText(facts: WaitsFacts): string {
  const { groups } = facts;
  if (groups.length === 0) return '';
  return `${[groupTable(groups), waitTable(groups), `${[...noteLines(facts), findingOf(facts)].join('\n')}\n`]
    .filter(Boolean)
    .join('\n')}\n`;
}

export const fileLines = ({ artifact, page, receipt }: ReadWaitsRecording): string =>
  `Waits: ${artifact}\n${page === undefined ? '' : `Page: ${page}\n`}Receipt: ${receipt}\n`;

/** Says how to find the functions that wait for locks, if a group of threads does. */
export function sayWhereLocks(
  { report, plan }: ReadWaitsRecording,
  prefix: string,
  { log, windows }: Pick<Context, 'log' | 'windows'>,
): void {
  const hint = lockHint(report.waits, plan, windows);
  if (hint !== undefined) log.line(`${prefix}${hint}`);
}

/** Says what is missing from a recording, or odd about it. `prefix` says which one it is, of several. */
export function warnOfReading(facts: WaitsFacts, prefix: string, { log }: Pick<Context, 'log'>): void {
  const { groups, isWhole, damagedLines, looksPerSecond, samplerCpuSeconds, seconds } = facts;
  if (groups.length === 0) {
    log.warn(`${prefix}no thread was seen for long enough to be measured`);
    log.line(`  check that the pod runs a process: kubectl gkeprof ps pod/NAME`);
  }
  if (!isWhole) log.warn(`${prefix}the end of the recording is missing: what is there was read`);
  if (damagedLines > 0)
    log.warn(`${prefix}${damagedLines} lines of the recording are damaged, and were left out`);
  if (looksPerSecond.lowest > 0 && looksPerSecond.lowest < looksPerSecond.asked / 2)
    log.line(
      `${prefix}there were only ${Number(looksPerSecond.lowest.toFixed(1))} looks per second at times, so that the looks did not cost too much: short waits are less exact`,
    );
  if (seconds > 0)
    log.line(
      `${prefix}the looks took ${formatDuration(samplerCpuSeconds)} of CPU time, ${shareText(samplerCpuSeconds / seconds)} of a core`,
    );
}
