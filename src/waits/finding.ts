import { printable } from '../text/printable.ts';
import type { Category } from './categories.ts';
import { type GroupFacts, ranBeside, type ThrottlingFacts, type WaitsFacts } from './facts.ts';
import { cpuQuantity, groupWords, neighbourText, peerWords, shareText } from './wording.ts';

/** Time that a group lost, and to what. */
interface Loss {
  readonly group: GroupFacts;
  readonly seconds: number;
  readonly share: number;
  readonly text: string;
}

/** Less than this share of a group's time does not stand out. */
const LEAST_SHARE = 0.05;
/** Nor does less than this share of the time in which all threads did something or waited for something. */
const LEAST_OF_ALL = 0.02;
/** So much of the time of all threads is idle in a pod that is called idle. */
const IDLE_SHARE = 0.9;
/** A group that runs for so much of its time is busy. */
const BUSY_SHARE = 0.5;

/**
 * What stands out, in one sentence with its figures. It names no cause, only what the threads waited for. A wait for work or for
 * another thread of the same program never stands out, because a healthy program waits so. Names of threads and files are those
 * of the pod, so the sentence is made printable.
 */
export const findingOf = (facts: WaitsFacts): string => printable(sentenceOf(facts));

function sentenceOf(facts: WaitsFacts): string {
  const { groups } = facts;
  const active = groups.reduce((sum, group) => sum + activeSeconds(group), 0);
  const losses = groups
    .flatMap((group) => lossesOf(group, facts))
    .filter(({ share, seconds }) => share >= LEAST_SHARE && seconds >= LEAST_OF_ALL * active)
    .sort((one, other) => other.seconds - one.seconds);
  const [first] = losses;
  if (!first) return withoutLoss(facts);
  const same = losses.filter(({ group }) => group === first.group).slice(0, MOST_CLAUSES);
  const clauses = same.map(({ share, text }) => `${shareText(share)} ${text}`);
  const list = clauses.length > 1 ? `${clauses.slice(0, -1).join(', ')} and ${clauses.at(-1)}` : clauses[0]!;
  return `What stands out: ${groupWords(first.group)} spent ${list}.`;
}

const MOST_CLAUSES = 3;

const activeSeconds = ({ seconds, shares }: GroupFacts): number =>
  seconds * (1 - shares.idle - shares.sleep - shares.condition);

function lossesOf(group: GroupFacts, facts: WaitsFacts): Loss[] {
  const { shares, seconds, waits } = group;
  const loss = (share: number, text: string): Loss => ({ group, seconds: share * seconds, share, text });
  const named = waits.filter(({ category }) => category === 'network');
  const unnamed = shares.network - named.reduce((sum, { share }) => sum + share, 0);
  return [
    loss(shares.throttled, `throttled${limitText(group, facts.throttling)}`),
    loss(shares.queued, `in the queue of a CPU${neighbourClause(group, facts)}`),
    ...named.map((each) => loss(each.share, `waiting for ${peerWords(each)} (network)`)),
    loss(unnamed, 'waiting for an unknown peer (network)'),
    loss(shares.lock, `waiting for ${locksText(group)}`),
    loss(shares.disk, `waiting for the disk${mostOf(group, 'disk')}`),
    loss(shares.stopped, 'stopped by a signal or a debugger'),
  ];
}

function limitText(group: GroupFacts, throttling: readonly ThrottlingFacts[]): string {
  const own = throttling.filter(
    ({ container, throttledPeriods }) =>
      throttledPeriods > 0 && (container === undefined || container === group.container),
  );
  const most = own.sort((one, other) => other.throttledSeconds - one.throttledSeconds)[0];
  if (!most) return '';
  const { limitCores, periods, throttledPeriods } = most;
  const limit = limitCores === undefined ? '' : ` by the CPU limit of ${cpuQuantity(limitCores)}`;
  return `${limit} (in ${throttledPeriods} of ${periods} periods)`;
}

function neighbourClause(group: GroupFacts, facts: WaitsFacts): string {
  const [most] = ranBeside(facts, group);
  return most ? ` (for ${shareText(most.share)} of it ${neighbourText(most)} ran there)` : '';
}

/** Names the lock if there was only one. The address of one of many means nothing to people. */
function locksText({ waits }: GroupFacts): string {
  const locks = waits.filter(({ category }) => category === 'lock');
  return locks.length === 1 && locks[0]!.what !== undefined ? `the lock ${locks[0]!.what}` : 'locks';
}

/** What most of a category's time was for, if there is one such thing. */
function mostOf({ waits, shares }: GroupFacts, category: Category): string {
  const most = waits.find((each) => each.category === category);
  return most?.what !== undefined && most.share >= 0.5 * shares[category] ? ` (${most.what})` : '';
}

function withoutLoss({ groups }: WaitsFacts): string {
  const all = groups.reduce((sum, { seconds }) => sum + seconds, 0);
  const share = (of: (group: GroupFacts) => number) =>
    groups.reduce((sum, group) => sum + group.seconds * of(group), 0) / (all || 1);
  const busy = groups
    .filter(({ shares }) => shares.running >= BUSY_SHARE)
    .sort((one, other) => other.seconds * other.shares.running - one.seconds * one.shares.running)[0];
  if (busy)
    return `No wait stands out: ${groupWords(busy)} ran on a CPU for ${shareText(busy.shares.running)} of the time; kubectl gkeprof flamegraph shows in which functions.`;
  const idle = share(({ shares }) => shares.idle + shares.sleep + shares.condition);
  if (idle >= IDLE_SHARE)
    return `No wait stands out: for ${shareText(idle)} of the time the threads were idle, asleep by their own choice, or waiting for each other.`;
  return `No wait stands out: none took ${LEAST_SHARE * 100} % of the time of a group of threads.`;
}
