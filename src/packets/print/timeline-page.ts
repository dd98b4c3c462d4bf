import { counted, formatBytes } from '../../text/quantity.ts';
import { escapeXml } from '../../text/xml.ts';
import type { Analysis } from '../analysis.ts';
import { toTheSecond } from '../times.ts';
import { framesText, troubleWords } from './evidence.ts';
import { healthFacts, summaryFacts, timelineFacts } from './facts.ts';
import { durationText, latencyText } from './wording.ts';

const WIDTH = 1000;
const HEIGHT = 120;
const LEFT = 80;
const BOTTOM = 20;

type Step = ReturnType<typeof timelineFacts> extends Generator<infer Each> ? Each : never;

/** One plot: lines over the same time, each with what it says of a step. */
interface Plot {
  readonly title: string;
  readonly lines: ReadonlyArray<{
    readonly name: string;
    readonly value: (step: Step) => number | undefined;
  }>;
  readonly text: (value: number) => string;
}

const perSecond = (seconds: number) => (value: number) =>
  `${Number((value / seconds).toPrecision(3)).toLocaleString('en-US')}/s`;

/**
 * The timeline as one HTML page that needs nothing else: plots drawn here, no script, every string escaped. A point
 * says its figures when it is pointed at; the table below has them all.
 */
export function* timelinePage(analysis: Analysis, title: string): Generator<string> {
  const steps = [...timelineFacts(analysis)];
  const seconds = analysis.timeline?.step ?? 1;
  const facts = summaryFacts(analysis, false);
  const jumps = analysis.timeline?.jumps() ?? new Set<number>();
  const short = toTheSecond(steps.map(({ time }) => time));
  const rate = perSecond(seconds);
  const plots: Plot[] = [
    { title: 'Packets', lines: [{ name: 'packets', value: (step) => step.packets }], text: rate },
    {
      title: 'Bytes on the wire',
      lines: [{ name: 'bytes', value: (step) => step.bytes }],
      text: (value) => `${formatBytes(Math.round(value / seconds))}/s`,
    },
    {
      title: 'Retransmissions',
      lines: [{ name: 'retransmissions', value: (step) => step.retransmissions }],
      text: rate,
    },
  ];
  if (steps.some((step) => step.commands > 0))
    plots.push(
      { title: 'Redis commands', lines: [{ name: 'commands', value: (step) => step.commands }], text: rate },
      {
        title: 'Redis latency',
        lines: [
          { name: 'p50', value: (step) => step.latency?.p50Seconds },
          { name: 'p99', value: (step) => step.latency?.p99Seconds },
          { name: 'max', value: (step) => step.latency?.maxSeconds },
        ],
        text: latencyText,
      },
    );
  const about = [
    `${counted(facts.packets, 'packet')}, ${formatBytes(facts.bytes)}`,
    facts.start && `${facts.start} to ${facts.end}`,
    facts.durationSeconds !== undefined && durationText(facts.durationSeconds),
    `a point is ${seconds} s`,
    jumps.size > 0 && 'a dashed line stands for a time without packets that is left out',
  ].filter(Boolean);
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeXml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${escapeXml(title)}</h1>
<p>${escapeXml(about.join(' · '))}</p>
`;
  for (const plot of plots) yield drawPlot(plot, steps, seconds, { jumps, short });
  yield* troubles(analysis);
  yield* figures(steps, plots);
  yield '</body>\n</html>\n';
}

const STYLE = `:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #6a6a72; --grid: #d9d9de; --paper: #fff; --a: #0b62c4; --b: #b4490a; --c: #7a1fa2 }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #a0a0aa; --grid: #3a3a42; --paper: #17171a; --a: #6db3ff; --b: #ffa066; --c: #d9a0ff } }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.3em; overflow-wrap: anywhere } h2 { font-size: 1em; margin: 1.2em 0 .2em } p { color: var(--soft) }
svg { display: block; width: 100%; height: auto } text { font-size: 11px; fill: var(--soft) } .grid, .jump { stroke: var(--grid) } .jump { stroke-dasharray: 4 3 }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round } .a { stroke: var(--a) } .b { stroke: var(--b) } .c { stroke: var(--c) }
.dot { fill: transparent } .dot:hover { fill: var(--grid); fill-opacity: .6 }
.key span { margin-right: 1em } .key .a { color: var(--a) } .key .b { color: var(--b) } .key .c { color: var(--c) }
.figures { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .1em .8em .1em 0; text-align: right } th:first-child, td:first-child { text-align: left }`;

const COLOURS = ['a', 'b', 'c'];

function drawPlot(
  { title, lines, text }: Plot,
  steps: readonly Step[],
  seconds: number,
  { jumps, short }: { readonly jumps: ReadonlySet<number>; readonly short: (iso: string) => string },
): string {
  const values = steps.flatMap((step) => lines.map(({ value }) => value(step) ?? 0));
  const most = Math.max(0, ...values.slice(0, 1 << 16));
  const x = (index: number) => LEFT + ((index + 0.5) * (WIDTH - LEFT - 10)) / Math.max(1, steps.length);
  const y = (value: number) => 10 + (1 - (most > 0 ? value / most : 0)) * (HEIGHT - BOTTOM - 10);
  const key =
    lines.length > 1
      ? `<p class="key">${lines.map(({ name }, at) => `<span class="${COLOURS[at]}">${name}</span>`).join('')}</p>\n`
      : '';
  const drawn = lines.flatMap(({ value }, at) =>
    runs(steps, value, jumps).map(
      (run) =>
        `<polyline class="${COLOURS[at]}" points="${run.map((index) => `${x(index).toFixed(1)},${y(value(steps[index]!)!).toFixed(1)}`).join(' ')}"/>`,
    ),
  );
  const width = (WIDTH - LEFT - 10) / Math.max(1, steps.length);
  const dots = steps.map((step, index) => {
    const said = lines
      .map(({ name, value }) => `${name} ${value(step) === undefined ? 'none' : text(value(step)!)}`)
      .join(', ');
    return `<rect class="dot" x="${(x(index) - width / 2).toFixed(1)}" y="0" width="${width.toFixed(2)}" height="${HEIGHT - BOTTOM}"><title>${escapeXml(`${short(step.time)} UTC: ${said}`)}</title></rect>`;
  });
  const clock = (step: Step | undefined) => (step ? short(step.time) : '');
  return `<h2>${title}</h2>
${key}<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(`${title}: at most ${text(most)} in steps of ${seconds} s`)}">
<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="10" y2="10"/><line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>
<text x="${LEFT - 6}" y="14" text-anchor="end">${escapeXml(text(most))}</text><text x="${LEFT - 6}" y="${HEIGHT - BOTTOM + 4}" text-anchor="end">0</text>
<text x="${LEFT}" y="${HEIGHT - 4}">${clock(steps[0])}</text><text x="${WIDTH - 10}" y="${HEIGHT - 4}" text-anchor="end">${clock(steps.at(-1))} UTC</text>
${[...jumps].map((at) => `<line class="jump" x1="${(x(at) - width / 2).toFixed(1)}" x2="${(x(at) - width / 2).toFixed(1)}" y1="10" y2="${HEIGHT - BOTTOM}"/>\n`).join('')}${drawn.join('\n')}
${dots.join('\n')}
</svg>
`;
}

/** The stretches in which there is a value; a single one is drawn as a short line. */
function runs(
  steps: readonly Step[],
  value: (step: Step) => number | undefined,
  jumps: ReadonlySet<number>,
): number[][] {
  const all: number[][] = [];
  let run: number[] = [];
  const end = () => {
    if (run.length) all.push(run.length === 1 ? [run[0]!, run[0]!] : run);
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
  yield '<h2>TCP troubles</h2>\n<div class="figures"><table>\n<tr><th>Trouble</th><th>Count</th><th>Frames, as Wireshark numbers them</th></tr>\n';
  for (const [kind, each] of found)
    yield `<tr><td>${escapeXml(troubleWords(kind))}</td><td>${each.count}</td><td>${escapeXml(framesText(each))}</td></tr>\n`;
  yield '</table></div>\n';
}

function* figures(steps: readonly Step[], plots: readonly Plot[]): Generator<string> {
  const lines = plots.flatMap((plot) => plot.lines.map((line) => ({ ...line, text: plot.text })));
  yield `<details><summary>Figures</summary>\n<div class="figures"><table>\n<tr><th>Time</th>${lines.map(({ name }) => `<th>${name}</th>`).join('')}</tr>\n`;
  for (const step of steps) {
    const cells = lines.map(({ value, text }) => {
      const each = value(step);
      return `<td>${each === undefined ? '' : escapeXml(text(each))}</td>`;
    });
    yield `<tr><td>${step.time.replace(/\.\d+/, '')}</td>${cells.join('')}</tr>\n`;
  }
  yield '</table></div></details>\n';
}
