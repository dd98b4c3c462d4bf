import { describe, expect, it } from 'vitest';
import { commandMicroseconds, measure, readSpent, renderTable, worstDifference } from './measure.ts';
import { PARTS, PROGRAMS, TRUTH } from './programs.ts';

describe('measure', () => {
  it('counts the samples of each function, in whatever form a language writes it', () => {
    const folded = [
      'c;main;work;sixty_percent;burn 6',
      'go;main.work;main.thirty_percent;main.burn 2',
      'rust;shares::work;shares::thirty_percent;shares::burn 1',
      'java;Shares.ten_percent(long);Shares.burn() 1',
      'c;main;[c-fp] 10',
      '',
    ].join('\n');
    expect(measure(folded, PARTS)).toEqual({
      samples: 20,
      known: 0.5,
      shares: { sixty_percent: 0.6, thirty_percent: 0.3, ten_percent: 0.1 },
    });
  });

  it('takes neither a thread, another function’s name nor a stack in two functions for one of them', () => {
    const folded = 'ten_percent;a 1\nc;other_ten_percent 1\nc;sixty_percent;ten_percent 1\nc;ten_percent 1';
    expect(measure(folded, PARTS)).toEqual({
      samples: 4,
      known: 0.25,
      shares: { sixty_percent: 0, thirty_percent: 0, ten_percent: 1 },
    });
  });

  it('of nothing is nothing, and of what is no folded stack an error', () => {
    expect(measure('', PARTS)).toMatchObject({ samples: 0, known: 0, shares: { ten_percent: 0 } });
    for (const text of ['c;main', 'c;main 0', 'c;main 1.5']) expect(() => measure(text, PARTS)).toThrow(text);
  });
});

it('the worst difference is in points, and counts a function that was not found', () => {
  expect(worstDifference({ a: 0.62, b: 0.38 }, { a: 0.6, b: 0.4 })).toBeCloseTo(2);
  expect(worstDifference({ a: 1 }, { a: 0.6, b: 0.4 })).toBeCloseTo(40);
});

it('what a program says of itself is its last line', () => {
  expect(readSpent('')).toBeUndefined();
  expect(readSpent('spent a=1 b=1 us\nspent a=600000 b=200000 us\nended\n')).toEqual({
    shares: { a: 0.75, b: 0.25 },
    cores: 0.4,
  });
});

it('reads the microseconds of commands from INFO commandstats', () => {
  const info =
    '# Commandstats\r\ncmdstat_get:calls=7,usec=21,usec_per_call=3.00\r\ncmdstat_config|get:calls=1,usec=9,usec_per_call=9\r\n';
  expect(commandMicroseconds(info)).toEqual({ get: 21, 'config|get': 9 });
});

it('prints the table', () => {
  const measured = measure('c;sixty_percent 62\nc;thirty_percent 28\nc;ten_percent 10', PARTS);
  const nothing = measure('c;[c-fp] 5', PARTS);
  const row = { way: 'fp', truth: TRUTH, bytes: 12_345, required: true };
  expect(
    renderTable([
      { ...row, program: 'c-fp', measured },
      { ...row, program: 'stripped', measured: nothing, required: false },
    ]),
  ).toBe(`program   way  samples  with function  shares                    worst points  kB  required
c-fp      fp   100      100.0 %        62.0 % / 28.0 % / 10.0 %  2.0           12  yes
stripped  fp   5        0.0 %          –                         –             12
`);
});

it('no two programs have one name, and a nameless one has to be named by no way', () => {
  expect(new Set(PROGRAMS.map(({ name }) => name)).size).toBe(PROGRAMS.length);
  for (const { nameless, namedBy } of PROGRAMS) expect(nameless && namedBy.length > 0).not.toBe(true);
});
