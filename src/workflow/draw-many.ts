import { join } from 'node:path';
import type { Context } from '../cli/command.ts';
import type { DrawOptions } from '../cli/profile-options.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { fitLastColumn } from '../output/table.ts';
import { manyTargetsName } from '../plan/artifact-name.ts';
import { caption } from '../profile/caption.ts';
import { findOutliers } from '../profile/compare/outliers.ts';
import { comparable, haveOneEvent, mergeByPod, type PodPart, timesOf } from '../profile/merge-by-pod.ts';
import { labelsOf, outlierLines, type PodRow, podRows, podTable } from '../profile/pod-rows.ts';
import type { Profile } from '../profile/profile.ts';
import { betterWay, type ProfileSummary, summarize, summaryLines } from '../profile/summary.ts';
import type { FailedTarget } from '../report/failed-target.ts';
import type { MadeFile } from '../report/files.ts';
import type { manyProfilesResult } from '../report/many-profiles.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { wrap } from '../text/wrap.ts';
import { drawFormats, readingWarnings } from './draw-profile.ts';
import { recordedTarget } from './read-profile.ts';
import type { ReadRecording } from './read-recording.ts';
import { endedText, missingText, sessionCode } from './run-capture.ts';

export interface DrawManyOptions {
  readonly draw: DrawOptions;
  /** Also make the files of each pod. */
  readonly split: boolean;
  /** The folder for the merged files. */
  readonly folder: string;
  /** The workload whose pods they are, if they are those of one: its kind and name as people write it, `deploy/redis`. */
  readonly workload?: { readonly text: string; readonly name: string };
  /** The command line that records the same targets with another value of --call-graph. */
  readonly again?: (callGraph: string) => string;
}

/** What was made of the recordings of several pods. */
export interface DrawnMany {
  readonly recordings: ReadonlyArray<{
    readonly recording: ReadRecording;
    readonly made: readonly MadeFile[];
  }>;
  /** The pods that differ first, then the busiest. */
  readonly rows: readonly PodRow[];
  /** All pods in one profile; undefined if their recordings are of different events. */
  readonly merged?: { readonly profile: Profile; readonly summary: ProfileSummary };
  /** The files of the merged profile. */
  readonly made: readonly MadeFile[];
  /** The lines below the table: what differs, and what limits the result. */
  readonly findings: readonly string[];
  readonly code: ExitCode;
}

/**
 * Makes the files of several recordings, at least one: of all pods as one profile, and with `split` of each. Prints the table
 * of the pods and what differs between them if the result is for people. The raw texts and the receipts are there already.
 */
export async function drawMany(
  recordings: readonly ReadRecording[],
  { draw, split, folder, workload, again }: DrawManyOptions,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<DrawnMany> {
  const parts = recordings.map(partOf);
  const labels = labelsOf(parts.map(({ pod }) => pod));
  const isText = draw.format.kind === 'text';
  const isMergeable = haveOneEvent(parts.map(({ profile }) => profile));
  const rows = podRows(
    parts,
    isMergeable ? findOutliers(comparable(parts.map(({ profile }) => profile))) : undefined,
  );
  log.end();
  log.line('');
  log.line('Results:');
  for (const line of warningsOf(recordings, labels)) log.warn(line);
  const findings = [...outlierLines(rows), ...limitsOf(parts, isMergeable)];
  if (isText) {
    stdout.write(fitLastColumn(podTable(rows), stdout));
    for (const line of findings.flatMap((each) => wrap(each))) stdout.write(`${line}\n`);
    stdout.write('\n');
  }
  const made: MadeFile[] = [];
  let merged: DrawnMany['merged'];
  if (isMergeable) {
    const profile = mergeByPod(parts, targetText(parts, workload?.text));
    const summary = summarize(profile);
    merged = { profile, summary };
    const { title, subtitle } = caption(profile, summary);
    const titles = { title, subtitle: [...subtitle, ...findings.slice(0, MOST_FINDINGS)] };
    const base = join(
      folder,
      manyTargetsName(
        recordings.map(({ plan }) => plan.target),
        firstStart(recordings),
        workload?.name,
      ),
    );
    made.push(...(await drawFormats(profile, titles, draw, base, stdout)));
    // The table has the pods, and a thread of some pod says little.
    const { owners: _, ...rest } = summary;
    for (const line of summaryLines({ ...rest, busiest: [], groups: [] })) log.line(line);
  }
  for (const [callGraph, pods] of again ? betterWays(recordings, labels) : [])
    log.hint(`to see the missing callers of ${pods.join(', ')}: ${again!(callGraph)}`);
  const each: Array<DrawnMany['recordings'][number]> = [];
  for (const recording of recordings) {
    const { result, reading, summary } = recording;
    const { profile } = reading;
    // Formats for reading are printed once, of all pods.
    const options = { ...draw, formats: draw.formats.filter((name) => name !== 'top') };
    const drawn =
      split || !isMergeable
        ? await drawFormats(profile, caption(profile, summary), options, result.artifact.base, stdout)
        : [];
    if (isText) stdout.write(`Raw stack traces: ${result.artifact.path}\n`);
    each.push({ recording, made: [...drawn, ...recording.made] });
  }
  if (isText) log.line('the receipt of each recording is beside its stack traces (.receipt.json)');
  const isEmpty = recordings.every(({ whyEmpty }) => whyEmpty !== undefined);
  return {
    recordings: each,
    rows,
    ...(merged && { merged }),
    made,
    findings,
    code: isEmpty
      ? worst(recordings.map(({ code }) => code))
      : worst(recordings.map(({ result }) => sessionCode(result))),
  };
}

/** The values of --call-graph that find callers which are missing now, each with the pods that need it. */
function betterWays(recordings: readonly ReadRecording[], labels: readonly string[]): Map<string, string[]> {
  const ways = new Map<string, string[]>();
  recordings.forEach(({ summary }, at) => {
    const better = betterWay(summary);
    if (better !== undefined) ways.set(better, [...(ways.get(better) ?? []), labels[at]!]);
  });
  return ways;
}

/** Findings in the caption of the picture; the table has all. */
const MOST_FINDINGS = 2;

const partOf = ({ plan: { target }, reading }: ReadRecording): PodPart => ({
  pod: recordedTarget(target),
  profile: reading.profile,
});

const firstStart = (recordings: readonly ReadRecording[]): number =>
  Math.min(...recordings.map(({ result }) => result.startedAt));

/** What the picture is of: the names of a few pods, or how many there are. */
const targetText = (parts: readonly PodPart[], workload?: string): string | undefined =>
  workload === undefined ? undefined : `${workload} (${counted(parts.length, 'pod')})`;

const worst = (codes: readonly ExitCode[]): ExitCode =>
  codes.includes(EXIT.incomplete) ? EXIT.incomplete : (codes.find((code) => code !== EXIT.done) ?? EXIT.done);

/** What limits the reading of all recordings together. */
function limitsOf(parts: readonly PodPart[], isMergeable: boolean): string[] {
  const abouts = parts.map(({ profile }) => profile.about);
  if (!isMergeable) {
    const events = new Set(parts.flatMap(({ profile }) => (profile.samples > 0 ? [profile.event] : [])));
    return [
      `the recordings are of different events (${[...events].join(', ')}), so they are neither compared nor merged: each has a picture of its own`,
    ];
  }
  const { together, alike } = timesOf(abouts);
  const seconds = abouts.map((about) => about.seconds ?? 0);
  return [
    ...(alike
      ? []
      : [
          `the recordings are of ${formatDuration(Math.min(...seconds))} to ${formatDuration(Math.max(...seconds))}: widths are what each pod used while it was recorded`,
        ]),
    ...(together
      ? []
      : [
          'by the clocks of their nodes, the recordings did not all run at the same time, so the cores busy are not added up',
        ]),
  ];
}

/** The warnings of all recordings: one that all have is printed once, others with the names of their pods. */
function warningsOf(recordings: readonly ReadRecording[], labels: readonly string[]): string[] {
  const of = new Map<string, string[]>();
  recordings.forEach(({ reading, result, whyEmpty }, at) => {
    const lines = [
      ...readingWarnings(reading),
      ...missingText(result),
      ...(result.ended === 'time' ? [] : [endedText(result)]),
      ...(whyEmpty === undefined ? [] : [whyEmpty]),
    ];
    for (const line of lines) of.set(line, [...(of.get(line) ?? []), labels[at]!]);
  });
  return [...of].map(([line, pods]) =>
    pods.length === recordings.length && pods.length > 1 ? line : `${pods.join(', ')}: ${line}`,
  );
}

/** The result for programs and in Markdown; `failed` are the targets that have no recording. */
export async function manyResult(
  { recordings, ...drawn }: DrawnMany,
  failed: readonly FailedTarget[] = [],
): Promise<Awaited<ReturnType<typeof manyProfilesResult>>> {
  const { manyProfilesResult: resultOf } = await import('../report/many-profiles.ts');
  return resultOf({
    ...drawn,
    failed,
    recordings: recordings.map(({ recording: { receipt, reading, summary, result }, made }) => ({
      ...{ receipt, summary, made },
      profile: reading.profile,
      ended: endedText(result),
    })),
  });
}
