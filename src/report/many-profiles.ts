import {
  areNodes,
  coresCell,
  differsText,
  labelsOf,
  type PodRow,
  throttledText,
} from '../profile/pod-rows.ts';
import type { Profile } from '../profile/profile.ts';
import type { ProfileSummary } from '../profile/summary.ts';
import type { Receipt } from '../session/receipt.ts';
import { captureFacts } from './capture.ts';
import { type FailedTarget, failedText } from './failed-target.ts';
import { type DescribedFile, describeFiles, fileTable, type MadeFile } from './files.ts';
import { block, code, markdownTable, plain } from './markdown.ts';
import { profileFacts, profileTables } from './profile.ts';

/** The recording of one pod, and the files that belong to it alone. */
export interface ReportedRecording {
  readonly receipt: Receipt;
  readonly profile: Profile;
  readonly summary: ProfileSummary;
  readonly made: readonly MadeFile[];
  /** How it ended, for people. */
  readonly ended: string;
}

/** Recordings of several pods as a result. */
export interface ManyProfiles {
  readonly recordings: readonly ReportedRecording[];
  readonly rows: readonly PodRow[];
  readonly findings: readonly string[];
  /** All pods in one profile; undefined if the recordings are of different events. */
  readonly merged?: { readonly profile: Profile; readonly summary: ProfileSummary };
  /** The files of that profile. */
  readonly made: readonly MadeFile[];
  readonly failed: readonly FailedTarget[];
}

/** The recordings as data for programs, the names of all files, and as a block for an incident. */
export async function manyProfilesResult({ recordings, rows, findings, merged, made, failed }: ManyProfiles) {
  const files = await describeFiles(made);
  const captures = await Promise.all(
    recordings.map(async ({ receipt, profile, summary, made: own }) => ({
      ...captureFacts(receipt),
      profile: profileFacts(profile, summary),
      files: await describeFiles(own),
    })),
  );
  const facts = {
    ...{ kind: 'FlameGraphs', version: 1 },
    pods: rows.map(rowFacts),
    findings,
    ...(merged && {
      target: merged.profile.about.target,
      profile: profileFacts(merged.profile, merged.summary),
    }),
    captures,
    failed,
    files,
  };
  const all = [...files, ...captures.flatMap((capture) => capture.files)];
  return {
    facts,
    names: all.map(({ path }) => path),
    markdown: () =>
      manyMarkdown(
        { rows, findings, failed, files: all, target: facts.target, profile: facts.profile },
        recordings,
      ),
  };
}

const rowFacts = ({ cores, functions, others, other: _, stacks: __, ...row }: PodRow) => ({
  ...row,
  ...(cores !== undefined && { coresBusy: cores }),
  ...(row.comparison === 'differs' && { comparedWith: others, differences: functions }),
});

/** What the block of Markdown is made of. */
interface ManyBlock extends Pick<ManyProfiles, 'rows' | 'findings' | 'failed'> {
  readonly files: readonly DescribedFile[];
  readonly target: string | undefined;
  readonly profile: ReturnType<typeof profileFacts> | undefined;
}

const manyMarkdown = (
  { rows, findings, failed, files, target, profile }: ManyBlock,
  recordings: readonly ReportedRecording[],
): string =>
  block(
    `### CPU profile of ${target === undefined ? `${rows.length} ${areNodes(rows) ? 'nodes' : 'pods'}` : plain(target)}`,
    podsTable(rows, recordings),
    findings.map((line) => `- ${plain(line)}`).join('\n'),
    failed
      .map(
        (each) =>
          `- not recorded: ${plain(`${failedText(each)}: ${each.error}${each.hint ? ` (${each.hint})` : ''}`)}`,
      )
      .join('\n'),
    ...(profile ? profileTables(profile) : []),
    fileTable(files),
    `Recorded with kubectl-gkeprof ${plain(recordings[0]!.receipt.gkeprof)}.`,
  );

function podsTable(rows: readonly PodRow[], recordings: readonly ReportedRecording[]): string {
  const labels = labelsOf(rows);
  const endOf = ({ namespace, name, container }: PodRow) =>
    recordings.find(({ receipt: { plan } }) => {
      const [target] = plan.targets;
      if (target.kind === 'node') return namespace === undefined && target.node === name;
      if (target.namespace !== namespace || target.name !== name) return false;
      return target.container === undefined || target.container.name === container;
    })?.ended ?? '';
  return markdownTable(
    [
      { title: areNodes(rows) ? 'node' : 'pod' },
      ...(areNodes(rows) ? [] : [{ title: 'node' }]),
      { title: 'samples', right: true },
      { title: 'cores', right: true },
      { title: 'throttled', right: true },
      { title: 'differs' },
      { title: 'recording' },
    ],
    rows.map((row, at) => [
      code(labels[at]!),
      ...(areNodes(rows) ? [] : [plain(row.node ?? '')]),
      String(row.samples),
      coresCell(row),
      throttledText(row),
      plain(differsText(row)),
      plain(endOf(row)),
    ]),
  );
}
