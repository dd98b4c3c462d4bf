import { coresText } from '../profile/cores.ts';
import { countersText } from '../profile/counters.ts';
import type { Profile } from '../profile/profile.ts';
import { FEW_SAMPLES } from '../profile/quality.ts';
import { fromBeforeText, type ProfileSummary, qualityFacts } from '../profile/summary.ts';
import { formatWeight, topOf } from '../profile/top.ts';
import { eventText, OFF_CPU, sampleWord, weighedBy } from '../profile/weighing.ts';
import { formatDuration } from '../text/quantity.ts';
import { type CaptureFacts, captureRows, targetWords, utc } from './capture.ts';
import { type DescribedFile, fileTable } from './files.ts';
import { block, code, factTable, MARKDOWN_ROWS, markdownTable, percent, plain } from './markdown.ts';

/** Rows of each list; `--format json` has all of them. */
const ROWS = 20;

/** The figures of a profile: counts, hottest functions and stacks, threads, objects without symbols. Weights are in `unit`. */
export function profileFacts(profile: Profile, summary: ProfileSummary) {
  const { bySelf, byTotal, threads, chains, unknown, weight } = topOf(profile, ROWS);
  const { samples, lost, event, seconds, frequencyHz, cores, idle, idleLeftOut, quality, groups } = summary;
  return {
    event,
    ...(profile.eventNote !== undefined && { eventNote: profile.eventNote }),
    ...{ unit: profile.unit, weighedBy: weighedBy(profile.unit), weight, samples },
    ...(lost !== undefined && { lost }),
    ...{ durationSeconds: seconds, frequencyHz, ...(cores !== undefined && { coresBusy: cores }) },
    ...(summary.cpu && { cpu: summary.cpu }),
    ...{ idleSamples: idle, idleLeftOut },
    quality: { ...quality, limits: quality.limits.map((limit) => ({ ...limit })) },
    functionsBySelf: bySelf.map(functionFacts),
    functionsByTotal: byTotal.map(functionFacts),
    threads: threads.map(({ comm, pid, tid, weight: own, samples: count, cores: busy }) => ({
      ...{ comm, pid, tid, weight: own, samples: count },
      ...(busy !== undefined && { coresBusy: busy }),
    })),
    ...(summary.owners && {
      owners: summary.owners.map(({ containers, ...owner }) => ({
        ...coresBusy(owner),
        containers: containers.map(coresBusy),
      })),
    }),
    ...(summary.except && { except: summary.except }),
    ...(summary.states && { states: summary.states.map((state) => ({ ...state })) }),
    ...(summary.fromBefore && { waitsFromBefore: { ...summary.fromBefore } }),
    threadGroups: groups.map(({ cores: busy, ...group }) => ({
      ...group,
      ...(busy !== undefined && { coresBusy: busy }),
    })),
    stacks: chains.map(({ frames, weight: own }) => ({ frames, weight: own })),
    unknownObjects: unknown.map(({ dso, unknown: nameless, all, reason }) => ({
      ...{ object: dso, unknown: nameless, all, reason },
    })),
    ...(profile.lookups && { debuginfod: profile.lookups.map((lookup) => ({ ...lookup })) }),
  };
}

const coresBusy = <T extends { readonly cores?: number }>({ cores, ...usage }: T) => ({
  ...usage,
  ...(cores !== undefined && { coresBusy: cores }),
});

export type ProfileFacts = ReturnType<typeof profileFacts>;

const functionFacts = ({ name, dso, kind, self, total }: ReturnType<typeof topOf>['bySelf'][number]) => ({
  ...{ name, object: dso, kind, self, total },
});

const kindOf = ({ event }: ProfileFacts): string => (event === OFF_CPU ? 'Off-CPU profile' : 'CPU profile');

/** A recording as a block for an incident. */
export const recordingMarkdown = (
  capture: CaptureFacts,
  profile: ProfileFacts,
  files: readonly DescribedFile[],
  ended: string,
): string =>
  block(
    `### ${kindOf(profile)} of ${targetWords(capture)}`,
    factTable([...captureRows(capture, ended), ...profileRows(profile)]),
    byOwner(profile),
    hottest(profile),
    busiest(profile),
    fileTable(files),
    `Recorded with kubectl-gkeprof ${plain(capture.gkeprof)}.`,
  );

/** A profile that was read from a file as a block for an incident. */
export const profileMarkdown = (
  { target, startedAt }: Profile['about'],
  profile: ProfileFacts,
  files: readonly DescribedFile[],
): string =>
  block(
    `### ${kindOf(profile)}: ${plain(target)}`,
    factTable([
      ['started', startedAt && utc(startedAt)],
      ['duration', profile.durationSeconds > 0 ? formatDuration(profile.durationSeconds) : undefined],
      ...profileRows(profile),
    ]),
    byOwner(profile),
    hottest(profile),
    busiest(profile),
    fileTable(files),
  );

/** The figures of a profile and its hottest functions as tables in Markdown. */
export const profileTables = (profile: ProfileFacts): string[] => [
  factTable(profileRows(profile)),
  hottest(profile),
];

const profileRows = (profile: ProfileFacts): Array<[string, string | undefined]> => [
  [
    `${sampleWord(profile.event)}s`,
    [
      profile.samples,
      profile.lost !== undefined && `${profile.lost} lost`,
      profile.event !== 'samples' && `event ${plain(eventText(profile))}`,
      profile.frequencyHz > 0 && `${profile.frequencyHz} Hz`,
    ]
      .filter((part) => part !== false)
      .join(', '),
  ],
  [
    'busy',
    profile.coresBusy === undefined
      ? undefined
      : `${coresText(profile.coresBusy, profile.samples)} cores on average`,
  ],
  ["by the kernel's counters", profile.cpu && countersText(profile.cpu, profile.durationSeconds)],
  [
    'quality',
    profile.samples < FEW_SAMPLES
      ? undefined
      : qualityFacts(profile.quality, sampleWord(profile.event)).join('; '),
  ],
  [
    'waits that began before the recording',
    profile.waitsFromBefore && fromBeforeText(profile.waitsFromBefore),
  ],
  ['left out', profile.except && `${profile.except.samples} samples of the pod ${plain(profile.except.pod)}`],
  ...profile.quality.limits.map(({ text }): [string, string] => ['note', plain(text)]),
];

/** Whose the samples of a node are. */
const byOwner = ({ owners = [] }: ProfileFacts): string =>
  markdownTable(
    [
      { title: 'cores', right: true },
      { title: '%', right: true },
      { title: 'samples', right: true },
      { title: 'pod or service' },
      { title: 'containers' },
    ],
    owners
      .slice(0, MARKDOWN_ROWS)
      .map(({ coresBusy: cores, share, samples, name, containers }) => [
        cores === undefined ? '' : coresText(cores, samples),
        percent(share),
        `${samples}`,
        code(name),
        containers.map((each) => code(each.name)).join(', '),
      ]),
  );

const hottest = ({ functionsBySelf, weight, unit }: ProfileFacts): string =>
  markdownTable(
    [{ title: 'self', right: true }, { title: '%', right: true }, { title: 'function' }, { title: 'object' }],
    functionsBySelf
      .slice(0, MARKDOWN_ROWS)
      .map(({ self, name, object }) => [
        formatWeight(self, unit),
        percent(self / Math.max(weight, Number.MIN_VALUE)),
        code(name),
        object ? code(object) : '',
      ]),
  );

const busiest = ({ threads, weight, unit }: ProfileFacts): string =>
  markdownTable(
    [
      { title: 'weight', right: true },
      { title: '%', right: true },
      { title: 'thread' },
      { title: 'cores', right: true },
    ],
    threads
      .slice(0, MARKDOWN_ROWS)
      .map((thread) => [
        formatWeight(thread.weight, unit),
        percent(thread.weight / Math.max(weight, Number.MIN_VALUE)),
        `${code(thread.comm)} ${thread.tid < 0 ? '' : thread.tid}`.trim(),
        thread.coresBusy === undefined ? '' : coresText(thread.coresBusy, thread.samples),
      ]),
  );
