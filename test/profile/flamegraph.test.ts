import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asset } from '../../src/assets.ts';
import { drawFlamegraph } from '../../src/profile/flamegraph.ts';
import { golden } from '../golden.ts';
import { stacksOf } from './reading.ts';

const picture = { title: 'default/redis-0 on node-a', subtitle: ['10s at 99 Hz'], script: '', style: '' };

const tree = stacksOf([
  [['main', 'aeMain', 'readQueryFromClient', 'sys_read'], 30],
  [['main', 'aeMain', 'call', 'getCommand'], 50],
  [['main', 'aeMain'], 20],
]);

/** libxml2 as the judge of well-formedness. */
const wellFormed = (svg: string): void => {
  execFileSync('xmllint', ['--noout', '--nonet', '-'], { input: svg, stdio: ['pipe', 'pipe', 'pipe'] });
};

describe('drawFlamegraph', () => {
  it('draws what it always drew', () => {
    golden('profile/flamegraph.svg', drawFlamegraph(tree, picture));
  });

  it('gives the same bytes for the same stacks in any order', () => {
    const other = stacksOf([
      [['main', 'aeMain'], 20],
      [['main', 'aeMain', 'call', 'getCommand'], 50],
      [['main', 'aeMain', 'readQueryFromClient', 'sys_read'], 30],
    ]);
    expect(drawFlamegraph(other, picture)).toBe(drawFlamegraph(tree, picture));
  });

  it('is well-formed whatever the names hold, and lets none of them become markup', () => {
    const hostile = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), 60);
    const names = [
      ...hostile,
      '<script>alert(1)</script>',
      ']]>',
      '"><img onerror=x>',
      '\x1b[31m',
      '\ud800',
      '&amp;',
      "'",
      '\u0000',
    ];
    const svg = drawFlamegraph(
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
    expect(svg).not.toMatch(/<img|<b>/);
  });

  it('is well-formed with the real browser half', () => {
    wellFormed(
      drawFlamegraph(tree, {
        ...picture,
        script: asset('profile/flamegraph.browser.js'),
        style: asset('profile/flamegraph.css'),
      }),
    );
  });

  it('draws an empty profile too', () => {
    wellFormed(drawFlamegraph(stacksOf([]), picture));
  });

  it('says how many samples are in boxes too narrow to draw', () => {
    const svg = drawFlamegraph(
      stacksOf([
        [['wide'], 20_000],
        [['narrow'], 1],
      ]),
      picture,
    );
    expect(svg).toContain('1 samples in boxes too narrow to draw');
    expect(svg).not.toContain('>narrow');
  });
});
