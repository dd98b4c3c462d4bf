import { type Change, type Changes, verdictText } from '../profile/compare/changes.ts';
import { countersText } from '../profile/counters.ts';
import type { Comparison } from '../profile/profile.ts';
import { formatWeight } from '../profile/top.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { utc } from './capture.ts';
import { type DescribedFile, fileTable } from './files.ts';
import { block, code, factTable, MARKDOWN_ROWS, markdownTable, percent, plain } from './markdown.ts';

/** Rows of each list, unless the user asks for another number. */
const ROWS = 20;

/** What differs between two profiles: how they were made comparable, and the functions that changed most. */
export const comparisonFacts = (comparison: Comparison, changes: Changes, rows = ROWS) => {
  const { before, after, event, unit, normalizedBy, byTotalBecause, beforeFactor } = comparison;
  const { beforeSamples, afterSamples, assumptions } = comparison;
  return {
    before: { about: before, ...(beforeSamples !== undefined && { samples: beforeSamples }) },
    after: { about: after, ...(afterSamples !== undefined && { samples: afterSamples }) },
    ...{ event, unit, normalizedBy, ...(byTotalBecause && { byTotalBecause }), beforeFactor },
    tested: testKind(changes),
    assumptions,
    changed: changes.changed.includes(1),
    movers: changes.bySelf.slice(0, rows),
    moversByTotal: changes.byTotal.slice(0, rows),
  };
};

const testKind = ({ knowsTimes }: Changes) =>
  knowsTimes === undefined ? 'not' : knowsTimes ? 'by blocks of time' : 'as independent samples';

export type ComparisonFacts = ReturnType<typeof comparisonFacts>;

/** A comparison as a block for an incident. */
export const comparisonMarkdown = (facts: ComparisonFacts, files: readonly DescribedFile[]): string =>
  block(
    `### CPU before and after: ${plain(facts.after.about.target)}`,
    factTable([
      ['before', sideText(facts.before)],
      ["before, by the kernel's counters", countersOf(facts.before)],
      ['after', sideText(facts.after)],
      ["after, by the kernel's counters", countersOf(facts.after)],
      ['compared by', methodText(facts)],
    ]),
    ...(facts.changed || facts.tested === 'not'
      ? [changesTable(facts, facts.movers), 'With what they call:', changesTable(facts, facts.moversByTotal)]
      : ['No function changed significantly.']),
    facts.assumptions.map(plain).join('\n'),
    fileTable(files),
  );

const sideText = ({ about, samples }: ComparisonFacts['before']): string =>
  [
    plain(about.node ? `${about.target} on ${about.node}` : about.target),
    about.startedAt && utc(about.startedAt),
    about.seconds && !about.betweenSamples && formatDuration(about.seconds),
    samples !== undefined && counted(samples, 'sample'),
  ]
    .filter(Boolean)
    .join(', ');

const countersOf = ({ about: { cpu, seconds = 0 } }: ComparisonFacts['before']): string | undefined =>
  cpu && countersText(cpu, seconds);

const methodText = ({ normalizedBy, beforeFactor, byTotalBecause }: ComparisonFacts): string =>
  `${normalizedBy === 'duration' ? 'amount per second' : 'share of the total'} (before × ${Number(beforeFactor.toPrecision(3))})${
    byTotalBecause ? `: ${plain(byTotalBecause)}` : ''
  }`;

const changesTable = ({ unit }: ComparisonFacts, changes: readonly Change[]): string =>
  markdownTable(
    [
      { title: 'before', right: true },
      { title: 'after', right: true },
      { title: 'change', right: true },
      { title: 'is it a change?' },
      { title: 'function' },
    ],
    changes
      .slice(0, MARKDOWN_ROWS)
      .map((change) => [
        percent(change.beforeShare),
        percent(change.afterShare),
        `${change.delta > 0 ? '+' : ''}${formatWeight(change.delta, unit)}`,
        verdictText(change),
        code(change.name),
      ]),
  );
