import { counted, formatBytes, formatDuration } from '../../text/quantity.ts';
import { escapeXml } from '../../text/xml.ts';
import type { Analysis } from '../analysis.ts';
import { byteScale, linearScale, logScale, type Scale } from './axes.ts';
import { framesText, troubleWords } from './evidence.ts';
import { healthFacts, summaryFacts, timelineFacts } from './facts.ts';
import { PLOT_KEYS, percentOf, plotPageEnd, plotPageHead, type TimeAxis, timeAxis } from './plot-page.ts';
import { durationText, latencyText } from './wording.ts';

type Step = ReturnType<typeof timelineFacts> extends Generator<infer Each> ? Each : never;

interface Line {
  readonly name: string;
  readonly value: (step: Step) => number | undefined;
}

/** One plot: lines over the same time. */
interface Plot {
  readonly title: string;
  /** What there was none of where all its values are 0 or missing. */
  readonly subject: string;
  readonly lines: readonly Line[];
  /** A value in words, with its unit. */
  readonly text: (value: number) => string;
  readonly scale: (values: readonly number[]) => Scale;
  /** A value of 0 is something that was measured, and not that there was nothing. */
  readonly hasZero?: true;
}

const greatest = (values: readonly number[]) => values.reduce((one, other) => Math.max(one, other), 0);

const numberText = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US');

/** The plots of steps of so many seconds. */
function plotsOf(seconds: number): readonly Plot[] {
  const count = (title: string, subject: string, name: string, value: Line['value']): Plot => ({
    title,
    subject,
    lines: [{ name, value }],
    text: (each) => `${numberText(each)}/s`,
    scale: (values) => linearScale(greatest(values), numberText),
  });
  const rate = (of: (step: Step) => number) => (step: Step) => of(step) / seconds;
  return [
    count(
      'Packets per second',
      'packets',
      'packets',
      rate((step) => step.packets),
    ),
    {
      title: 'Bytes per second on the wire',
      subject: 'bytes',
      lines: [{ name: 'bytes', value: rate((step) => step.bytes) }],
      text: (value) => `${formatBytes(Math.round(value))}/s`,
      scale: (values) => byteScale(greatest(values)),
    },
    count(
      'TCP retransmissions per second',
      'TCP retransmissions',
      'retransmissions',
      rate((step) => step.retransmissions),
    ),
    count(
      'Redis commands per second',
      'Redis commands',
      'commands',
      rate((step) => step.commands),
    ),
    {
      title: 'Redis latency (logarithmic scale)',
      subject: 'Redis commands with an answer',
      lines: [
        { name: 'p50', value: (step) => step.latency?.p50Seconds },
        { name: 'p99', value: (step) => step.latency?.p99Seconds },
        { name: 'max', value: (step) => step.latency?.maxSeconds },
      ],
      text: latencyText,
      scale: (values) => logScale(values, latencyText),
      hasZero: true,
    },
  ];
}

const valuesOf = ({ lines }: Plot, steps: readonly Step[]): number[] =>
  steps.flatMap((step) => lines.map(({ value }) => value(step)).filter((value) => value !== undefined));

/**
 * The timeline as one HTML page that needs no other file. Every string is escaped, and the only script that the page lets
 * run is its own. Without scripts the plots are complete: a step has its figures as a title, and the table has them all.
 *
 * `subject` is what was captured, such as a pod; `files` are the names of the files where that is something else.
 */
export function* timelinePage(analysis: Analysis, subject: string, files?: string): Generator<string> {
  const steps = [...timelineFacts(analysis)];
  const seconds = analysis.timeline?.step ?? 1;
  const facts = summaryFacts(analysis, false);
  const jumps = analysis.timeline?.jumps() ?? new Set<number>();
  const all = plotsOf(seconds);
  const plots = all.filter((plot) => valuesOf(plot, steps).some((value) => value > 0 || plot.hasZero));
  const title = [subject, ...(facts.start !== undefined ? [rangeText(facts.start, facts.end!)] : [])].join(
    ', ',
  );
  const about = [
    files,
    `${counted(facts.packets, 'packet')}, ${formatBytes(facts.bytes)}`,
    facts.durationSeconds !== undefined && durationText(facts.durationSeconds),
    steps.length > 0 && `each step is ${formatDuration(seconds)}`,
    jumps.size > 0 && 'at a dashed line, a long time without packets is left out',
  ].filter(Boolean);
  yield plotPageHead(title, about.join(' · '));
  if (plots.length > 0) yield PLOT_KEYS;
  const axis = timeAxis(
    steps.map(({ time }) => time),
    seconds,
  );
  for (const plot of plots) yield drawPlot(plot, steps, { seconds, jumps, axis });
  const missing = missingText(all.filter((plot) => !plots.includes(plot)));
  if (missing) yield `<p>${escapeXml(missing)}</p>\n`;
  yield* troubles(analysis);
  if (steps.length) yield* figures(steps, all);
  yield plotPageEnd(plots.length > 0);
}

/** `2026-11-29 12:00:00 to 12:01:00 UTC`; the day again where it is another one. */
function rangeText(start: string, end: string): string {
  const [from, to] = [start, end].map((iso) => iso.replace(/T(.{8}).*/, ' $1')) as [string, string];
  const [day] = from.split(' ');
  return `${from} to ${to.startsWith(`${day} `) ? to.slice(day!.length + 1) : to} UTC`;
}

/** The sentence about plots that would be empty. */
function missingText(missing: readonly Plot[]): string {
  const subjects = missing.map(({ subject }) => subject);
  if (subjects.includes('packets')) return 'There are no packets with a time, so there is nothing to draw.';
  // Without commands there are no answered ones either.
  const named = subjects.filter((each, at) => at === 0 || !each.startsWith(`${subjects[at - 1]} `));
  if (named.length === 0) return '';
  const list = named.map((each) => `no ${each}`);
  return `There were ${[list.slice(0, -1).join(', '), list.at(-1)].filter(Boolean).join(' and ')}, so there is no plot of them.`;
}

const COLOURS = ['a', 'b', 'c'];

function drawPlot(
  plot: Plot,
  steps: readonly Step[],
  {
    seconds,
    jumps,
    axis,
  }: { readonly seconds: number; readonly jumps: ReadonlySet<number>; readonly axis: TimeAxis },
): string {
  const { title, lines, text } = plot;
  const values = valuesOf(plot, steps);
  const scale = plot.scale(values);
  const y = (value: number) => Number((100 * (1 - scale.heightOf(value))).toFixed(1));
  const key =
    lines.length > 1
      ? `<span class="key">${lines.map(({ name }, at) => `<span class="${COLOURS[at]}">${name}</span>`).join('')}</span>`
      : '';
  const grid = [
    ...scale.ticks.map(
      ({ value }) => `<line class="grid" x2="${steps.length}" y1="${y(value)}" y2="${y(value)}"/>`,
    ),
    ...axis.ticks.map((at) => `<line class="grid" x1="${at + 0.5}" x2="${at + 0.5}" y2="100"/>`),
    ...[...jumps].map((at) => `<line class="jump" x1="${at}" x2="${at}" y2="100"/>`),
  ];
  // The first line is drawn last: it is on top where lines are the same.
  const drawn = lines.flatMap(({ value }, at) =>
    runs(steps, value, jumps).map((run) => {
      const points = run.map((index) => `${index + 0.5},${y(value(steps[index]!)!)}`);
      // A step without neighbours is a point: a line of no length with round ends.
      return points.length > 1
        ? `<polyline class="${COLOURS[at]}" points="${points.join(' ')}"/>`
        : `<polyline class="point ${COLOURS[at]}" points="${points[0]} ${points[0]}"/>`;
    }),
  );
  const titles = steps.map((step, index) => {
    const each = lines
      .map(({ name, value }) => `${name} ${value(step) === undefined ? 'none' : text(value(step)!)}`)
      .join(', ');
    return `<rect class="step" x="${index}" width="1" height="100"><title>${escapeXml(`${axis.short(step.time)} UTC: ${each}`)}</title></rect>`;
  });
  const yLabels = scale.ticks.map(
    ({ value, label }) =>
      `<span style="top:${percentOf(1 - scale.heightOf(value))}">${escapeXml(label)}</span>`,
  );
  return `<section class="plot">
<div class="head"><h2>${title}</h2>${key}<output></output></div>
<div class="area">
<div class="y" aria-hidden="true">${yLabels.join('')}</div>
<svg viewBox="0 0 ${steps.length} 100" preserveAspectRatio="none" role="img" aria-label="${escapeXml(`${title}: up to ${text(greatest(values))}, in steps of ${formatDuration(seconds)}`)}">
${grid.join('\n')}
${drawn.reverse().join('\n')}
${titles.join('\n')}
</svg>
<div class="x" aria-hidden="true">${axis.labels}</div>
</div>
</section>
`;
}

/** The stretches of steps, by number, in which there is a value. */
function runs(
  steps: readonly Step[],
  value: (step: Step) => number | undefined,
  jumps: ReadonlySet<number>,
): number[][] {
  const all: number[][] = [];
  let run: number[] = [];
  const end = () => {
    if (run.length) all.push(run);
    run = [];
  };
  for (const [index, step] of steps.entries()) {
    const isThere = value(step) !== undefined;
    if (!isThere || jumps.has(index)) end();
    if (isThere) run.push(index);
  }
  end();
  return all;
}

/** What went wrong in TCP, and in which frames. */
function* troubles(analysis: Analysis): Generator<string> {
  const found = Object.entries(healthFacts(analysis, new Map(), 0)?.evidence ?? {});
  if (found.length === 0) return;
  yield '<h2>TCP problems</h2>\n<div class="figures"><table>\n<tr><th>Problem</th><th>Count</th><th>Frames, as Wireshark numbers them</th></tr>\n';
  for (const [kind, each] of found)
    yield `<tr><td>${escapeXml(troubleWords(kind))}</td><td>${each.count}</td><td>${escapeXml(framesText(each))}</td></tr>\n`;
  yield '</table></div>\n';
}

function* figures(steps: readonly Step[], plots: readonly Plot[]): Generator<string> {
  const lines = plots.flatMap((plot) => plot.lines.map((line) => ({ ...line, text: plot.text })));
  yield `<details><summary>All figures</summary>\n<div class="figures"><table>\n<tr><th>Time</th>${lines.map(({ name }) => `<th>${name}</th>`).join('')}</tr>\n`;
  for (const step of steps) {
    const cells = lines.map(({ value, text }) => {
      const each = value(step);
      return `<td>${each === undefined ? '' : escapeXml(text(each))}</td>`;
    });
    yield `<tr><td>${escapeXml(step.time.replace(/\.\d+/, ''))}</td>${cells.join('')}</tr>\n`;
  }
  yield '</table></div></details>\n';
}
