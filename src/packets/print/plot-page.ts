import { createHash } from 'node:crypto';
import { asset } from '../../assets.ts';
import { escapeXml } from '../../text/xml.ts';
import { toTheSecond } from '../times.ts';
import { timeTicks } from './axes.ts';

const script = (): string => asset('packets/print/browser/timeline.js');

/**
 * The beginning of an HTML page of plots over time that needs no other file. The only script that the page lets run is its own,
 * which shows the figures of a step in all plots at once. Both texts are escaped here; `style` is added to that of the page.
 */
export function plotPageHead(title: string, about: string, style = ''): string {
  const hash = createHash('sha256').update(script()).digest('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">
<title>${escapeXml(title)}</title>
<style>
${STYLE}
${style}</style>
</head>
<body>
<h1>${escapeXml(title)}</h1>
<p>${escapeXml(about)}</p>
`;
}

/** How to read the plots, which the script shows. */
export const PLOT_KEYS = `<p id="keys" hidden>Point at a plot to read the figures of a step, or select a plot with Tab and use the arrow keys.</p>
`;

export const plotPageEnd = (hasPlots: boolean): string =>
  `${hasPlots ? `<script>${script()}</script>\n` : ''}</body>\n</html>\n`;

const STYLE = `:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5c5c66; --grid: #dcdce2; --paper: #fff; --cursor: #8a8a94; --a: #0b62c4; --b: #b4490a; --c: #7a1fa2 }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf1; --soft: #a8a8b3; --grid: #3a3a42; --paper: #17171a; --cursor: #8f8f9a; --a: #6db3ff; --b: #ffa066; --c: #d9a0ff } }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1040px; margin: 1.5em auto; padding: 0 1em }
h1 { font-size: 1.3em; overflow-wrap: anywhere } h2 { font-size: 1em; margin: 0 } p { color: var(--soft); overflow-wrap: anywhere; margin: .5em 0 }
.plot { margin: 1.4em 0 } .head { display: flex; flex-wrap: wrap; gap: 0 1.2em; min-height: 3em; align-content: start; margin-bottom: .7em } output { font-variant-numeric: tabular-nums; flex-basis: 100% }
.area { display: grid; grid-template-columns: 5.5em 1fr; margin-right: 2em; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums }
svg { display: block; width: 100%; height: 130px; overflow: visible; grid-column: 2; grid-row: 1 } svg:focus-visible { outline: 2px solid var(--a); outline-offset: 4px }
.y { position: relative; grid-column: 1; grid-row: 1 } .y span { position: absolute; right: .8em; transform: translateY(-50%); white-space: nowrap }
.x { position: relative; grid-column: 2; height: 1.8em } .x:has(br) { height: 3.2em } .x span { position: absolute; top: .3em; transform: translateX(-50%); white-space: nowrap; text-align: center }
@media (max-width: 500px) { .x span:nth-child(even) { display: none } }
line, polyline { vector-effect: non-scaling-stroke } .grid, .jump { stroke: var(--grid) } .jump { stroke: var(--soft); stroke-dasharray: 4 3 } .cursor { stroke: var(--cursor); pointer-events: none }
polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round; pointer-events: none } .point { stroke-width: 4 } .a { stroke: var(--a) } .b { stroke: var(--b) } .c { stroke: var(--c); stroke-width: 3; stroke-opacity: .55 }
.step { fill: transparent } .step:hover { fill: var(--grid); fill-opacity: .6 }
.key .a { color: var(--a) } .key .b { color: var(--b) } .key .c { color: var(--c) } .key span { margin-right: .8em; font-weight: 600 }
.figures { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .1em .8em .1em 0; text-align: right } th:first-child, td:first-child { text-align: left }`;

/** The axis of time, which all plots share: the places of its labels, and the labels as HTML. */
export interface TimeAxis {
  readonly ticks: readonly number[];
  readonly labels: string;
  readonly short: (iso: string) => string;
}

/** `times` are those of the steps in ISO 8601, `seconds` is the length of a step. */
export function timeAxis(times: readonly string[], seconds: number): TimeAxis {
  const ticks = timeTicks(times, seconds);
  const short = toTheSecond(times);
  const days = ticks.map((at) => times[at]!.split('T')[0]!);
  const isOneDay = days.length > 0 && times[0]!.startsWith(days[0]!) && times.at(-1)!.startsWith(days[0]!);
  const clock = toTheSecond([]);
  const labels = ticks.map((at, index) => {
    const day = isOneDay || days[index] === days[index - 1] ? '' : `<br>${escapeXml(days[index]!)}`;
    return `<span style="left:${percentOf((at + 0.5) / times.length)}">${escapeXml(clock(times[at]!))}${day}</span>`;
  });
  return { ticks, labels: labels.join(''), short };
}

/** A share of 0 to 1 as a length in CSS. */
export const percentOf = (share: number): string => `${Number((100 * share).toFixed(2))}%`;
