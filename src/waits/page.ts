import {
  PLOT_KEYS,
  percentOf,
  plotPageEnd,
  plotPageHead,
  type TimeAxis,
  timeAxis,
} from '../packets/print/plot-page.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { escapeXml } from '../text/xml.ts';
import { CATEGORIES, CATEGORY_MEANING, type Category } from './categories.ts';
import { groupName, type StepFacts, stepsOf, type WaitsFacts } from './facts.ts';
import { findingOf } from './finding.ts';
import { categoriesOf, nameColumns, noteLines, waitRows } from './tables.ts';
import type { Waits } from './waits.ts';
import { groupWords, shareText } from './wording.ts';

/** More plots than these make a page that nobody reads. */
const MOST_PLOTS = 12;
const MOST_ROWS = 100;

/** The colours of the categories: what costs time is strong, what does no harm is pale. First the light theme, then the dark one. */
const COLOURS: Readonly<Record<Category, readonly [light: string, dark: string]>> = {
  running: ['#2e8b3d', '#5fbf6d'],
  throttled: ['#c62828', '#ef5f5f'],
  queued: ['#ef7d00', '#ffab4d'],
  network: ['#1565c0', '#5ea8f2'],
  lock: ['#7a1fa2', '#c58ae0'],
  condition: ['#b9a4d6', '#6d5a8c'],
  disk: ['#795548', '#b8978a'],
  sleep: ['#a9bcc6', '#4d606b'],
  idle: ['#dfe3e8', '#34383d'],
  stopped: ['#37474f', '#90a4ae'],
  other: ['#9c9c9c', '#757575'],
};

const variables = (theme: 0 | 1): string =>
  CATEGORIES.map((each) => `--${each}: ${COLOURS[each][theme]}`).join('; ');

const STYLE = `:root { ${variables(0)} }
@media (prefers-color-scheme: dark) { :root { ${variables(1)} } }
${CATEGORIES.map((each) => `.bar.${each} { fill: var(--${each}) } .swatch.${each} { background: var(--${each}) }`).join('\n')}
.bar { pointer-events: none; shape-rendering: crispEdges } .swatch { display: inline-block; width: .9em; height: .9em; margin-right: .4em; border: 1px solid var(--grid) }
.legend { display: flex; flex-wrap: wrap; gap: .2em 1.2em; padding: 0; list-style: none; color: var(--soft) } .finding { color: var(--ink); font-weight: 600 }
.head { min-height: 4.5em } .figures { margin: 1em 0 } td.text, th.text { text-align: left }
`;

/**
 * The recording as one HTML page that needs no other file: bars of each step over time, for all threads and for each group, with
 * the tables. Every string is escaped. Without scripts a step has its figures as a title. `subject` is what was recorded.
 */
export function* waitsPage(waits: Waits, facts: WaitsFacts, subject: string): Generator<string> {
  const { groups, startedAt, seconds, threads } = facts;
  const title = `Waits of ${subject}`;
  const about = [
    startedAt && `${startedAt.replace(/T(.{8}).*/, ' $1')} UTC`,
    formatDuration(seconds),
    counted(threads, 'thread'),
    `each step is ${formatDuration(waits.stepUs / 1e6)}`,
    ...(facts.isWhole ? [] : ['the end of the recording is missing']),
  ].filter(Boolean);
  yield plotPageHead(title, about.join(' · '), STYLE);
  yield `<p class="finding">${escapeXml(findingOf(facts))}</p>\n`;
  for (const line of noteLines(facts)) yield `<p>${escapeXml(line)}</p>\n`;
  const categories = categoriesOf(groups);
  const all = stepsOf(waits.groups);
  if (all.length > 0) {
    yield PLOT_KEYS;
    yield legend(categories);
    const times = timesOf(waits, all.length);
    const drawing = { axis: timeAxis(times, waits.stepUs / 1e6), times, categories, stepUs: waits.stepUs };
    if (groups.length > 1) yield plot(`All ${threads} threads`, all, drawing);
    for (const group of waits.groups.slice(0, MOST_PLOTS))
      yield plot(
        titleOf(groupWords({ name: groupName(group), threads: group.threads })),
        stepsOf([group]),
        drawing,
      );
    if (groups.length > MOST_PLOTS)
      yield `<p>${counted(groups.length - MOST_PLOTS, 'more group')} of threads without a plot: the tables have them.</p>\n`;
  }
  yield* tables(facts, categories);
  if (all.length > 0) yield figures(all, timesOf(waits, all.length), categories);
  yield plotPageEnd(all.length > 0);
}

const titleOf = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** What all plots of a page share. */
interface Drawing {
  readonly axis: TimeAxis;
  readonly times: readonly string[];
  readonly categories: readonly Category[];
  readonly stepUs: number;
}

/** The times at which the steps begin, in ISO 8601; from 1970 on where the recording does not tell. */
const timesOf = ({ startedAtUs = 0, stepUs }: Waits, count: number): string[] =>
  Array.from({ length: count }, (_, at) => {
    const date = new Date((startedAtUs + at * stepUs) / 1000);
    return Number.isNaN(date.getTime()) ? new Date((at * stepUs) / 1000).toISOString() : date.toISOString();
  });

const legend = (categories: readonly Category[]): string =>
  `<ul class="legend">${categories
    .map(
      (each) => `<li><span class="swatch ${each}"></span>${each}: ${escapeXml(CATEGORY_MEANING[each])}</li>`,
    )
    .join('')}</ul>\n`;

/** The time of day of a step, with a tenth of a second where the steps are shorter than one. */
const clockText = (iso: string, stepUs: number): string => iso.slice(11, stepUs < 1e6 ? 21 : 19);

const sumOf = ({ seconds }: StepFacts): number => Object.values(seconds).reduce((sum, each) => sum + each, 0);

/** The shares of a step in words: `running 20.1 %, network 50.0 %`. */
function stepText(step: StepFacts, categories: readonly Category[]): string {
  const sum = sumOf(step);
  if (sum === 0) return 'no threads';
  return categories
    .filter((each) => step.seconds[each] > 0)
    .map((each) => `${each} ${shareText(step.seconds[each] / sum)}`)
    .join(', ');
}

function plot(title: string, steps: readonly StepFacts[], drawing: Drawing): string {
  const { axis, times, categories, stepUs } = drawing;
  const bars = steps.flatMap((step, at) => {
    const sum = sumOf(step);
    let y = 100;
    return categories.flatMap((each) => {
      const height = sum > 0 ? (100 * step.seconds[each]) / sum : 0;
      if (height < 0.01) return [];
      y -= height;
      return [
        `<rect class="bar ${each}" x="${at}" y="${Number(y.toFixed(2))}" width="1" height="${Number(height.toFixed(2))}"/>`,
      ];
    });
  });
  const ticks = [0, 0.5, 1];
  const grid = [
    ...ticks.map((each) => `<line class="grid" x2="${steps.length}" y1="${100 * each}" y2="${100 * each}"/>`),
    ...axis.ticks.map((at) => `<line class="grid" x1="${at + 0.5}" x2="${at + 0.5}" y2="100"/>`),
  ];
  const titles = steps.map(
    (step, at) =>
      `<rect class="step" x="${at}" width="1" height="100"><title>${escapeXml(`${clockText(times[at]!, stepUs)} UTC: ${stepText(step, categories)}`)}</title></rect>`,
  );
  const labels = ticks.map((each) => `<span style="top:${percentOf(1 - each)}">${100 * each} %</span>`);
  return `<section class="plot">
<div class="head"><h2>${escapeXml(title)}</h2><output></output></div>
<div class="area">
<div class="y" aria-hidden="true">${labels.join('')}</div>
<svg viewBox="0 0 ${steps.length} 100" preserveAspectRatio="none" role="img" aria-label="${escapeXml(`${title}: shares of their time, in steps of ${formatDuration(stepUs / 1e6)}`)}">
${grid.join('\n')}
${bars.join('\n')}
${titles.join('\n')}
</svg>
<div class="x" aria-hidden="true">${axis.labels}</div>
</div>
</section>
`;
}

function* tables(facts: WaitsFacts, categories: readonly Category[]): Generator<string> {
  const { groups } = facts;
  const names = nameColumns(groups);
  const heads = names.map(({ title }) => `<th class="text">${title.toLowerCase()}</th>`).join('');
  const cells = (group: (typeof groups)[number]) =>
    names.map(({ of }) => `<td class="text">${escapeXml(of(group))}</td>`).join('');
  yield `<div class="figures"><table>\n<tr>${heads}<th>count</th>${categories.map((each) => `<th>${each}</th>`).join('')}</tr>\n`;
  for (const group of groups.slice(0, MOST_ROWS))
    yield `<tr>${cells(group)}<td>${group.threads}</td>${categories
      .map((each) => `<td>${group.shares[each] > 0 ? escapeXml(shareText(group.shares[each])) : ''}</td>`)
      .join('')}</tr>\n`;
  yield '</table></div>\n';
  const rows = waitRows(groups, MOST_ROWS);
  if (rows.length === 0) return;
  yield `<div class="figures"><table>\n<tr>${heads}<th class="text">waits</th><th>share</th><th class="text">for</th></tr>\n`;
  for (const [group, category, what, share] of rows)
    yield `<tr>${cells(group)}<td class="text">${category}</td><td>${escapeXml(shareText(share))}</td><td class="text">${escapeXml(what)}</td></tr>\n`;
  yield '</table></div>\n';
}

function figures(
  steps: readonly StepFacts[],
  times: readonly string[],
  categories: readonly Category[],
): string {
  const rows = steps.map((step, at) => {
    const cells = categories.map(
      (each) => `<td>${step.seconds[each] > 0 ? Number(step.seconds[each].toFixed(3)) : ''}</td>`,
    );
    return `<tr><td>${times[at]}</td>${cells.join('')}</tr>`;
  });
  return `<details><summary>Seconds of all threads in each step</summary>\n<div class="figures"><table>\n<tr><th>time</th>${categories.map((each) => `<th>${each}</th>`).join('')}</tr>\n${rows.join('\n')}\n</table></div></details>\n`;
}
