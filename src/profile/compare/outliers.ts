import { functionWeights } from '../functions.ts';
import type { Comparison, Profile } from '../profile.ts';
import { FEW_SAMPLES, isThreadStart } from '../quality.ts';
import { closed } from '../tree.ts';
import { type Change, changesOf } from './changes.ts';
import { againstOthers, type OneTree, oneTree, type Side } from './one-tree.ts';

/** A function that differs between a profile and the others. Shares are of the CPU of each, with callees, 0 to 1. */
export interface Difference {
  readonly name: string;
  readonly kind: string;
  readonly share: number;
  readonly othersShare: number;
  /** The p-value, adjusted for the number of functions and of profiles. */
  readonly chance: number;
}

/** A profile that differs from others; profiles are numbered as they were given. */
export interface Outlier {
  readonly of: number;
  /** The profiles that it was compared with: all that were not named before it. */
  readonly others: readonly number[];
  /**
   * The functions that differ most, first those with a larger share than in the others; each has a difference that the others
   * here do not explain.
   */
  readonly functions: readonly Difference[];
}

export interface Outliers {
  /** The most different first. Of two profiles that differ from each other, both are here. */
  readonly outliers: readonly Outlier[];
  /** Profiles with too few samples to be compared. */
  readonly tooFew: readonly number[];
  /** Profiles that are not compared because their callers were found in another way than those of most profiles. */
  readonly otherWay: readonly number[];
}

/** A difference of shares that is smaller than this does not make an outlier, however certain it is. */
export const LEAST_DIFFERENCE = 0.05;
/**
 * A profile is named if such a difference has a smaller probability in all comparisons together: as small as diff asks for
 * before it calls a change significant and not only likely, because programs that stay in a function for long vary more than
 * the test can see in few samples (test/profile/compare/outliers.test.ts).
 */
const LEVEL = 0.001;
/** Functions of an outlier. */
const MOST_FUNCTIONS = 3;
/** Functions whose differences are at least this part of the largest one differ as much as it, but for chance. */
const AS_MUCH = 0.9;

/**
 * Which profiles differ from the rest, by the test that diff has (significance.ts). The most different one is tested first
 * and then left out of the others, because an outlier among the others makes ordinary profiles differ from them. This goes
 * on until no profile differs from the rest. Only profiles whose callers were found in one way are compared, because another
 * way names other functions in the same program. The profiles must have the same event and unit.
 */
export function findOutliers(profiles: readonly Profile[]): Outliers {
  const tooFew = profiles.flatMap(({ samples }, at) => (samples < FEW_SAMPLES ? [at] : []));
  const enough = [...profiles.keys()].filter((at) => !tooFew.includes(at));
  const byWay = Map.groupBy(enough, (at) => profiles[at]!.about.stacks?.way);
  let rest = [...byWay.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  const otherWay = enough.filter((at) => !rest.includes(at));
  const many = rest.length;
  if (many < 2) return { outliers: [], tooFew, otherWay };
  const all = oneTree(profiles);
  const outliers: Outlier[] = [];
  while (rest.length > 1) {
    const othersOf = (of: number) => rest.filter((each) => each !== of);
    const differing = (of: number): Outlier | undefined => {
      const others = othersOf(of);
      const functions = differencesOf(all, of, others, many);
      return functions.length > 0 ? { of, others, functions } : undefined;
    };
    if (rest.length === 2) {
      // The one that has most of something that the other one has less of comes first.
      const more = ({ functions: [most] }: Outlier) => most!.share - most!.othersShare;
      const pair = rest.flatMap((of) => differing(of) ?? []);
      outliers.push(...pair.sort((a, b) => more(b) - more(a)));
      break;
    }
    const found = firstOf(byDistance(all, rest), differing);
    if (!found) break;
    outliers.push(found);
    rest = othersOf(found.of);
  }
  return { outliers, tooFew, otherWay };
}

/** The first result, of values that are tried in turn. */
function firstOf<T>(values: readonly number[], of: (value: number) => T | undefined): T | undefined {
  for (const value of values) {
    const result = of(value);
    if (result !== undefined) return result;
  }
  return undefined;
}

/** The profiles whose shares of functions are furthest from the sum of the rest, the furthest first. */
function byDistance({ frames, sides }: OneTree, rest: readonly number[]): number[] {
  const distance = new Map(
    rest.map((of) => {
      const one = sharesOf(frames.length, [sides[of]!]);
      const others = sharesOf(
        frames.length,
        rest.flatMap((each) => (each === of ? [] : [sides[each]!])),
      );
      return [of, one.reduce((sum, share, at) => sum + Math.abs(share - others[at]!), 0)];
    }),
  );
  return [...rest].sort((a, b) => distance.get(b)! - distance.get(a)! || a - b);
}

/** The share of each function by self. */
function sharesOf(frames: number, sides: readonly Side[]): Float64Array {
  const shares = new Float64Array(frames);
  const all = sides.reduce((sum, { profile }) => sum + profile.tree.total[0]!, 0);
  for (const { functions } of sides)
    functions.self.forEach((weight, at) => {
      shares[at]! += weight / (all || 1);
    });
  return shares;
}

/** The functions in which a profile differs from others; none if it does not. */
function differencesOf(all: OneTree, of: number, others: readonly number[], many: number): Difference[] {
  const one = all.sides[of]!;
  const rest = others.map((other) => all.sides[other]!);
  // The test takes much longer than this look at the shares.
  if (!mayDiffer(all, one, rest)) return [];
  const comparison = againstOthers(all, one, rest);
  const changes = changesOf(comparison).byTotal.filter(
    (change) =>
      adjustedFor(many, change) < LEVEL &&
      Math.abs(change.afterShare - change.beforeShare) >= LEAST_DIFFERENCE &&
      !isThreadStart(change.name),
  );
  const functions = mostTelling(comparison, changes).map((change) => ({
    name: change.name,
    kind: change.kind,
    share: change.afterShare,
    othersShare: change.beforeShare,
    chance: adjustedFor(many, change),
  }));
  // What a pod does more than the others says more about it than what it does less.
  const isMore = ({ share, othersShare }: Difference) => Number(share > othersShare);
  return functions.sort((a, b) => isMore(b) - isMore(a));
}

const adjustedFor = (many: number, { chance = 1 }: Change): number => Math.min(1, chance * many);

function mayDiffer({ frames }: OneTree, one: Side, others: readonly Side[]): boolean {
  const [own, all] = [
    one.profile.tree.total[0]!,
    others.reduce((sum, { profile }) => sum + profile.tree.total[0]!, 0),
  ];
  return frames.some(({ kind }, at) => {
    if (kind === 'thread') return false;
    const theirs = others.reduce((sum, { functions }) => sum + functions.total[at]!, 0);
    return Math.abs(one.functions.total[at]! / (own || 1) - theirs / (all || 1)) >= LEAST_DIFFERENCE;
  });
}

/**
 * The functions that differ most. A caller, and what a function calls, differ about as much as the function itself: so of those
 * that differ as much as the largest does, the one with the smallest shares is chosen, which says most (a command's function,
 * and not the dispatcher that calls each command). After each choice, the stacks with that function no longer count.
 */
function mostTelling(comparison: Comparison, changes: readonly Change[]): Change[] {
  const { frames, tree, beforeTotal } = comparison;
  const chosen: Change[] = [];
  const number = new Map(frames.map(({ kind, name }, at) => [`${kind} ${name}`, at]));
  const after = tree.self.slice();
  const before = comparison.beforeSelf.slice();
  while (chosen.length < MOST_FUNCTIONS) {
    const left = [after, before].map((self) =>
      functionWeights(tree, frames.length, { self, total: closed(tree.parent, self).total }),
    );
    const shares = ({ kind, name }: Change, by: 'self' | 'total') => {
      const at = number.get(`${kind} ${name}`)!;
      return [left[0]![by][at]! / (tree.total[0]! || 1), left[1]![by][at]! / (beforeTotal[0]! || 1)] as const;
    };
    const candidates = changes.map((change) => {
      const [own, others] = shares(change, 'total');
      const [ownSelf, othersSelf] = shares(change, 'self');
      return {
        change,
        difference: Math.abs(own - others),
        both: own + others,
        self: Math.abs(ownSelf - othersSelf),
      };
    });
    const largest = Math.max(0, ...candidates.map(({ difference }) => difference));
    if (largest < LEAST_DIFFERENCE) return chosen;
    const [most] = candidates
      .filter(({ difference }) => difference >= AS_MUCH * largest)
      .sort((a, b) => a.both - b.both || b.self - a.self || (a.change.name < b.change.name ? -1 : 1));
    chosen.push(most!.change);
    leaveOut(tree, number.get(`${most!.change.kind} ${most!.change.name}`)!, after, before);
  }
  return chosen;
}

/** Sets the weights of all stacks with this function to 0. */
function leaveOut(
  { frame, next }: Comparison['tree'],
  of: number,
  ...weights: ReadonlyArray<Float64Array>
): void {
  for (let node = 1; node < frame.length; node += 1) {
    if (frame[node] !== of) continue;
    for (const weight of weights) weight.fill(0, node, next[node]!);
    node = next[node]! - 1;
  }
}
