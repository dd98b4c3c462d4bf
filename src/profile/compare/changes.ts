import { type Column, table } from '../../output/table.ts';
import { counted } from '../../text/quantity.ts';
import { wrap } from '../../text/wrap.ts';
import { functionWeights } from '../functions.ts';
import type { Comparison } from '../profile.ts';
import { formatWeight } from '../top.ts';
import { compareText } from '../tree.ts';
import { sampleWord } from '../weighing.ts';
import { adjustedDiscrete } from './probability.ts';
import { Tests } from './significance.ts';

export type Verdict = 'clear' | 'likely' | 'within chance' | 'not tested';

export interface Change {
  readonly name: string;
  readonly kind: string;
  /** As counted, in the comparison's unit. */
  readonly before: number;
  readonly after: number;
  /** Of the profile's total, 0 to 1. */
  readonly beforeShare: number;
  readonly afterShare: number;
  /** After minus the normalized before, in the comparison's unit. */
  readonly delta: number;
  /**
   * The probability of a difference at least as large if nothing had changed, adjusted for the number of functions.
   * Undefined if nothing can be tested.
   */
  readonly chance?: number;
  readonly verdict: Verdict;
}

export interface Changes {
  /** By self and by total: the significant changes first, then by size. */
  readonly bySelf: readonly Change[];
  readonly byTotal: readonly Change[];
  /** By frame of the comparison: whether it changed by either. */
  readonly changed: Uint8Array;
  /** Whether the test knows when samples were taken, on both sides; undefined where nothing was tested. */
  readonly knowsTimes: boolean | undefined;
}

/**
 * The functions whose share changed, by self or by total, with the p-value of each. The chapter about comparing in
 * docs/profiles.md explains what is tested, and why.
 */
export function changesOf(comparison: Comparison): Changes {
  const { frames, tree, beforeSelf, beforeTotal, beforeFactor, evidence } = comparison;
  const before = functionWeights(tree, frames.length, { self: beforeSelf, total: beforeTotal });
  const after = functionWeights(tree, frames.length, tree);
  const totals = [beforeTotal[0]!, tree.total[0]!] as const;
  const tests = evidence && new Tests(comparison, evidence, [before, after]);
  const sampled = frames.flatMap((frame, at) =>
    before.total[at]! + after.total[at]! > 0 && frame.kind !== 'thread' ? [at] : [],
  );
  const kept = {
    self: sampled.filter((at) => before.self[at]! + after.self[at]! > 0),
    // A function that calls nothing has the same self and total, so one test is enough.
    total: sampled.filter((at) => before.total[at] !== before.self[at] || after.total[at] !== after.self[at]),
  };
  const raw = (['self', 'total'] as const).flatMap((by) => kept[by].map((at) => tests?.of(at, by)));
  const chances = adjustedDiscrete(
    raw.map((test) => test?.chance ?? 1),
    raw.map((test) => test?.least ?? 1),
  );
  const chance = {
    self: new Map(kept.self.map((at, rank) => [at, chances[rank]!])),
    total: new Map(kept.total.map((at, rank) => [at, chances[kept.self.length + rank]!])),
  };
  const changed = new Uint8Array(frames.length);
  for (const by of [chance.self, chance.total])
    for (const [at, value] of by) if (tests && value < LIKELY) changed[at] = 1;
  const rows = (by: 'self' | 'total') =>
    sampled
      .filter((at) => before[by][at]! + after[by][at]! > 0)
      .map((at): Change => {
        const value = (by === 'total' ? chance.total.get(at) : undefined) ?? chance.self.get(at) ?? 1;
        return {
          name: frames[at]!.name,
          kind: frames[at]!.kind,
          before: before[by][at]!,
          after: after[by][at]!,
          beforeShare: totals[0] ? before[by][at]! / totals[0] : 0,
          afterShare: totals[1] ? after[by][at]! / totals[1] : 0,
          delta: after[by][at]! - before[by][at]! * beforeFactor,
          ...(tests && { chance: value }),
          verdict: tests ? verdictOf(value) : 'not tested',
        };
      })
      .sort(
        (a, b) =>
          Number(isChange(b)) - Number(isChange(a)) ||
          Math.abs(b.delta) - Math.abs(a.delta) ||
          compareText(a.name, b.name),
      );
  return { bySelf: rows('self'), byTotal: rows('total'), changed, knowsTimes: tests?.knowsTimes };
}

const CLEAR = 0.001;
const LIKELY = 0.05;

const verdictOf = (chance: number): Verdict =>
  chance < CLEAR ? 'clear' : chance < LIKELY ? 'likely' : 'within chance';

/** Whether the change of a function is significant. */
export const isChange = ({ verdict }: Change): boolean => verdict === 'clear' || verdict === 'likely';

/** Whether the table would show no difference of shares. */
const isEqual = ({ beforeShare, afterShare }: Change): boolean => Math.abs(afterShare - beforeShare) < 0.0005;

const AMOUNT = {
  samples: 'samples',
  nanoseconds: 'CPU time',
  microseconds: 'time off the CPU',
  events: 'events',
} as const;

/** Rows of a table. */
const ROWS = 20;

/**
 * The changes as tables, with the way in which the two profiles were made comparable and the assumptions. If nothing changed,
 * no table is printed, unless `rows` asks for it.
 */
export function printChanges(comparison: Comparison, changes: Changes, rows?: number): string {
  const tables = [
    ['By self', changes.bySelf],
    ['By total, including callees', changes.byTotal],
  ] as const;
  const lines = methodLines(comparison, changes);
  const isTested = changes.knowsTimes !== undefined;
  const none = !changes.changed.includes(1);
  if (isTested && none)
    lines.push(
      `Of ${counted(changes.byTotal.length, 'function')}, none changed significantly${rows === undefined ? ` (--rows ${ROWS} lists the differences)` : ''}`,
    );
  // Without a test, the profiles may still be equal.
  const same = !isTested && [...changes.bySelf, ...changes.byTotal].every(isEqual);
  if (same)
    lines.push(
      'Nothing changed: every function has the same share before and after, to a tenth of a percent',
    );
  const introduction = `${lines.flatMap((line) => wrap(line)).join('\n')}\n`;
  if (rows === undefined && (same || (isTested && none))) return introduction;
  const parts = tables.map(([title, all]) => {
    const changed = all.filter(isChange).length;
    if (isTested && rows === undefined && changed === 0)
      return `${title}: no function changed significantly\n`;
    const shown = all.slice(0, rows ?? ROWS);
    const more = changed - shown.filter(isChange).length;
    return `${title}:\n${changesTable(comparison, shown)}${more > 0 ? `${counted(more, 'more function')} changed: --rows ${changed} lists all\n` : ''}`;
  });
  return introduction + parts.join('\n');
}

/** How both were made comparable, and the assumptions of the test, on one line each. */
export function methodLines(comparison: Comparison, { knowsTimes }: Changes): string[] {
  const { normalizedBy, byTotalBecause, beforeFactor, beforeSamples, afterSamples, assumptions } = comparison;
  const amount = AMOUNT[comparison.unit];
  const by = normalizedBy === 'duration' ? `${amount} per second` : 'the share of the total';
  const why = byTotalBecause ? `: ${byTotalBecause}` : '';
  const amounts =
    beforeSamples === undefined || afterSamples === undefined
      ? 'shares of weights'
      : `${counted(beforeSamples, sampleWord(comparison.event))} before, ${afterSamples} after`;
  const lines = [amounts, `Compared by ${by} (before × ${Number(beforeFactor.toPrecision(3))})${why}`];
  const load = comparison.tree.total[0]! / (comparison.beforeTotal[0]! * beforeFactor);
  if (normalizedBy === 'duration' && Number.isFinite(load))
    lines.push(
      `In total, ${Number(load.toPrecision(3))} times as ${comparison.unit === 'nanoseconds' || comparison.unit === 'microseconds' ? 'much' : 'many'} ${amount} per second after as before`,
      `A function changed if both its ${amount} per second and its share changed`,
    );
  lines.push(...assumptions);
  if (knowsTimes === false)
    lines.push(
      'The samples have no times, or are too few to be cut into blocks of time: they are tested as if they were independent of each other',
    );
  return lines;
}

function changesTable(comparison: Comparison, changes: readonly Change[]): string {
  const amount = (weight: number) => formatWeight(weight, comparison.unit);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const signed = (value: number) =>
    `${value > 0 ? '+' : value < 0 ? '\u2212' : ''}${amount(Math.abs(value))}`;
  const points = ({ beforeShare, afterShare }: Change) => {
    const change = 100 * (afterShare - beforeShare);
    return `${change >= 0 ? '+' : '\u2212'}${Math.abs(change).toFixed(1)}`;
  };
  const column = (title: string): Column => ({ title, right: true });
  return table(
    [
      column('BEFORE'),
      column('%'),
      column('AFTER'),
      column('%'),
      column('POINTS'),
      column('CHANGE'),
      { title: 'SIGNIFICANCE' },
      { title: 'FUNCTION' },
    ],
    changes.map((change) => [
      amount(change.before),
      percent(change.beforeShare),
      amount(change.after),
      percent(change.afterShare),
      points(change),
      change.before === 0 ? 'new' : change.after === 0 ? 'gone' : signed(change.delta),
      verdictText(change),
      change.name,
    ]),
  );
}

/** `significant (p < 0.001)`, `likely (p = 0.012)`, `not significant (p = 0.412)` or `not tested`. */
export const verdictText = ({ verdict, chance }: Change): string =>
  chance === undefined
    ? VERDICT_TEXT[verdict]
    : `${VERDICT_TEXT[verdict]} (p ${chance < CLEAR ? '< 0.001' : `= ${chance.toFixed(3)}`})`;

/** The verdicts for people. Programs read the names of the verdicts themselves, which are part of the schema. */
const VERDICT_TEXT: Readonly<Record<Verdict, string>> = {
  clear: 'significant',
  likely: 'likely',
  'within chance': 'not significant',
  'not tested': 'not tested',
};
