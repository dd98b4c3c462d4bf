import { type Column, table } from '../output/table.ts';
import { counted } from '../quantity.ts';
import { adjusted, chanceOf } from './chance.ts';
import type { Comparison } from './profile.ts';
import { formatWeight } from './top.ts';
import { compareText } from './tree.ts';

export interface Mover {
  readonly name: string;
  readonly kind: string;
  /** Self, as counted, in the comparison's unit. */
  readonly before: number;
  readonly after: number;
  /** Of the profile's total, 0 to 1. */
  readonly beforeShare: number;
  readonly afterShare: number;
  /** After minus before, the latter made comparable; in the comparison's unit. */
  readonly delta: number;
  /** Of two counts as far apart, or farther, if nothing had changed; adjusted for so many functions being looked at. */
  readonly chance: number;
  readonly verdict: 'clear' | 'likely' | 'within chance';
}

/**
 * The functions whose own share moved the most, with how likely chance alone is (see chance.ts). Samples that fall on a
 * function are counts with Poisson's law; where there is nothing to make them comparable by, nothing is claimed.
 */
export function moversOf(comparison: Comparison, rows = 20): Mover[] {
  const { frames, tree, beforeSelf, beforeFactor } = comparison;
  const before = new Float64Array(frames.length);
  const after = new Float64Array(frames.length);
  for (let node = 1; node < tree.frame.length; node += 1) {
    before[tree.frame[node]!]! += beforeSelf[node]!;
    after[tree.frame[node]!]! += tree.self[node]!;
  }
  const beforeTotal = comparison.beforeTotal[0]!;
  const afterTotal = tree.total[0]!;
  const seen = frames.flatMap((frame, at) =>
    before[at]! + after[at]! > 0 && frame.kind !== 'thread' ? [at] : [],
  );
  // The law is that of samples, whatever a sample weighs.
  const weights = [beforeTotal / comparison.beforeSamples, afterTotal / comparison.afterSamples] as const;
  const perBefore = weights[0] || weights[1] || 1;
  const perAfter = weights[1] || weights[0] || 1;
  const exposure = (beforeFactor * perBefore) / perAfter;
  const incomparable = comparison.normalizedBy === 'total' && !(beforeTotal && afterTotal);
  const chances = adjusted(
    seen.map((at) =>
      incomparable ? 1 : chanceOf(before[at]! / perBefore, after[at]! / perAfter, exposure / (1 + exposure)),
    ),
  );
  return seen
    .map((at, index): Mover => {
      const chance = chances[index]!;
      return {
        name: frames[at]!.name,
        kind: frames[at]!.kind,
        before: before[at]!,
        after: after[at]!,
        beforeShare: beforeTotal ? before[at]! / beforeTotal : 0,
        afterShare: afterTotal ? after[at]! / afterTotal : 0,
        delta: after[at]! - before[at]! * beforeFactor,
        chance,
        verdict: chance < 0.001 ? 'clear' : chance < 0.05 ? 'likely' : 'within chance',
      };
    })
    .sort((a, b) => Math.abs(b.delta) - Math.abs(a.delta) || compareText(a.name, b.name))
    .slice(0, rows);
}

/** The movers as a table, with how the two profiles were made comparable. */
export function printMovers(comparison: Comparison, movers: readonly Mover[]): string {
  const amount = (weight: number) => formatWeight(weight, comparison.unit);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const signed = (value: number) =>
    `${value > 0 ? '+' : value < 0 ? '\u2212' : ''}${amount(Math.abs(value))}`;
  const points = ({ beforeShare, afterShare }: Mover) => {
    const change = 100 * (afterShare - beforeShare);
    return `${change >= 0 ? '+' : '\u2212'}${Math.abs(change).toFixed(1)}`;
  };
  const by = comparison.normalizedBy === 'duration' ? 'how long both were recorded' : 'their totals';
  const factor = comparison.beforeFactor.toPrecision(3);
  const column = (title: string): Column => ({ title, right: true });
  return `${counted(comparison.beforeSamples, 'sample')} before, ${comparison.afterSamples} after; made comparable by ${by} (before × ${Number(factor)})
${table(
  [
    column('BEFORE'),
    column('%'),
    column('AFTER'),
    column('%'),
    column('POINTS'),
    column('CHANGE'),
    { title: 'IS IT A CHANGE?' },
    { title: 'FUNCTION' },
  ],
  movers.map((mover) => [
    amount(mover.before),
    percent(mover.beforeShare),
    amount(mover.after),
    percent(mover.afterShare),
    points(mover),
    mover.before === 0 ? 'new' : mover.after === 0 ? 'gone' : signed(mover.delta),
    `${mover.verdict} (${mover.chance < 0.001 ? '< 0.001' : mover.chance.toFixed(3)})`,
    mover.name,
  ]),
)}`;
}
