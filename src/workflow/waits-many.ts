import type { Context } from '../cli/command.ts';
import { openResult } from '../cli/result-options.ts';
import { waits } from '../collectors/waits/waits.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { printResult } from '../output/result.ts';
import type { Plan } from '../plan/plan.ts';
import { type FailedTarget, podText } from '../report/failed-target.ts';
import { manyWaitsMarkdown, manyWaitsReport } from '../report/waits.ts';
import {
  fileLines,
  objectsFor,
  type ReadWaitsRecording,
  readWaitsRecording,
  sayWhereLocks,
  type WaitsChoice,
  waitsText,
  warnOfReading,
} from './present-waits.ts';
import {
  type CaptureTargets,
  finishMany,
  manyCode,
  type RecordedMany,
  readEach,
  runMany,
} from './run-many.ts';

/** Records what the threads of several pods wait for, and prints the tables of each pod. Returns the exit code. */
export async function waitsMany(
  found: CaptureTargets,
  plans: ReadonlyArray<readonly Plan[]>,
  opening: readonly string[],
  choice: WaitsChoice,
  context: Context,
): Promise<ExitCode> {
  const recorded = await runMany(found, plans, waits, opening, context);
  if (!recorded) return EXIT.done;
  return finishMany(recorded, present(recorded, found, choice, context), context);
}

async function present(
  many: RecordedMany,
  { cluster }: CaptureTargets,
  { format, open }: WaitsChoice,
  context: Context,
): Promise<ExitCode> {
  const { log, stdout } = context;
  const objects = await objectsFor(
    many.recorded.map(({ plan }) => plan),
    cluster,
    context,
  );
  const { read, failed } = await readEach(many, (each) => readWaitsRecording(each, objects, context), log);
  log.end();
  for (const each of read) {
    const { plan, report } = each;
    warnOfReading(report.waits, `${podText(plan)}: `, context);
    sayWhereLocks(each, `${podText(plan)}: `, context);
    if (report.capture.ended !== 'time') log.line(`${podText(plan)}: ${report.ended}`);
  }
  log.line('');
  log.line('Results:');
  if (format.kind === 'text')
    stdout.write(
      read.map((each) => `${podTitle(each)}\n\n${waitsText(each.report.waits)}${fileLines(each)}`).join('\n'),
    );
  else {
    const reports = read.map(({ report }) => report);
    await printResult(
      context,
      format,
      () => manyWaitsReport(reports, failed),
      reports.flatMap(({ files }) => files.map(({ path }) => path)),
      () => manyWaitsMarkdown(reports, failed),
    );
  }
  if (open) for (const { page } of read.slice(0, MOST_OPENED)) await openResult(page, context);
  return codeOf(many, read, failed);
}

/** More pages at once would only bury each other. */
const MOST_OPENED = 5;

const podTitle = ({ plan: { target, node } }: ReadWaitsRecording): string =>
  target.kind === 'pod' ? `Pod ${target.namespace}/${target.name} on ${node}` : `Node ${node}`;

function codeOf(
  many: RecordedMany,
  read: readonly ReadWaitsRecording[],
  failed: readonly FailedTarget[],
): ExitCode {
  if (failed.length > 0 || manyCode(many) !== EXIT.done) return EXIT.incomplete;
  if (read.every(({ code }) => code === EXIT.tool)) return EXIT.tool;
  return read.some(({ code }) => code !== EXIT.done) ? EXIT.incomplete : EXIT.done;
}
