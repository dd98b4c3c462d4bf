import type { Frame } from '../frame.ts';
import type { About, Profile, Unit } from '../profile.ts';
import { ProfileBuilder } from './builder.ts';

/** A box of a flame graph; widths are in the unit of its title where the file has them so, else in pixels. */
interface Box {
  readonly name: string;
  readonly weight: number;
  readonly from: number;
  readonly to: number;
  readonly row: number;
}

/** A box and its title, `name (1,234 samples, 5.67%)`, with `; +1.23%` where two profiles were compared. */
const BOX = /<title>([^<]*)<\/title>\s*(?:<a\s[^>]*>\s*)?<rect\s([^>]*)>/g;
const TITLE = /^(.*) \(([\d,]+(?:\.\d+)?) (.+?), \d[\d.]*%(?:; [+-]?\d[\d.]*%)?\)$/s;

/**
 * The profile of a picture that flamegraph.pl or inferno drew: names and weights stand in the titles, who calls whom in where
 * the boxes are. Boxes that were too thin to be drawn are not there: their weight stays with the function that
 * called them. Undefined for any other SVG.
 */
export function readFlameGraph(svg: string, about: About): Profile | undefined {
  const { boxes, unit: counted } = boxesOf(svg);
  const widest = (of: readonly Box[]) =>
    of.reduce<Box | undefined>(
      (best, box) => (best && best.to - best.from >= box.to - box.from ? best : box),
      undefined,
    );
  // A function may have the root's name, but no other box is as wide then.
  const root = widest(boxes.filter(({ name }) => name === 'all')) ?? widest(boxes);
  if (!root || boxes.some(({ from, to }) => Number.isNaN(from + to))) return undefined;
  const rows = new Map<number, Box[]>();
  for (const box of boxes) {
    const row = rows.get(box.row);
    if (row) row.push(box);
    else rows.set(box.row, [box]);
  }
  // From the root on, upwards or, in an icicle, downwards.
  const order = [...rows.keys()].sort((a, b) => Math.abs(a - root.row) - Math.abs(b - root.row));
  if (order[0] !== root.row || rows.get(root.row)!.length !== 1) return undefined;
  const builder = new ProfileBuilder();
  const paths = new Map<Box, readonly number[]>([[root, []]]);
  const selfs = new Map<Box, number>([[root, root.weight]]);
  for (const [at, row] of order.slice(1).entries()) {
    const above = rows.get(order[at]!)!.sort((a, b) => a.from - b.from);
    for (const box of rows.get(row)!) {
      const parent = boxAt(above, (box.from + box.to) / 2);
      const path = parent && paths.get(parent);
      if (!path) continue;
      paths.set(box, [...path, builder.frame(frameOf(box.name))]);
      selfs.set(parent, selfs.get(parent)! - box.weight);
      selfs.set(box, box.weight);
    }
  }
  for (const [box, self] of selfs) {
    if (self <= 0) continue;
    // What stands directly on the root and is not there keeps its share of the whole.
    const path = box === root ? [builder.frame(frameOf('[not drawn]'))] : paths.get(box)!;
    builder.add(Int32Array.from(path), -1, self, self);
  }
  const unit: Unit = counted === 'samples' ? 'samples' : 'events';
  return builder.profile(about, counted, unit);
}

function boxesOf(svg: string): { boxes: Box[]; unit: string } {
  const boxes: Box[] = [];
  let unit = 'samples';
  for (const [, title, attributes] of svg.matchAll(BOX)) {
    const found = TITLE.exec(unescaped(title!));
    if (!found) continue;
    const [, name, weight, counted] = found as unknown as [string, string, string, string];
    const number = (key: string): number =>
      Number.parseFloat(new RegExp(`(?:^|\\s)${key}="([^"]*)"`).exec(attributes!)?.[1] ?? 'NaN');
    // inferno writes widths in samples as well, which are exact.
    const exact = number('fg:w');
    const from = Number.isNaN(exact) ? number('x') : number('fg:x');
    boxes.push({
      name,
      weight: Number(weight.replaceAll(',', '')),
      from,
      to: from + (Number.isNaN(exact) ? number('width') : exact),
      row: Math.round(number('y')),
    });
    unit = counted;
  }
  return { boxes, unit };
}

/** The last box that begins at or before a place, of those sorted by where they begin. */
function boxAt(boxes: readonly Box[], place: number): Box | undefined {
  let low = 0;
  let high = boxes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boxes[middle]!.from <= place) low = middle + 1;
    else high = middle;
  }
  return boxes[low - 1];
}

const SUFFIX = { k: 'kernel', j: 'jit', i: 'inlined' } as const;

function frameOf(title: string): Frame {
  const annotated = /^(.+)_\[([kji])\]$/s.exec(title);
  const name = annotated ? annotated[1]! : title;
  return {
    name,
    kind: annotated ? SUFFIX[annotated[2] as keyof typeof SUFFIX] : 'user',
    dso: '',
    unknown: /^\[.*\]$/.test(name),
  };
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

const unescaped = (text: string): string =>
  text.replace(/&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([0-9a-f]+));/gi, (whole, name, decimal, hex) => {
    if (name) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
