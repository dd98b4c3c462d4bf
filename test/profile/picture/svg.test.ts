import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compare } from '../../../src/profile/compare/compare.ts';
import { browserHalf } from '../../../src/profile/export/formats.ts';
import { deltaColour } from '../../../src/profile/picture/browser/appearance.js';
import { unpacked } from '../../../src/profile/picture/browser/numbers.js';
import { thinTimeline } from '../../../src/profile/picture/data.ts';
import { embeddedJsonPieces } from '../../../src/profile/picture/escape.ts';
import { readPicture } from '../../../src/profile/picture/read.ts';
import { drawComparison, drawPicture, type Picture } from '../../../src/profile/picture/svg.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { parseFolded } from '../../../src/profile/read/folded-reader.ts';
import { golden } from '../../golden.ts';
import { needing } from '../../needing.ts';
import { fc } from '../../properties.ts';
import { read, stacksOf, textOf } from '../reading.ts';

const picture: Picture = {
  title: 'default/redis-0 on node-a',
  subtitle: ['10s at 99 Hz'],
  script: '',
  style: '',
};

const draw = (profile: Profile, more: Partial<Picture> = {}): string =>
  textOf(drawPicture(profile, { ...picture, ...more }));

const tree = stacksOf([
  [['main', 'aeMain', 'readQueryFromClient', 'sys_read'], 30],
  [['main', 'aeMain', 'call', 'getCommand'], 50],
  [['main', 'aeMain'], 20],
]);

/** libxml2 as the judge of well-formedness. */
const wellFormed = (svg: string): void => {
  execFileSync('xmllint', ['--noout', '--nonet', '--huge', '-'], {
    input: svg,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
};

const HOSTILE = [
  '<script>alert(1)</script>',
  ']]>',
  '"><img onerror=x>',
  '\x1b[31m',
  '\ud800',
  '&amp;',
  "'",
  '\u0000',
  '\u2028',
  '_[k]',
  'a 12',
  '日本語',
  '\\',
  '</metadata>',
];

const timed = (count: number, stacks: number, seconds: number) =>
  Array.from(
    { length: count },
    (_, at) =>
      `a 1/${1 + (at % 2)} [000] ${(5 + (at * seconds) / count).toFixed(6)}: 7 cpu-clock:\n\t1 f${at % stacks} (/x)\n\n`,
  ).join('');

describe('drawPicture', () => {
  it('draws what it always drew', () => {
    golden('profile/picture.svg', draw(tree));
  });

  it('gives the same bytes for the same stacks in any order', () => {
    const other = stacksOf([
      [['main', 'aeMain'], 20],
      [['main', 'aeMain', 'call', 'getCommand'], 50],
      [['main', 'aeMain', 'readQueryFromClient', 'sys_read'], 30],
    ]);
    const boxes = (svg: string) => svg.slice(0, svg.indexOf('<metadata'));
    expect(boxes(draw(other))).toBe(boxes(draw(tree)));
    expect(draw(tree)).toBe(draw(tree));
  });

  needing('xmllint')('is well-formed whatever the names hold, and lets none of them become markup', () => {
    const names = [...fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), 60), ...HOSTILE];
    const svg = draw(
      stacksOf(
        names.map((name) => [[name], 3] as const),
        '<b>&"\x01',
      ),
      {
        title: '</text><script>1</script>',
        subtitle: [']]>', '\x07'],
        script: 'const a = "]]>";',
        style: '/* ]]> */',
      },
    );
    wellFormed(svg);
    expect(svg.match(/<script/g)).toHaveLength(1);
    expect(svg.match(/<\/metadata>/g)).toHaveLength(1);
    expect(svg).not.toMatch(/<img|<b>/);
  });

  needing('xmllint')('is well-formed with the real browser half, empty, of one sample, and very deep', () => {
    wellFormed(draw(tree, browserHalf()));
    wellFormed(draw(stacksOf([])));
    wellFormed(draw(stacksOf([[['f'], 1]])));
    wellFormed(draw(stacksOf([[Array.from({ length: 3000 }, (_, at) => `f${at}`), 1]])));
  });

  it('draws a tenth of a pixel and more, says how much is thinner, and carries that too', () => {
    const svg = draw(
      stacksOf([
        [['wide'], 20_000],
        [['thin'], 2],
        [['narrow', 'below'], 1],
      ]),
    );
    expect(svg).toContain(
      '2 boxes narrower than a tenth of a pixel (0.00 % of the width) appear when you zoom in',
    );
    expect(svg).toMatch(
      /<g class="frame user"><title>thin \([^<]*<\/title><rect [^>]*width="0.12"[^>]*\/><\/g>/,
    );
    expect(svg).not.toContain('>narrow');
    expect(readPicture(svg)!.frames.map((frame) => frame.name)).toContain('narrow');
  });

  it('stays small: 100,000 nodes in less than three megabytes', () => {
    const paths = Array.from(
      { length: 50_000 },
      (_, at) => [[`f${at % 300}`, `g${at}`, `h${at % 4000}`], 2] as const,
    );
    const svg = draw(stacksOf(paths));
    expect(readPicture(svg)!.tree.frame.length).toBeGreaterThan(100_000);
    expect(svg.length).toBeLessThan(3e6);
  });

  it('takes little for what is thin: 10,000 boxes of a tenth of a pixel in 2.2 megabytes', () => {
    const svg = draw(stacksOf(Array.from({ length: 10_000 }, (_, at) => [[`f${at}`], 1] as const)));
    expect(svg.match(/class="frame user"/g)).toHaveLength(10_000);
    expect(svg.length).toBeLessThan(2.2e6);
  });
});

describe('readPicture', () => {
  it('gives back exactly what was drawn, whatever the names', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
      fc.constantFrom(...HOSTILE),
    );
    const stack = fc.tuple(fc.array(name, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(fc.array(stack, { maxLength: 20 }), name, (stacks, comm) => {
        const profile = stacksOf(stacks, comm);
        expect(readPicture(draw(profile))).toEqual(profile);
      }),
    );
  });

  it.each(['samples', 'period'] as const)('gives threads, times and weights back (by %s)', async (weight) => {
    const { profile } = await read(timed(200, 5, 3), { weight });
    expect(readPicture(draw(profile))).toEqual(profile);
    expect(profile.timeline!.at.length).toBe(200);
    expect(profile.threads).toHaveLength(2);
  });

  it('gives folded stacks back', () => {
    const profile = parseFolded('a;b_[k] 3\na;c 0.5\n', { target: 'x' });
    expect(readPicture(draw(profile))).toEqual(profile);
  });

  it('knows what is not its own, and says what is damaged', () => {
    expect(readPicture('<svg xmlns="http://www.w3.org/2000/svg"/>')).toBeUndefined();
    const svg = draw(tree);
    expect(() => readPicture(svg.slice(0, svg.indexOf('<metadata') + 300))).toThrow(
      'the profile in this SVG cannot be read',
    );
    expect(() => readPicture(svg.replace('"gkeprof":1', '"gkeprof":9'))).toThrow('version 9');
    const comparison = textOf(drawComparison(compare(tree, tree), picture));
    expect(() => readPicture(comparison)).toThrow('a comparison, not a profile');
  });
});

describe('thinTimeline', () => {
  it('puts samples together in bins where there are too many, and loses none', async () => {
    const { profile } = await read(timed(5000, 3, 1));
    const thinned = thinTimeline(profile, 1000).timeline!;
    expect(thinned.at.length).toBeLessThanOrEqual(1000);
    expect(thinned.samples!.reduce((a, b) => a + b, 0)).toBe(5000);
    expect(thinned.binSeconds).toBeGreaterThan(0);
    expect(thinTimeline(profile, 5000)).toBe(profile);
  });

  it('leaves times out where bins do not help', async () => {
    const { profile } = await read(timed(3000, 3000, 1));
    expect(thinTimeline(profile, 1000).timeline).toBeUndefined();
  });
});

describe('drawComparison', () => {
  const comparison = compare(
    parseFolded('main;a 30\nmain;gone;x 10\n', { target: 'before' }),
    parseFolded('main;a 20\nmain;<new> 20\n', { target: 'after' }),
  );

  needing('xmllint')(
    'draws what it always drew: what vanished and what is new are both there, with both counts',
    () => {
      const svg = textOf(drawComparison(comparison, picture));
      golden('profile/comparison.svg', svg);
      wellFormed(svg);
      expect(svg).toContain(
        '<title>\u2212 gone (gone): before 10 samples (25.00 %), after 0 samples (0.00 %), \u221225.00 points</title>',
      );
      expect(svg).toContain(
        '<title>+ &lt;new&gt; (new): before 0 samples (0.00 %), after 20 samples (50.00 %), +50.00 points</title>',
      );
    },
  );

  it('has no colour and no sign for what may be chance, and a scale for what is not', () => {
    const changed = Uint8Array.from(comparison.frames, ({ name }) => (name === '<new>' ? 1 : 0));
    const svg = textOf(drawComparison(comparison, picture, changed));
    const fill = (label: string) =>
      new RegExp(
        `fill="(hsl[^"]+)"/>(?:<rect class="pattern"[^>]+>)?<text x="[^"]+" y="[^"]+">${label}<`,
      ).exec(svg)?.[1];
    expect(fill('\\+ &lt;new&gt;')).toBe(deltaColour(0, 1));
    expect(fill('= gone')).toBe(deltaColour(1, 1));
    expect(fill('= a')).toBe(deltaColour(1, 1));
    expect(fill('= all')).toBe(deltaColour(1, 1));
    const words = [...svg.matchAll(/class="legend"[^>]*>([^<]+)</g)].map(([, text]) => text);
    expect(words).toEqual(['− gone', '− 1/3', '− 2/3', '= noise', '+ 3/2', '+ 3 times', '+ new']);
  });
});

describe('jsonPieces', () => {
  it('writes what JSON.stringify writes, and lists of numbers so that they can be unpacked', () => {
    const number = fc.oneof(
      fc.nat(),
      fc.constantFrom(0, 9, 10, 99, 100, 4294967295, 4294967296, 0.5, 1e21, -1),
    );
    fc.assert(
      fc.property(fc.array(number), fc.jsonValue(), (numbers, value) => {
        const data = {
          samples: Float64Array.from(numbers),
          value,
          none: undefined,
          timeline: { later: Int32Array.of(1, 20), stack: Uint32Array.of() },
        };
        const want = JSON.stringify({ samples: numbers, value, timeline: { later: [1, 20], stack: [] } });
        expect(unpacked(JSON.parse(textOf(embeddedJsonPieces(data))))).toEqual(JSON.parse(want));
      }),
    );
  });
});
