import { printable } from '../../text/printable.ts';
import { escapeXml } from '../../text/xml.ts';
import type { Frame } from '../frame.ts';
import type { CallTree, Comparison, Profile } from '../profile.ts';
import {
  BOTTOM,
  boxText,
  changeMark,
  changeText,
  colourOf,
  cut,
  deltaColour,
  FACTS_DOWN,
  KINDS,
  LABEL_DOWN,
  LABEL_LEFT,
  LEGEND_ENTRY,
  LINE,
  lettersIn,
  PATTERN_WIDTH,
  ROOT_NAME,
  ROW,
  SIDE,
  TITLE_DOWN,
  thinText,
  WIDTH,
} from './browser/appearance.js';
import { comparisonData, profileData, thinTimeline } from './data.ts';
import { cdata, embeddedJsonPieces } from './escape.ts';

export interface Picture {
  readonly title: string;
  /** The lines below the title: what was recorded, and the figures. */
  readonly subtitle: readonly string[];
  /** The browser half, as text. */
  readonly script: string;
  readonly style: string;
}

/** Narrower boxes are left out, as flamegraph.pl does, until the user zooms in. A line below the title counts them. */
const LEAST_WIDTH = 0.1;
/** The least number of characters in a piece. */
const PIECE = 1 << 16;

/** What the boxes of a picture show. */
interface Boxes {
  readonly frames: readonly Frame[];
  readonly tree: CallTree;
  /** The width of each node, in the unit of the weights. */
  readonly width: Float64Array;
  /** The title as XML, with the name and the object of the frame escaped already. */
  readonly title: (node: number, escaped: Frame) => string;
  readonly label: (node: number, frame: Frame) => string;
  readonly fill: (node: number, frame: Frame) => string;
  /** The colours, and what they mean, for the kinds of frames that are drawn. */
  readonly legend: (
    kinds: ReadonlySet<string>,
  ) => ReadonlyArray<readonly [words: string, fill: string, pattern: string]>;
}

/**
 * A flame graph as one self-contained SVG, in pieces. The same profile gives the same bytes, and every string is escaped.
 * Without scripts, it shows all boxes of at least a tenth of a pixel, with titles. With scripts, it draws itself anew from
 * the data that it contains, for the width of the window and the view that is chosen.
 */
export function* drawPicture(whole: Profile, picture: Picture): Generator<string | Uint8Array> {
  const profile = thinTimeline(whole);
  const { tree, frames, unit } = profile;
  const all = tree.total[0]!;
  const colour = oncePerFrame(colourOf);
  const boxes: Boxes = {
    frames,
    tree,
    width: tree.total,
    title: (node, escaped) => boxText(escaped, tree.total[node]!, tree.self[node]!, unit, all, all),
    label: (_node, frame) => frame.name,
    fill: (_node, frame) => colour(frame),
    legend: kindLegend,
  };
  const notes =
    profile.timeline && profile.timeline !== whole.timeline
      ? [`sample times are rounded to ${Math.round(profile.timeline.binSeconds * 1000)} ms`]
      : whole.timeline && !profile.timeline
        ? ['no heat map: too many different stacks']
        : [];
  yield* drawing(boxes, picture, notes, profileData(profile));
}

/**
 * A differential flame graph. The width of a box is the sum of before and after, so that it shows what has vanished and what
 * is new. The colour, and a sign before the name, show whether it became more or less. `changed` tells for each frame whether
 * its change is significant; a frame that has not changed significantly has no colour. It is undefined if nothing was tested.
 */
export function* drawComparison(
  comparison: Comparison,
  picture: Picture,
  changed?: Uint8Array,
): Generator<string | Uint8Array> {
  const { tree, frames, beforeTotal, beforeFactor, unit } = comparison;
  const width = tree.total.map((after, node) => after + beforeTotal[node]! * beforeFactor);
  const mark = (node: number) =>
    changeMark(
      beforeTotal[node]! * beforeFactor,
      tree.total[node]!,
      changed === undefined || changed[tree.frame[node]!] === 1,
    );
  const boxes: Boxes = {
    frames,
    tree,
    width,
    title: (node, escaped) => {
      const [before, after] = [beforeTotal[node]!, tree.total[node]!];
      return `${mark(node).sign} ${changeText(escaped, before, after, unit, beforeTotal[0]!, tree.total[0]!)}`;
    },
    label: (node, frame) => `${mark(node).sign} ${frame.name}`,
    fill: (node) => mark(node).fill,
    legend: () => [
      ...DELTAS.slice(0, 3),
      [changed ? '= noise' : '= equal', deltaColour(1, 1), ''],
      ...DELTAS.slice(3),
    ],
  };
  yield* drawing(boxes, picture, [], comparisonData(comparison, changed));
}

/** The scale of colours: by which factor the weight has changed. */
const DELTAS = [
  ['\u2212 gone', deltaColour(1, 0), ''],
  ['\u2212 1/3', deltaColour(3, 1), ''],
  ['\u2212 2/3', deltaColour(3, 2), ''],
  ['+ 3/2', deltaColour(2, 3), ''],
  ['+ 3 times', deltaColour(1, 3), ''],
  ['+ new', deltaColour(0, 1), ''],
] as const;

interface Box {
  readonly node: number;
  readonly start: number;
  readonly depth: number;
}

/** The same function, which is called only once for each frame: a frame has many boxes. */
function oncePerFrame<T>(make: (frame: Frame) => T): (frame: Frame) => T {
  const made = new Map<Frame, T>();
  return (frame) => {
    let value = made.get(frame);
    if (value === undefined) {
      value = make(frame);
      made.set(frame, value);
    }
    return value;
  };
}

const ROOT: Frame = { name: ROOT_NAME, kind: 'thread', dso: '', unknown: false };

function* drawing(
  boxes: Boxes,
  picture: Picture,
  notes: readonly string[],
  data: unknown,
): Generator<string | Uint8Array> {
  const { frames, tree, width } = boxes;
  const scale = (WIDTH - 2 * SIDE) / (width[0]! || 1);
  const { placed, depth, hidden, hiddenWidth } = place(boxes, scale);
  const lines = picture.subtitle.length;
  const top = 40 + LINE * (lines + 3) + 26;
  const height = top + (depth + 1) * ROW + BOTTOM;
  const thin = thinText(hidden, hiddenWidth, width[0]!, 'a tenth of a pixel');
  const below = [thin, ...notes].filter(Boolean).join(' · ');
  const kinds = new Set(placed.map(({ node }) => frames[tree.frame[node]!]?.kind ?? 'thread'));
  yield `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" id="flamegraph" width="100%" viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="xMidYMin meet" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="12">
<title>${escapeXml(picture.title)}</title>
<style><![CDATA[${cdata(picture.style)}]]></style>
<defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch" width="1.5" height="6"/></pattern>
<pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse"><circle class="hatch" cx="2" cy="2" r="1"/></pattern>
</defs>
<rect class="background" width="100%" height="100%"/>
<g id="heat"></g>
<g id="frames" role="tree" aria-label="call stacks">
`;
  const escaped = oncePerFrame((frame) => ({
    ...frame,
    name: escapeXml(frame.name),
    dso: escapeXml(frame.dso),
  }));
  // Many boxes are yielded at once, because each piece may become a write of its own.
  let piece = '';
  for (const { node, start, depth: level } of placed) {
    const frame = frames[tree.frame[node]!] ?? ROOT;
    const x = round(SIDE + start * scale);
    const wide = round(width[node]! * scale);
    const y = height - BOTTOM - (level + 1) * ROW;
    // Most boxes have no room for a label: it is made where there is some.
    const label = lettersIn(wide) < 3 ? '' : cut(printable(boxes.label(node, frame)), wide);
    const pattern = wide < PATTERN_WIDTH ? '' : KINDS[frame.kind].pattern;
    const text =
      label && `<text x="${round(x + LABEL_LEFT)}" y="${y + LABEL_DOWN}">${escapeXml(label)}</text>`;
    const overlay = pattern
      ? `<rect class="pattern" x="${x}" y="${y}" width="${wide}" height="${ROW - 1}" fill="url(#${pattern})"/>`
      : '';
    piece += `<g class="frame ${frame.kind}"><title>${boxes.title(node, escaped(frame))}</title><rect class="box" x="${x}" y="${y}" width="${wide}" height="${ROW - 1}" fill="${boxes.fill(node, frame)}"/>${overlay}${text}</g>\n`;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}</g>
<g id="head">
<rect class="background" width="100%" height="${top - 4}"/>
<text class="title" x="${SIDE}" y="${TITLE_DOWN}">${escapeXml(picture.title)}</text>
${picture.subtitle.map((line, at) => `<text class="subtitle" x="${SIDE}" y="${FACTS_DOWN + at * LINE}">${escapeXml(line)}</text>`).join('\n')}
<text id="note" class="subtitle" x="${SIDE}" y="${FACTS_DOWN + lines * LINE}">${escapeXml(below)}</text>
<g id="legend" transform="translate(0 ${top - 40})">${legend(boxes.legend(kinds))}</g>
<g id="details" class="details"></g>
</g>
<metadata id="gkeprof-data">`;
  yield* embeddedJsonPieces(data);
  yield `</metadata>\n<script><![CDATA[${cdata(picture.script)}]]></script>\n</svg>\n`;
}

function place({ tree, width }: Boxes, scale: number) {
  const placed: Box[] = [{ node: 0, start: 0, depth: 0 }];
  /** The boxes from the root to the present node, and where the next child of each begins. */
  const way: Box[] = [placed[0]!];
  const free: number[] = [0];
  let depth = 0;
  let hidden = 0;
  let hiddenWidth = 0;
  for (let node = 1; node < tree.frame.length; ) {
    const parent = tree.parent[node]!;
    while (way.at(-1)!.node !== parent) {
      way.pop();
      free.pop();
    }
    const start = free[way.length - 1]!;
    const wide = width[node]!;
    free[way.length - 1] = start + wide;
    if (wide * scale < LEAST_WIDTH) {
      hidden += tree.next[node]! - node;
      hiddenWidth += wide;
      node = tree.next[node]!;
      continue;
    }
    const box = { node, start, depth: way.length };
    placed.push(box);
    way.push(box);
    free.push(start);
    depth = Math.max(depth, box.depth);
    node += 1;
  }
  return { placed, depth, hidden, hiddenWidth };
}

/** The kinds that occur, each in the colour that a frame of the name of its label would have. */
const kindLegend: Boxes['legend'] = (kinds) =>
  (['state', 'user', 'kernel', 'jit', 'script', 'inlined'] as const)
    .filter((kind) => kinds.has(kind))
    .flatMap((kind) => {
      const { label, pattern } = KINDS[kind];
      const entry = [label, colourOf({ name: label, kind, dso: '' }), pattern] as const;
      const library = ['library', colourOf({ name: 'library', kind, dso: 'x.so' }), ''] as const;
      return kind === 'user' ? [entry, library] : [entry];
    });

const legend = (entries: ReturnType<Boxes['legend']>): string =>
  entries
    .map(([words, fill, pattern], at) => {
      const x = WIDTH - SIDE - (entries.length - at) * LEGEND_ENTRY;
      const overlay = pattern
        ? `<rect class="pattern" x="${x}" y="0" width="14" height="11" fill="url(#${pattern})"/>`
        : '';
      return `<rect x="${x}" y="0" width="14" height="11" fill="${fill}"/>${overlay}<text class="legend" x="${x + 19}" y="10">${words}</text>`;
    })
    .join('');

const round = (value: number): number => Math.round(value * 100) / 100;
