import type { Frame, FrameKind } from './frame.ts';
import type { Profile } from './profile.ts';

export interface Picture {
  readonly title: string;
  /** Lines below the title: what was recorded, and the figures. */
  readonly subtitle: readonly string[];
  /** The browser half: flamegraph.browser.js and flamegraph.css, as text. */
  readonly script: string;
  readonly style: string;
}

const WIDTH = 1200;
const ROW = 18;
const TOP = 74;
const BOTTOM = 34;
const SIDE = 10;
/** Narrower boxes are not drawn; how many samples they are is said. A tenth of a pixel is below what a screen shows. */
const LEAST_WIDTH = 0.1;
/** Of a letter of the monospaced font at 12 px. */
const LETTER = 7.2;

const KINDS: ReadonlyArray<readonly [FrameKind, string]> = [
  ['user', 'user'],
  ['kernel', 'kernel'],
  ['jit', 'JIT'],
  ['inlined', 'inlined'],
];

/**
 * Draws the tree as one self-contained SVG: the same input gives the same bytes; every string is escaped and holds
 * only what XML 1.0 allows; without scripts each box still has its title. Widths are samples.
 */
export function drawFlamegraph(profile: Profile, picture: Picture): string {
  const drawing: Drawing = {
    boxes: [],
    depth: 0,
    hidden: 0,
    kinds: new Set(),
    scale: (WIDTH - 2 * SIDE) / Math.max(1, profile.tree.total[0]!),
  };
  place(profile, drawing);
  const height = TOP + (drawing.depth + 1) * ROW + BOTTOM;
  const unit = profile.tree.total[0]!;
  const boxes = drawing.boxes.map((box) => boxSvg(profile, box, drawing, height, unit)).join('\n');
  const hidden = drawing.hidden ? ` · ${drawing.hidden} samples in boxes too narrow to draw` : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" id="flamegraph" width="100%" height="${height}" viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="xMidYMin meet" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="12" data-samples="${unit}" data-width="${WIDTH}" data-side="${SIDE}" role="img" aria-labelledby="title">
<style><![CDATA[${cdata(picture.style)}]]></style>
<defs>
<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch" width="1.5" height="6"/></pattern>
<pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse"><circle class="hatch" cx="2" cy="2" r="1"/></pattern>
</defs>
<rect class="background" width="100%" height="100%"/>
<text id="title" class="title" x="${SIDE}" y="26">${escapeXml(picture.title)}</text>
${picture.subtitle.map((line, at) => `<text class="subtitle" x="${SIDE}" y="${44 + at * 15}">${escapeXml(line)}</text>`).join('\n')}
<g id="controls" class="controls">
<text id="reset" class="button" x="${WIDTH - SIDE - 160}" y="26" role="button" tabindex="0" visibility="hidden">Reset zoom</text>
<text id="search" class="button" x="${WIDTH - SIDE}" y="26" text-anchor="end" role="button" tabindex="0">Search (/)</text>
</g>
<g id="legend">${legend(drawing)}</g>
<text id="matched" class="matched" x="${WIDTH - SIDE}" y="44" text-anchor="end"></text>
<g id="frames" role="tree" aria-label="call stacks">
${boxes}
</g>
<text id="details" class="details" x="${SIDE}" y="${height - 12}">${escapeXml(`${unit} samples${hidden}`)}</text>
<script><![CDATA[${cdata(picture.script)}]]></script>
</svg>
`;
}

interface Box {
  readonly node: number;
  readonly start: number;
  readonly depth: number;
}

interface Drawing {
  readonly boxes: Box[];
  readonly kinds: Set<FrameKind>;
  /** Pixels a sample. */
  readonly scale: number;
  depth: number;
  hidden: number;
}

function place({ frames, tree }: Profile, drawing: Drawing): void {
  const start = new Float64Array(tree.frame.length);
  const taken = new Float64Array(tree.frame.length);
  const depth = new Int32Array(tree.frame.length);
  for (let node = 0; node < start.length; ) {
    const parent = tree.parent[node]!;
    if (node > 0) {
      start[node] = start[parent]! + taken[parent]!;
      taken[parent]! += tree.total[node]!;
      depth[node] = depth[parent]! + 1;
    }
    if (tree.total[node]! * drawing.scale < LEAST_WIDTH) {
      drawing.hidden += tree.total[node]!;
      node = tree.next[node]!;
      continue;
    }
    drawing.boxes.push({ node, start: start[node]!, depth: depth[node]! });
    drawing.kinds.add(frames[tree.frame[node]!]?.kind ?? 'user');
    drawing.depth = Math.max(drawing.depth, depth[node]!);
    node += 1;
  }
}

const ALL: Frame = { name: 'all', kind: 'user', dso: '', unknown: false };

function boxSvg(
  { frames, tree }: Profile,
  { node, start, depth }: Box,
  drawing: Drawing,
  height: number,
  samples: number,
): string {
  const { name, kind, dso } = frames[tree.frame[node]!] ?? ALL;
  const call = { total: tree.total[node]!, self: tree.self[node]! };
  const x = round(SIDE + start * drawing.scale);
  const width = round(call.total * drawing.scale);
  const y = height - BOTTOM - (depth + 1) * ROW;
  const share = samples ? ((100 * call.total) / samples).toFixed(2) : '0.00';
  const where = dso ? ` in ${dso}` : '';
  const kindText = kind === 'user' ? '' : `, ${kind === 'jit' ? 'JIT' : kind}`;
  const title = `${name} (${call.total} samples, ${share} %, ${call.self} self${kindText})${where}`;
  const letters = Math.floor((width - 6) / LETTER);
  const label =
    letters < 3 ? '' : name.length <= letters ? name : `${[...name].slice(0, letters - 2).join('')}..`;
  const pattern = kind === 'kernel' ? 'hatch' : kind === 'jit' || kind === 'inlined' ? 'dots' : '';
  const overlay = pattern
    ? `<rect class="pattern" x="${x}" y="${y}" width="${width}" height="${ROW - 1}" fill="url(#${pattern})"/>`
    : '';
  return `<g class="frame ${kind}" role="treeitem" tabindex="-1" data-s="${start}" data-n="${call.total}" data-d="${depth}" data-name="${escapeXml(name)}"><title>${escapeXml(title)}</title><rect class="box" x="${x}" y="${y}" width="${width}" height="${ROW - 1}" rx="1" fill="${colour(name, kind)}"/>${overlay}<text x="${round(x + 3)}" y="${y + 13}">${escapeXml(label)}</text></g>`;
}

function legend({ kinds }: Drawing): string {
  const shown = KINDS.filter(([kind]) => kinds.has(kind));
  if (shown.length < 2) return '';
  return shown
    .map(([kind, words], at) => {
      const x = WIDTH - SIDE - (shown.length - at) * 88;
      const pattern = kind === 'kernel' ? 'hatch' : kind === 'user' ? '' : 'dots';
      const overlay = pattern ? `<rect x="${x}" y="54" width="14" height="11" fill="url(#${pattern})"/>` : '';
      return `<rect x="${x}" y="54" width="14" height="11" rx="1" fill="${colour(words, kind)}"/>${overlay}<text class="legend" x="${x + 19}" y="64">${words}</text>`;
    })
    .join('');
}

/** A colour that stays with its name, within the hue of its kind. */
function colour(name: string, kind: FrameKind): string {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  const vary = (hash >>> 0) % 1000;
  const [from, spread] = {
    thread: [12, 34],
    user: [12, 34],
    kernel: [205, 20],
    jit: [110, 30],
    inlined: [170, 18],
  }[kind] as [number, number];
  return `hsl(${from + ((vary * 7) % spread)} ${62 + (vary % 14)}% ${66 + (vary % 9)}%)`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Text as XML 1.0 allows it: its markup escaped, characters it has no place for replaced (XML 1.0, section 2.2). */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const cdata = (text: string): string => text.replaceAll(']]>', ']]]]><![CDATA[>');
