import type { Context } from '../cli/command.ts';
import type { DrawOptions, ReadChoice } from '../cli/profile-options.ts';
import { openResult } from '../cli/result-options.ts';
import { perf } from '../collectors/perf/perf.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { printResult } from '../output/result.ts';
import type { Plan } from '../plan/plan.ts';
import { type DrawnMany, drawMany, manyResult } from './draw-many.ts';
import { NodePods } from './node-pods.ts';
import { readRecording } from './read-recording.ts';
import {
  type CaptureTargets,
  finishMany,
  manyCode,
  type RecordedMany,
  readEach,
  runMany,
  workloadOf,
} from './run-many.ts';

/** What is made of the profiles of several pods. */
export interface ManyProfilesOptions {
  readonly draw: DrawOptions;
  readonly choice: ReadChoice;
  /** Also draw each pod. */
  readonly split: boolean;
  /** The command line that records the same targets with another value of --call-graph. */
  readonly again: (callGraph: string) => string;
}

/** Records the profiles of several pods or nodes, and draws them as one. Returns the exit code. */
export async function profileMany(
  found: CaptureTargets,
  plans: ReadonlyArray<readonly Plan[]>,
  opening: readonly string[],
  options: ManyProfilesOptions,
  context: Context,
): Promise<ExitCode> {
  const { dryRun, explain } = found.options;
  const nodes = found.targets.filter(({ kind }) => kind === 'node' && dryRun === undefined && !explain);
  const pods = new Map(nodes.map(({ node }) => [node, new NodePods(found.cluster, node)]));
  const recorded = await runMany(found, plans, perf, opening, context);
  if (!recorded) return EXIT.done;
  return finishMany(recorded, drawAll(recorded, found, options, pods, context), context);
}

async function drawAll(
  recorded: RecordedMany,
  { options, refs }: CaptureTargets,
  { draw, choice, split, again }: ManyProfilesOptions,
  pods: ReadonlyMap<string, NodePods>,
  context: Context,
): Promise<ExitCode> {
  const { read, failed } = await readEach(
    recorded,
    (each) => readRecording(each, { choice, isOneOfMany: true, nodePods: pods.get(each.plan.node) }, context),
    context.log,
  );
  const workload = workloadOf(refs);
  const drawn = await drawMany(
    read,
    { draw, split, again, folder: options.outputDir, ...(workload && { workload }) },
    context,
  );
  const { format, open } = draw;
  if (format.kind !== 'text') {
    const { facts, names, markdown } = await manyResult(drawn, failed);
    await printResult(context, format, () => facts, names, markdown);
  }
  if (open) await openResult(drawn.made.find(({ role }) => role === 'svg')?.path, context);
  return failed.length > 0 ? EXIT.incomplete : worse(drawn.code, manyCode(recorded));
}

const worse = (code: DrawnMany['code'], other: ExitCode): ExitCode =>
  code === EXIT.incomplete || other === EXIT.done ? code : other;
