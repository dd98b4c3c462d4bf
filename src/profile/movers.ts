import { type Column, table } from '../output/table.ts';
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
 * The functions whose own share moved the most, with how likely chance alone is. Samples that fall on a function are
 * counts with Poisson's law; given both counts, the one after is binomial with the share of the exposure after
 * (Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31, 1940).
 * p-values are adjusted by Benjamini and Hochberg's procedure (J. R. Stat. Soc. B 57, 1995).
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
  const perBefore = beforeTotal / Math.max(1, comparison.beforeSamples) || 1;
  const perAfter = afterTotal / Math.max(1, comparison.afterSamples) || 1;
  const exposure = (beforeFactor * perBefore) / perAfter;
  const p = seen.map((at) =>
    chanceOf(
      before[at]! / perBefore,
      after[at]! / perAfter,
      1 / (1 + 1 / Math.max(exposure, Number.MIN_VALUE)),
    ),
  );
  const adjusted = adjust(p);
  return seen
    .map((at, index): Mover => {
      const chance = adjusted[index]!;
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

/**
 * How likely two counts are at least as far apart as these if nothing changed: two-sided, by the exact binomial up to
 * 2,000 samples, by its normal approximation beyond. `share` is the part of all exposure that is after.
 */
export function chanceOf(before: number, after: number, share: number): number {
  const n = Math.round(before + after);
  const k = Math.round(after);
  if (n === 0 || share <= 0 || share >= 1) return 1;
  if (n > 2000) {
    const z = Math.max(0, Math.abs(k - n * share) - 0.5) / Math.sqrt(n * share * (1 - share));
    return erfc(z / Math.SQRT2);
  }
  let log = 0;
  const logs = [n * Math.log(1 - share)];
  for (let i = 1; i <= n; i += 1) {
    log += Math.log((n - i + 1) / i);
    logs.push(log + i * Math.log(share) + (n - i) * Math.log(1 - share));
  }
  const own = logs[k]! + 1e-9;
  return Math.min(
    1,
    logs.reduce((sum, each) => (each <= own ? sum + Math.exp(each) : sum), 0),
  );
}

/** Abramowitz and Stegun, 7.1.26 with Numerical Recipes' coefficients: relative error below 1.2e-7. */
function erfc(x: number): number {
  const t = 1 / (1 + x / 2);
  const coefficients = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
    1.00002368,
  ];
  const sum = coefficients.reduce((value, each) => each + t * value, 0);
  return t * Math.exp(-x * x - 1.26551223 + t * sum);
}

/** Benjamini and Hochberg: the least p from each rank on, times how many there are over the rank. */
function adjust(p: readonly number[]): number[] {
  const order = p.map((_, at) => at).sort((a, b) => p[b]! - p[a]!);
  const adjusted = new Array<number>(p.length);
  let least = 1;
  order.forEach((at, from) => {
    least = Math.min(least, (p[at]! * p.length) / (p.length - from));
    adjusted[at] = least;
  });
  return adjusted;
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
  return `${comparison.beforeSamples} samples before, ${comparison.afterSamples} after; made comparable by ${by} (before × ${Number(factor)})
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
