import { type Column, table } from '../output/table.ts';
import { type Difference, LEAST_DIFFERENCE, type Outliers } from './compare/outliers.ts';
import { coresOf, coresText } from './cores.ts';
import { secondsText } from './counters.ts';
import { type PodPart, recordedName } from './merge-by-pod.ts';
import { FEW_SAMPLES } from './quality.ts';
import { type StacksBy, stacksText } from './unwinding.ts';

/** What a pod or a node used of the CPU, and in what its profile differs from those of the others. */
export interface PodRow {
  /** Absent for a node. */
  readonly namespace?: string;
  readonly name: string;
  /** The container, if only one was recorded or only one runs. */
  readonly container?: string;
  readonly node?: string;
  readonly samples: number;
  /** Undefined if the input does not say. */
  readonly lost?: number;
  /** Mean cores busy, by the samples; undefined if it cannot be computed from them (cores.ts). */
  readonly cores?: number;
  /** The same by the kernel's counters of the pod. */
  readonly countedCores?: number;
  /** The pod's tightest CPU limit; null: there is no limit. */
  readonly limitCores?: number | null;
  readonly throttledSeconds?: number;
  /** The share of the limit's periods in which it was throttled, 0 to 1. */
  readonly throttledShare?: number;
  /** How its callers were found, if the input says it. */
  readonly stacks?: StacksBy;
  /** Whether the profile was compared with the others, and what came out. */
  readonly comparison: 'differs' | 'alike' | 'too few samples' | 'not compared';
  /** For a profile that differs: the functions, and with how many of the pods it was compared. */
  readonly functions: readonly Difference[];
  readonly others: number;
  /** The only pod that it was compared with. */
  readonly other?: string;
}

/** What to call a recording: with the namespace or the container where the name alone may mean several. */
export function labelsOf(
  pods: ReadonlyArray<Pick<PodPart['pod'], 'namespace' | 'name' | 'container'>>,
): string[] {
  const isOneNamespace = new Set(pods.map(({ namespace }) => namespace)).size === 1;
  const names = pods.map((pod) => (isOneNamespace ? pod.name : recordedName(pod)));
  return names.map((name, at) =>
    names.indexOf(name) === names.lastIndexOf(name) || pods[at]!.container === undefined
      ? name
      : `${name}, ${pods[at]!.container}`,
  );
}

/**
 * A row for each pod: those that differ first, the most different one at the top, then the busiest. `outliers` is undefined
 * if the profiles could not be compared.
 */
export function podRows(parts: readonly PodPart[], outliers: Outliers | undefined): PodRow[] {
  const labels = labelsOf(parts.map(({ pod }) => pod));
  const rows = parts.map(({ pod, profile }, at): PodRow => {
    const { about, samples, lost } = profile;
    const { cpu } = about;
    const seconds = cpu?.seconds ?? about.seconds ?? 0;
    const cores = coresOf(profile, samples);
    const { periods = 0, throttledPeriods = 0 } = cpu?.throttling ?? {};
    const outlier = outliers?.outliers.find(({ of }) => of === at);
    return {
      ...(pod.namespace !== undefined && { namespace: pod.namespace }),
      name: pod.name,
      ...(pod.container !== undefined && { container: pod.container }),
      ...(about.node !== undefined && { node: about.node }),
      samples,
      ...(lost !== undefined && { lost }),
      ...(cores !== undefined && { cores }),
      ...(cpu?.usedSeconds !== undefined && seconds > 0 && { countedCores: cpu.usedSeconds / seconds }),
      ...(cpu?.limitCores !== undefined && { limitCores: cpu.limitCores }),
      ...(cpu?.throttledSeconds !== undefined && { throttledSeconds: cpu.throttledSeconds }),
      ...(periods > 0 && { throttledShare: throttledPeriods / periods }),
      ...(about.stacks && { stacks: about.stacks }),
      comparison: outlier ? 'differs' : comparisonOf(at, parts.length, outliers),
      functions: outlier?.functions ?? [],
      others: outlier?.others.length ?? 0,
      ...(outlier?.others.length === 1 && { other: labels[outlier.others[0]!]! }),
    };
  });
  const rank = (at: number) => {
    const place = outliers?.outliers.findIndex(({ of }) => of === at) ?? -1;
    return place < 0 ? parts.length : place;
  };
  const coresOfRow = ({ cores, countedCores }: PodRow) => cores ?? countedCores;
  const haveCores = rows.every((row) => coresOfRow(row) !== undefined);
  const busy = (row: PodRow) => (haveCores ? coresOfRow(row)! : row.samples);
  return [...rows.keys()]
    .sort(
      (a, b) => rank(a) - rank(b) || busy(rows[b]!) - busy(rows[a]!) || (labels[a]! < labels[b]! ? -1 : 1),
    )
    .map((at) => rows[at]!);
}

/** Of a pod that does not differ. */
function comparisonOf(
  at: number,
  pods: number,
  outliers: Outliers | undefined,
): Exclude<PodRow['comparison'], 'differs'> {
  if (!outliers) return 'not compared';
  if (outliers.tooFew.includes(at)) return 'too few samples';
  const compared = pods - outliers.tooFew.length - outliers.otherWay.length;
  return outliers.otherWay.includes(at) || compared < 2 ? 'not compared' : 'alike';
}

/** Whether nodes were recorded, and not pods. */
export const areNodes = (rows: ReadonlyArray<Pick<PodRow, 'namespace'>>): boolean =>
  rows.every(({ namespace }) => namespace === undefined);

const COLUMNS: readonly Column[] = [
  { title: 'POD' },
  { title: 'NODE' },
  { title: 'SAMPLES', right: true },
  { title: 'CORES', right: true },
  { title: 'THROTTLED', right: true },
  { title: 'DIFFERS' },
];

/** The rows as a table for people. */
export function podTable(rows: readonly PodRow[]): string {
  const labels = labelsOf(rows);
  const ofNodes = areNodes(rows);
  return table(
    ofNodes ? COLUMNS.slice(1) : COLUMNS,
    rows.map((row, at) => [
      ...(ofNodes ? [] : [labels[at]!]),
      row.node ?? '-',
      String(row.samples),
      coresCell(row),
      throttledText(row),
      differsText(row),
    ]),
  );
}

/** The cores by the samples, or else by the counters. */
export const coresCell = ({ cores, countedCores, samples }: PodRow): string =>
  cores !== undefined ? coresText(cores, samples) : (countedCores?.toFixed(2) ?? '-');

/** `94 %, 6.10 s`: the share of periods, and the time; `-` if it is not known, `no` if it was not throttled. */
export function throttledText({ throttledSeconds, throttledShare }: PodRow): string {
  if (throttledSeconds === undefined) return '-';
  if (throttledSeconds === 0) return 'no';
  const share = throttledShare === undefined ? '' : `${percent(throttledShare)}, `;
  return `${share}${secondsText(throttledSeconds)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** The cell of the column DIFFERS: the function that differs most. */
export function differsText({ comparison, functions: [most], other }: PodRow): string {
  if (most) return sharesText(most, other);
  return comparison === 'too few samples' ? comparison : comparison === 'alike' ? 'no' : '-';
}

/** `sortCommand 36 %, others 0 %`; `other`: the only pod that it was compared with. */
const sharesText = ({ name, share, othersShare }: Difference, other = 'others'): string =>
  `${name} ${percent(share)}, ${other} ${percent(othersShare)}`;

/** What differs, a sentence for each pod that does, or for a pair that differ from each other; and what was not compared. */
export function outlierLines(rows: readonly PodRow[]): string[] {
  const labels = labelsOf(rows);
  const compared = rows.filter(({ comparison }) => comparison === 'differs' || comparison === 'alike').length;
  const differing = rows.flatMap(({ functions: [most, ...more], others, other }, at) => {
    if (!most) return [];
    const pair = other === undefined ? -1 : labels.indexOf(other);
    // What the second of a pair has less of, the first one has more of.
    if (pair >= 0 && pair < at && rows[pair]!.other === labels[at]) return [];
    const whom = other ?? (others === compared - 1 ? 'the others' : `the ${others} that are not named above`);
    const shares = [
      `${most.name} ${percent(most.share)} of its CPU, ${percent(most.othersShare)} in ${whom}`,
      ...more.map((each) => sharesText(each, other)),
    ];
    return [
      `${labels[at]} differs${other === undefined ? '' : ` from ${other}`}: ${shares.join('; ')} (significant, p < 0.001)`,
    ];
  });
  const few = rows.flatMap(({ comparison }, at) => (comparison === 'too few samples' ? [labels[at]!] : []));
  return [
    ...differing,
    ...(differing.length === 0 && compared > 1
      ? [
          `no ${areNodes(rows) ? 'node' : 'pod'} differs from the others: no function's share of the CPU differs significantly by ${Math.round(100 * LEAST_DIFFERENCE)} points or more`,
        ]
      : []),
    ...(few.length > 0 ? [`too few samples to compare (fewer than ${FEW_SAMPLES}): ${few.join(', ')}`] : []),
    ...otherWays(rows, labels),
    ...rows.flatMap((row, at) => disagreement(row, labels[at]!)),
  ];
}

/** Which pods are compared with none because their callers were found in different ways. */
function otherWays(rows: readonly PodRow[], labels: readonly string[]): string[] {
  const known = [...rows.keys()].filter(
    (at) => rows[at]!.stacks && rows[at]!.comparison !== 'too few samples',
  );
  const ways = Map.groupBy(known, (at) => rows[at]!.stacks!.way);
  if (ways.size < 2) return [];
  const of = [...ways.values()].map(
    (pods) => `${stacksText(rows[pods[0]!]!.stacks!)} in ${pods.map((at) => labels[at]!).join(', ')}`,
  );
  return [
    `callers were found by ${of.join(', and by ')}; only pods with the same way are compared (--call-graph chooses one for all)`,
  ];
}

/** A difference between samples and counters that is larger than this share is reported, if it is not chance. */
const MUCH = 0.1;

/** Cores by samples that are not those by the counters: perf did not see all of the CPU time, or saw that of another time. */
function disagreement({ cores, countedCores, samples }: PodRow, label: string): string[] {
  if (cores === undefined || countedCores === undefined) return [];
  const error = cores / Math.sqrt(Math.max(1, samples));
  const apart = Math.abs(cores - countedCores);
  if (apart <= Math.max(MUCH * countedCores, 4 * error, 0.01)) return [];
  return [
    `${label}: the samples show ${coresText(cores, samples)} cores busy, the kernel's counters ${countedCores.toFixed(2)}`,
  ];
}
