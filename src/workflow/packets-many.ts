import type { Context } from '../cli/command.ts';
import type { AnalyzeChoice } from '../cli/packet-options.ts';
import { tcpdump } from '../collectors/tcpdump/tcpdump.ts';
import { EXIT, type ExitCode, reasonOf } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { manyTargetsName } from '../plan/artifact-name.ts';
import type { Plan, TcpdumpTask } from '../plan/plan.ts';
import { captureFacts } from '../report/capture.ts';
import { type FailedTarget, podText } from '../report/failed-target.ts';
import { describeFiles } from '../report/files.ts';
import type { Analyzed } from '../report/packets.ts';
import { makeReceipt } from '../session/receipt.ts';
import { counted, formatBytes } from '../text/quantity.ts';
import { deleteLine, quoteFor } from '../text/shell-quote.ts';
import { analysisData, analyzeFiles, withAnalysis } from './analyze-packets.ts';
import { type CombinedRecordings, clockOffsetText, combineRecordings } from './combine-captures.ts';
import { namesBeside } from './pod-addresses.ts';
import { endedText, missingText } from './run-capture.ts';
import {
  type CaptureTargets,
  finishMany,
  manyCode,
  type RecordedMany,
  type RecordedTarget,
  runMany,
  workloadOf,
} from './run-many.ts';

/** What is made of the packets of several pods. */
export interface ManyPacketsOptions {
  readonly analysis?: AnalyzeChoice;
  readonly format: OutputFormat;
  /** Also keep the file of each pod. */
  readonly split: boolean;
}

/** Captures the packets of several pods, and combines them into one file. Returns the exit code. */
export async function packetsMany(
  found: CaptureTargets,
  plans: ReadonlyArray<readonly Plan[]>,
  opening: readonly string[],
  options: ManyPacketsOptions,
  context: Context,
): Promise<ExitCode> {
  const recorded = await runMany(found, plans, tcpdump, opening, context);
  if (!recorded) return EXIT.done;
  return finishMany(recorded, present(recorded, found, options, context), context);
}

async function present(
  many: RecordedMany,
  { options, refs }: CaptureTargets,
  { analysis, format, split }: ManyPacketsOptions,
  context: Context,
): Promise<ExitCode> {
  const { log, stdout } = context;
  const { recorded } = many;
  const counts = recorded.map(({ result }) => result.last?.packets ?? 0);
  const captured = counts.reduce((sum, each) => sum + each, 0);
  const isCounted = recorded.every(({ result }) => result.ended !== 'lost');
  log.end();
  log.line(`${isCounted ? '' : 'at least '}${counted(captured, 'packet')} captured`);
  for (const each of recorded) warnOf(each, context);
  const base = manyTargetsName(
    recorded.map(({ plan: { target } }) => target),
    Math.min(...recorded.map(({ result }) => result.startedAt)),
    workloadOf(refs)?.name,
  );
  const combined = await combineRecordings(
    recorded,
    { directory: options.outputDir, base, keep: split },
    context,
  );
  const { files, receipt } = combined;
  const path = receipt && files[0]!.path;
  const code = codeOf(many, combined, captured);
  for (const offset of receipt?.combined.clockOffsets ?? []) log.line(clockOffsetText(offset));
  log.line('');
  log.line('Results:');
  if (format.kind === 'text') {
    stdout.write(targetTable(recorded));
    for (const { role, path: each } of files)
      if (role === 'packets') stdout.write(`Packets: ${each}\n`);
      else if (path !== undefined && each.startsWith(receiptBase(path))) stdout.write(`Receipt: ${each}\n`);
  }
  if (path !== undefined) sayFile(path, receipt!.artifact.bytes, receipt!.combined.packets, context);
  const wantsAnalysis = analysis !== undefined && (captured > 0 || !isCounted);
  const paths = path === undefined ? recorded.map(({ result }) => result.artifact.path) : [path];
  let isPrinted = false;
  const print = async (analyzed?: Analyzed) => {
    isPrinted = true;
    await printMany(many, combined, analyzed, wantsAnalysis ? analysis : undefined, format, context);
  };
  if (!wantsAnalysis) {
    if (format.kind !== 'text') await print();
    return code;
  }
  try {
    if (format.kind === 'text') stdout.write('\n');
    const names = await namesBeside(paths);
    if (format.kind === 'text') await analyzeFiles(paths, { ...analysis, format }, names, context);
    else await withAnalysis(paths, { ...analysis, format }, names, context, print);
    return code;
  } catch (error) {
    log.warn(`the capture is kept, but its analysis failed: ${reasonOf(error)}`);
    if (!isPrinted && format.kind !== 'text') await print();
    return EXIT.incomplete;
  }
}

const receiptBase = (path: string): string => path.replace(/\.pcapng\.gz$/, '');

function codeOf(many: RecordedMany, { failure }: CombinedRecordings, captured: number): ExitCode {
  const code = manyCode(many);
  if (code !== EXIT.done || failure !== undefined) return EXIT.incomplete;
  return captured === 0 ? EXIT.tool : EXIT.done;
}

/** Says what is odd about the capture of one pod. */
function warnOf({ plan, result }: RecordedTarget, { log }: Context): void {
  const { last, ended, cut } = result;
  const target = podText(plan);
  const { scope, filter } = plan.capture as TcpdumpTask;
  if (last?.dropped)
    log.warn(
      `${target}: ${ended === 'lost' ? 'at least ' : ''}${counted(last.dropped, 'packet')} dropped by the kernel: the capture has holes`,
    );
  for (const line of missingText(result)) log.warn(`${target}: ${line}`);
  if (!last?.packets && ended !== 'lost' && !cut)
    log.warn(
      `${target}: ${filter.length ? `no packet matched in scope ${scope}` : `there was no packet in scope ${scope}`}`,
    );
  if (ended !== 'time') log.line(`${target}: ${endedText(result)}`);
}

/** A row for each pod, or for each node. */
function targetTable(recorded: readonly RecordedTarget[]): string {
  const areNodes = recorded.every(({ plan }) => plan.target.kind === 'node');
  return table(
    [
      ...(areNodes ? [] : [{ title: 'NAMESPACE' }, { title: 'POD' }]),
      { title: 'NODE' },
      { title: 'PACKETS', right: true },
      { title: 'DROPPED', right: true },
      { title: 'SIZE', right: true },
    ],
    recorded.map(({ plan: { target, node }, result: { last, artifact, ended } }) => [
      ...(target.kind === 'pod' ? [target.namespace, target.name] : []),
      node,
      `${ended === 'lost' ? '≥ ' : ''}${last?.packets ?? 0}`,
      `${ended === 'lost' ? '≥ ' : ''}${last?.dropped ?? 0}`,
      formatBytes(artifact.bytes),
    ]),
  );
}

function sayFile(path: string, bytes: number, captured: number, { log, windows }: Context): void {
  log.line(`${formatBytes(bytes)}, verified; the file contains payload, delete it after the analysis`);
  if (captured > 0) log.line(`open it:   wireshark -r ${quoteFor(windows)(path)}`);
  log.line(`delete it: ${deleteLine(path, windows)}`);
}

/** Prints the captures as one result, with their analysis if there is one. */
async function printMany(
  { recorded, failed }: RecordedMany,
  { files: made, receipt }: CombinedRecordings,
  analyzed: Analyzed | undefined,
  analysis: AnalyzeChoice | undefined,
  format: OutputFormat,
  context: Context,
): Promise<void> {
  const { manyCapturesMarkdown } = await import('../report/packets.ts');
  const captures = recorded.map(({ plan, result }) => captureFacts(makeReceipt(plan, result, {})));
  const files = await describeFiles(made);
  const data =
    analyzed &&
    analysis &&
    isForPrograms(format) &&
    (await analysisData(analyzed, analysis.sections, context));
  const failures: readonly FailedTarget[] = failed;
  await printResult(
    context,
    format,
    () => ({
      ...{ kind: 'PacketCaptures', version: 1, captures, failed: failures },
      ...(receipt && {
        interfaces: receipt.combined.interfaces,
        clockOffsets: receipt.combined.clockOffsets,
      }),
      files,
      ...(data && { analysis: data }),
    }),
    files.map(({ path }) => path),
    () =>
      manyCapturesMarkdown(
        captures,
        failures,
        receipt?.combined.clockOffsets.map(clockOffsetText) ?? [],
        files,
        analyzed,
      ),
  );
}
