import { table } from '../output/table.ts';
import { printable } from '../text/printable.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { CATEGORIES, type Category } from './categories.ts';
import { type GroupFacts, ranBeside, type WaitsFacts } from './facts.ts';
import { cpuQuantity, neighbourText, shareText, waitText } from './wording.ts';

/** More rows do not fit a screen. The result for programs has all of them. */
const MOST_GROUPS = 20;
const MOST_WAITS = 20;
/** A wait with a smaller share has no row of its own. */
const LEAST_SHARE = 0.01;

/** The categories that any of the groups has. */
export const categoriesOf = (groups: readonly GroupFacts[]): readonly Category[] =>
  CATEGORIES.filter((each) => groups.some(({ shares }) => shares[each] > 0));

/** A column that says which threads a row is of, where the name of the group alone does not. */
interface NameColumn {
  readonly title: string;
  readonly of: (group: GroupFacts) => string;
}

/** The columns that tell the groups apart: containers and processes only where they differ. */
export function nameColumns(groups: readonly GroupFacts[]): readonly NameColumn[] {
  const containers = new Set(groups.map(({ container }) => container));
  const process = groups.some((group) => group.process !== group.name);
  return [
    ...(containers.size > 1
      ? [{ title: 'CONTAINER', of: ({ container = '-' }: GroupFacts) => container }]
      : []),
    ...(process ? [{ title: 'PROCESS', of: ({ process: name }: GroupFacts) => name }] : []),
    { title: 'THREADS', of: ({ name }: GroupFacts) => name },
  ];
}

/** The groups as a table of shares, one row each. */
export function groupTable(groups: readonly GroupFacts[]): string {
  const names = nameColumns(groups);
  const categories = categoriesOf(groups);
  return table(
    [
      ...names.map(({ title }) => ({ title, longest: 40 })),
      { title: 'COUNT', right: true },
      ...categories.map((each) => ({ title: each.toUpperCase(), right: true })),
    ],
    groups
      .slice(0, MOST_GROUPS)
      .map((group) => [
        ...names.map(({ of }) => of(group)),
        String(group.threads),
        ...categories.map((each) => (group.shares[each] > 0 ? shareText(group.shares[each]) : '-')),
      ]),
  );
}

/** What the groups waited for, the longest first: rows of `[group, category, what, share]`. */
export function waitRows(
  groups: readonly GroupFacts[],
  most = MOST_WAITS,
): Array<readonly [group: GroupFacts, category: Category, what: string, share: number]> {
  return groups
    .flatMap((group) =>
      group.waits
        // The address of a condition variable says nothing to people.
        .filter(({ share, category }) => share >= LEAST_SHARE && category !== 'condition')
        .map((wait) => [group, wait.category, waitText(wait), wait.share] as const),
    )
    .sort((one, other) => other[3] * other[0].seconds - one[3] * one[0].seconds)
    .slice(0, most);
}

export function waitTable(groups: readonly GroupFacts[]): string {
  const names = nameColumns(groups);
  const rows = waitRows(groups);
  if (rows.length === 0) return '';
  return table(
    [
      ...names.map(({ title }) => ({ title, longest: 40 })),
      { title: 'WAITS' },
      { title: 'SHARE', right: true },
      { title: 'FOR', longest: 80 },
    ],
    rows.map(([group, category, what, share]) => [
      ...names.map(({ of }) => of(group)),
      category,
      shareText(share),
      what,
    ]),
  );
}

/** What else is known, one sentence each. */
export function noteLines(facts: WaitsFacts): string[] {
  const { throttling, groups, missedThreads = 0, stealShare = 0 } = facts;
  const queued = (group: GroupFacts) => group.seconds * group.shares.queued;
  const [waited] = [...groups].sort((one, other) => queued(other) - queued(one));
  const ran = waited ? ranBeside(facts, waited) : [];
  return [
    ...throttling.map(({ container, limitCores, throttledSeconds, periods, throttledPeriods }) => {
      const whose = container === undefined ? 'pod or of a cgroup above it' : `container ${container}`;
      const limit = limitCores === undefined ? '' : ` of ${cpuQuantity(limitCores)}`;
      return throttledPeriods > 0
        ? `The CPU limit${limit} of the ${whose} throttled it in ${throttledPeriods} of ${periods} periods, for ${formatDuration(throttledSeconds)} summed over CPUs.`
        : `The CPU limit${limit} of the ${whose} did not throttle it.`;
    }),
    ...(ran.length > 0 && groups.some(({ shares }) => shares.queued >= LEAST_SHARE)
      ? [
          `On the CPUs that threads waited for ran: ${ran
            .slice(0, MOST_NEIGHBOURS)
            .map((each) => `${neighbourText(each)} ${shareText(each.share)}`)
            .join(', ')}.`,
        ]
      : []),
    ...(stealShare >= LEAST_SHARE
      ? [`The hypervisor took ${shareText(stealShare)} of the time of the node's CPUs.`]
      : []),
    ...(missedThreads > 0
      ? [
          missedThreads === 1
            ? '1 thread came and went between two looks, or was one too many to look at: its time is not in the tables.'
            : `${missedThreads} threads came and went between two looks, or were too many to look at: their time is not in the tables.`,
        ]
      : []),
    ...(groups.length > MOST_GROUPS
      ? [`${counted(groups.length - MOST_GROUPS, 'more group')} of threads: -o json has all of them.`]
      : []),
  ].map((line) => printable(line));
}

const MOST_NEIGHBOURS = 3;
