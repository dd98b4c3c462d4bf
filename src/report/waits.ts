import type { WaitsFacts } from '../waits/facts.ts';
import { findingOf } from '../waits/finding.ts';
import { categoriesOf, nameColumns, noteLines, waitRows } from '../waits/tables.ts';
import { shareText } from '../waits/wording.ts';
import { type CaptureFacts, captureRows, targetWords } from './capture.ts';
import { type FailedTarget, failedText } from './failed-target.ts';
import { type DescribedFile, fileTable } from './files.ts';
import { block, code, factTable, MARKDOWN_ROWS, markdownTable, plain } from './markdown.ts';

/** A recording of waits, with its files. */
export interface ReportedWaits {
  readonly capture: CaptureFacts;
  readonly waits: WaitsFacts;
  readonly files: readonly DescribedFile[];
  /** How it ended, for people. */
  readonly ended: string;
}

/** The figures as a result for programs has them. */
export const waitsData = (waits: WaitsFacts) => ({ ...waits, finding: findingOf(waits) });

/** One recording as a result for programs. */
export const waitsReport = ({ capture, waits, files }: ReportedWaits) => ({
  ...{ kind: 'Waits', version: 1 },
  ...capture,
  waits: waitsData(waits),
  files,
});

/** Recordings of several pods as one result. */
export const manyWaitsReport = (reports: readonly ReportedWaits[], failed: readonly FailedTarget[]) => ({
  ...{ kind: 'WaitsOfPods', version: 1 },
  captures: reports.map(({ capture, waits, files }) => ({ ...capture, waits: waitsData(waits), files })),
  failed,
  files: reports.flatMap(({ files }) => files),
});

/** One recording as a block for an incident. */
export const waitsMarkdown = ({ capture, waits, files, ended }: ReportedWaits): string =>
  block(
    `### Waits of ${targetWords(capture)}`,
    plain(findingOf(waits)),
    factTable([...captureRows(capture, ended), ...figureRows(waits)]),
    ...waitsTables(waits),
    fileTable(files),
    `Recorded with kubectl-gkeprof ${plain(capture.gkeprof)}.`,
  );

/** Recordings of several pods as a block for an incident. */
export const manyWaitsMarkdown = (
  reports: readonly ReportedWaits[],
  failed: readonly FailedTarget[],
): string =>
  block(
    `### Waits of ${reports.length} pods`,
    ...reports.flatMap(({ capture, waits }) => [
      `#### ${targetWords(capture)}`,
      plain(findingOf(waits)),
      ...waitsTables(waits),
    ]),
    failed
      .map(
        (each) =>
          `- not recorded: ${plain(`${failedText(each)}: ${each.error}${each.hint ? ` (${each.hint})` : ''}`)}`,
      )
      .join('\n'),
    fileTable(reports.flatMap(({ files }) => files)),
    `Recorded with kubectl-gkeprof ${plain(reports[0]!.capture.gkeprof)}.`,
  );

/** A recording that was read from a file as a block for an incident. */
export const waitsFileMarkdown = (name: string, waits: WaitsFacts): string =>
  block(
    `### Waits: ${plain(name)}`,
    plain(findingOf(waits)),
    factTable(figureRows(waits)),
    ...waitsTables(waits),
  );

const figureRows = (waits: WaitsFacts): Array<[string, string | undefined]> => [
  ['threads', String(waits.threads)],
  ...noteLines(waits).map((line): [string, string] => ['note', plain(line)]),
  ['incomplete', waits.isWhole ? undefined : 'the end of the recording is missing'],
];

function waitsTables({ groups }: WaitsFacts): string[] {
  const names = nameColumns(groups);
  const categories = categoriesOf(groups);
  const heads = names.map(({ title }) => ({ title: title.toLowerCase() }));
  return [
    markdownTable(
      [...heads, { title: 'count', right: true }, ...categories.map((title) => ({ title, right: true }))],
      groups
        .slice(0, MARKDOWN_ROWS)
        .map((group) => [
          ...names.map(({ of }) => code(of(group))),
          String(group.threads),
          ...categories.map((each) => (group.shares[each] > 0 ? shareText(group.shares[each]) : '')),
        ]),
    ),
    markdownTable(
      [...heads, { title: 'waits' }, { title: 'share', right: true }, { title: 'for' }],
      waitRows(groups, MARKDOWN_ROWS).map(([group, category, what, share]) => [
        ...names.map(({ of }) => code(of(group))),
        category,
        shareText(share),
        code(what),
      ]),
    ),
  ];
}
