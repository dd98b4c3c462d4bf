import { CATEGORIES, type Category, type Peer, type Wait } from './categories.ts';
import type { GroupTimes } from './group-times.ts';
import { shareOf, type Waits } from './waits.ts';

/** What addresses and containers are called in the cluster. */
export interface WaitNames {
  /** `pod/postgres-0`, or `pod/other-namespace/postgres-0`; undefined for an address that nobody there has. */
  readonly ofAddress: (address: string) => string | undefined;
  readonly ofContainer: (
    id: string,
  ) => { readonly namespace: string; readonly pod: string; readonly container: string } | undefined;
}

export const NO_NAMES: WaitNames = { ofAddress: () => undefined, ofContainer: () => undefined };

/** The other side of a connection, with its name. */
export interface PeerFacts {
  readonly name?: string;
  readonly address?: string;
  readonly port?: number;
  readonly protocol: string;
  readonly direction: 'in' | 'out' | 'unknown';
}

/** What the threads of a group waited for, with its share of their time, 0 to 1. */
export interface WaitFacts {
  readonly category: Category;
  readonly share: number;
  readonly peer?: PeerFacts;
  readonly what?: string;
}

/** Threads whose names differ in numbers only. */
export interface GroupFacts {
  readonly name: string;
  readonly process: string;
  readonly container?: string;
  readonly threads: number;
  /** The sum over its threads of the time in which each was seen. */
  readonly seconds: number;
  /** Of that time, 0 to 1. Together they are 1. */
  readonly shares: Readonly<Record<Category, number>>;
  readonly waits: readonly WaitFacts[];
}

export interface ThrottlingFacts {
  /** Undefined for the limit of the whole pod, and of what is above it. */
  readonly container?: string;
  readonly limitCores?: number;
  /** Summed over CPUs, as the kernel counts it. */
  readonly throttledSeconds: number;
  readonly periods: number;
  readonly throttledPeriods: number;
}

/** Who had the CPU for which a thread of the target waited. */
export interface NeighbourFacts {
  /** Undefined for a process of another pod, whose names are no business of this one. */
  readonly name?: string;
  /** `pod/NAME`, where it is known. */
  readonly pod?: string;
  readonly container?: string;
  /** Of the time that threads waited for a CPU, as far as it is known who ran there, 0 to 1. */
  readonly share: number;
}

/** A step of time for the picture: seconds that the threads spent in each category. */
export interface StepFacts {
  readonly seconds: Readonly<Record<Category, number>>;
}

/** Where the time of a target's threads went, with names: what tables, pictures and results for programs are made of. */
export interface WaitsFacts {
  readonly isWhole: boolean;
  readonly damagedLines: number;
  /** ISO 8601; undefined if it is not known. */
  readonly startedAt?: string;
  readonly seconds: number;
  readonly threads: number;
  readonly looksPerSecond: { readonly asked: number; readonly lowest: number };
  readonly groups: readonly GroupFacts[];
  readonly throttling: readonly ThrottlingFacts[];
  readonly ranInstead: readonly NeighbourFacts[];
  readonly missedThreads?: number;
  readonly samplerCpuSeconds: number;
  readonly stealShare?: number;
  readonly pressureShare?: number;
}

/** In a result a share with more digits would only look exact. */
const rounded = (value: number): number => Number(value.toFixed(6));

export function waitsFacts(waits: Waits, names: WaitNames): WaitsFacts {
  const { startedAtUs, missedThreads, stealShare, pressureShare } = waits;
  return {
    isWhole: waits.isWhole,
    damagedLines: waits.damagedLines,
    ...(startedAtUs !== undefined && isDate(startedAtUs) && { startedAt: isoOf(startedAtUs) }),
    seconds: rounded(waits.durationUs / 1e6),
    threads: waits.groups.reduce((sum, { threads }) => sum + threads, 0),
    looksPerSecond: { asked: waits.rateHz, lowest: waits.lowestRateHz },
    groups: waits.groups.map((group) => groupFacts(group, names)),
    throttling: waits.cgroups.map(({ container, limitCores, throttledUs, periods, throttledPeriods }) => ({
      ...(container !== undefined && { container: containerText(container, names) }),
      ...(limitCores !== undefined && { limitCores: rounded(limitCores) }),
      throttledSeconds: rounded(throttledUs / 1e6),
      periods,
      throttledPeriods,
    })),
    ranInstead: neighbours(waits, names),
    ...(missedThreads !== undefined && { missedThreads }),
    samplerCpuSeconds: rounded(waits.ownCpuUs / 1e6),
    ...(stealShare !== undefined && { stealShare: rounded(stealShare) }),
    ...(pressureShare !== undefined && { pressureShare: rounded(pressureShare) }),
  };
}

const isDate = (us: number): boolean => Number.isFinite(new Date(us / 1000).getTime());
const isoOf = (us: number): string => new Date(us / 1000).toISOString();

/** The steps of a group, or of all groups together. */
export const stepsOf = (groups: readonly GroupTimes[]): StepFacts[] => {
  const all = groups.map((group) => group.steps());
  return Array.from({ length: all[0]?.length ?? 0 }, (_, step) => ({
    seconds: byCategory((_category, at) => all.reduce((sum, steps) => sum + steps[step]![at]!, 0) / 1e6),
  }));
};

const byCategory = (value: (category: Category, at: number) => number) =>
  Object.fromEntries(CATEGORIES.map((each, at) => [each, rounded(value(each, at))])) as Record<
    Category,
    number
  >;

function groupFacts(group: GroupTimes, names: WaitNames): GroupFacts {
  const { key, wallUs, threads } = group;
  return {
    name: groupName(group),
    process: oneName(group.processNames, key.process),
    ...(key.container !== undefined && { container: containerText(key.container, names) }),
    threads,
    seconds: rounded(wallUs / 1e6),
    shares: byCategory((category) => shareOf(group, category)),
    waits: group.waits().map(({ wait, us }) => waitFacts(wait, us / wallUs, names)),
  };
}

/** The name of its threads, or what they have in common. */
export const groupName = ({ names, key }: Pick<GroupTimes, 'names' | 'key'>): string =>
  oneName(names, key.pattern);

const oneName = (names: ReadonlySet<string>, pattern: string): string =>
  names.size === 1 ? [...names][0]! : pattern;

function waitFacts({ category, peer, what }: Wait, share: number, names: WaitNames): WaitFacts {
  return {
    category,
    share: rounded(share),
    ...(peer && { peer: peerFacts(peer, names) }),
    ...(what !== undefined && { what }),
  };
}

function peerFacts({ protocol, direction, address, port }: Peer, { ofAddress }: WaitNames): PeerFacts {
  const name = address === undefined ? undefined : ofAddress(address);
  return {
    ...(name !== undefined && { name }),
    ...(address !== undefined && { address }),
    ...(port !== undefined && { port }),
    protocol,
    direction: direction === 'in' || direction === 'out' ? direction : 'unknown',
  };
}

const containerText = (id: string, { ofContainer }: WaitNames): string =>
  ofContainer(id)?.container ?? id.slice(0, 12);

function neighbours(waits: Waits, names: WaitNames): NeighbourFacts[] {
  const all = waits.neighbours.reduce((sum, { waitedNs }) => sum + waitedNs, 0);
  return waits.neighbours.map(({ container, comm, waitedNs }) => {
    const owner = container === undefined ? undefined : names.ofContainer(container);
    return {
      ...(comm !== undefined && { name: comm }),
      ...(owner && { pod: `pod/${owner.pod}` }),
      ...(container !== undefined && { container: containerText(container, names) }),
      share: rounded(all > 0 ? waitedNs / all : 0),
    };
  });
}

/** Who had the CPU while the threads of a group stood in its queue: the only thread of a group did not wait for itself. */
export const ranBeside = (
  { ranInstead }: Pick<WaitsFacts, 'ranInstead'>,
  { name, container, threads }: Pick<GroupFacts, 'name' | 'container' | 'threads'>,
): readonly NeighbourFacts[] =>
  ranInstead.filter(
    (each) =>
      threads > 1 || each.name !== name || each.container === undefined || each.container !== container,
  );
