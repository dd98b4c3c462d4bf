import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readFlameGraph } from '../../../src/profile/read/flame-graph.ts';
import { folded, read } from '../reading.ts';

const fixture = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

const ABOUT = { target: 'test' };

interface Call {
  readonly name: string;
  readonly weight: number;
  readonly below?: readonly Call[];
}

const CALLS: Call = {
  name: 'all',
  weight: 12_345,
  below: [
    {
      name: 'main',
      weight: 12_000,
      below: [
        { name: 'std::vector<int>::f(a & b)', weight: 11_000, below: [{ name: 'all', weight: 10_999 }] },
        { name: 'main', weight: 900 },
      ],
    },
    { name: '[unknown] (2 samples, x)', weight: 345 },
  ],
};

const FOLDED = `[unknown] (2 samples, x) 345
main 100
main;main 900
main;std::vector<int>::f(a & b) 1
main;std::vector<int>::f(a & b);all 10999
`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const grouped = (weight: number): string => weight.toLocaleString('en-US');

/** What is drawn of the calls, each at its place, as a line of the tool. */
function boxes(
  call: Call,
  draw: (call: Call, from: number, depth: number) => string,
  from = 0,
  depth = 0,
): string {
  let at = from;
  const below = (call.below ?? []).map((each) => {
    const text = boxes(each, draw, at, depth + 1);
    at += each.weight;
    return text;
  });
  // Both tools draw in no certain order.
  return [...below.reverse(), draw(call, from, depth)].join('');
}

/** As flamegraph.pl of FlameGraph 1.0 writes it. */
function flamegraph(calls: Call, inverted = false, delta = '', href = ''): string {
  const scale = 1180 / calls.weight;
  const frames = boxes(calls, ({ name, weight }, from, depth) => {
    const y = inverted ? 36 + depth * 16 : 485 - depth * 16;
    const share = depth === 0 ? '100%' : `${((100 * weight) / calls.weight).toFixed(2)}%${delta}`;
    return `<g >
<title>${escaped(name)} (${grouped(weight)} samples, ${share})</title>${href}<rect x="${(10 + from * scale).toFixed(1)}" y="${y}" width="${(weight * scale).toFixed(1)}" height="15.0" fill="rgb(227,0,7)" rx="2" ry="2" />
<text  x="13.00" y="${y + 10.5}" >${escaped(name).slice(0, 8)}..</text>
</g>
`;
  });
  return `<?xml version="1.0" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg version="1.1" width="1200" height="502" onload="init(evt)" xmlns="http://www.w3.org/2000/svg">
<!-- Flame graph stack visualization. See https://github.com/brendangregg/FlameGraph for latest version. -->
<text id="title" x="600.00" y="24" >Flame Graph</text>
<g id="frames">
${frames}</g>
</svg>
`;
}

/** As inferno 0.12 writes it. */
function inferno(calls: Call): string {
  const frames = boxes(calls, ({ name, weight }, from, depth) => {
    const share = depth === 0 ? '100%' : `${((100 * weight) / calls.weight).toFixed(2)}%`;
    const percent = (part: number) => `${((100 * part) / calls.weight).toFixed(4)}%`;
    return `<g><title>${escaped(name)} (${grouped(weight)} samples, ${share})</title><rect x="${percent(from)}" y="${485 - depth * 16}" width="${percent(weight)}" height="15" fill="rgb(227,0,7)" fg:x="${from}" fg:w="${weight}"/><text x="0.2500%" y="495.50"></text></g>`;
  });
  return `<?xml version="1.0" standalone="no"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg version="1.1" width="1200" height="502" onload="init(evt)" viewBox="0 0 1200 502" xmlns="http://www.w3.org/2000/svg" xmlns:fg="http://github.com/jonhoo/inferno"><!--Flame graph stack visualization. See https://github.com/brendangregg/FlameGraph for latest version.--><text id="title" fill="rgb(0,0,0)" x="50.0000%" y="24.00">Flame Graph</text><svg id="frames" x="10" width="1180" total_samples="${calls.weight}">${frames}</svg></svg>`;
}

describe('a flame graph of another tool', () => {
  it.each([
    ['flamegraph.pl', flamegraph(CALLS)],
    ['flamegraph.pl --inverted', flamegraph(CALLS, true)],
    ['flamegraph.pl of a comparison', flamegraph(CALLS, false, '; +1.25%')],
    ['flamegraph.pl with links', flamegraph(CALLS, false, '', '<a xlink:href="x?a=1">')],
    ['inferno', inferno(CALLS)],
  ])('gives back the stacks that %s drew', async (_, svg) => {
    const { profile, from } = await read(svg);
    expect(from).toBe('flame graph');
    expect(folded(profile)).toBe(FOLDED);
    expect(profile).toMatchObject({ samples: 12_345, unit: 'samples' });
  });

  it('gives back what inferno-flamegraph 0.12.8 drew of inferno.folded', async () => {
    const { profile } = await read(fixture('inferno.svg.txt'));
    // The picture's titles have no suffixes for kernel functions.
    const lines = fixture('inferno.folded').replaceAll('_[k]', '').trimEnd().split('\n');
    expect(folded(profile)).toBe(
      lines
        .sort()
        .map((line) => `${line}\n`)
        .join(''),
    );
  });

  it('leaves the weight of boxes that were too thin to be drawn with their callers', () => {
    const thin = { ...CALLS, below: CALLS.below!.slice(0, 1) };
    const deep: Call = { name: 'all', weight: 1000, below: [{ name: 'main', weight: 1000 }] };
    expect(folded(readFlameGraph(flamegraph(deep), ABOUT)!)).toBe('main 1000\n');
    expect(folded(readFlameGraph(inferno(thin), ABOUT)!)).toBe(
      FOLDED.replace('[unknown] (2 samples, x) 345', '[not drawn] 345'),
    );
  });

  it('takes what the boxes count from their titles', () => {
    const profile = readFlameGraph(inferno(CALLS).replaceAll(' samples, ', ' bytes, '), ABOUT)!;
    expect(profile).toMatchObject({ event: 'bytes', unit: 'events' });
    expect(profile.tree.total[0]).toBe(12_000 + 345);
  });

  it.each([
    ['any picture', '<svg xmlns="http://www.w3.org/2000/svg"><rect x="1" y="2" width="3"/></svg>'],
    ['boxes with titles of their own', '<svg><g><title>a (b)</title><rect x="1" y="2" width="3"/></g></svg>'],
    ['boxes without a place', '<svg><title>all (3 samples, 100%)</title><rect fill="red"/></svg>'],
  ])('does not take %s for one', (_, svg) => {
    expect(readFlameGraph(svg, ABOUT)).toBeUndefined();
  });
});
