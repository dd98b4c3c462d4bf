import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/interrupts.ts';
import { asOneObject, longJson, longYaml } from '../../src/output/long-result.ts';

const ROWS = 1234;
const row = (at: number) => ({
  at,
  text: ['plain', '- list: x', ' leading', 'two\nlines\n\nof it', '', '2024-01-01', 'µ→😀', 'null'][at % 8],
  deep: { list: at % 3 ? [at, { a: [] }] : [], none: null, missing: undefined },
});

/** Lists can be gone through once: each use has its own. */
const result = () => ({
  kind: 'Thing',
  nothing: null,
  missing: undefined,
  '1: 2': { '3': 4 },
  empty: {},
  none: [],
  noRows: (function* () {})(),
  rows: Array.from({ length: ROWS }, (_, at) => row(at)).values(),
  inside: { count: 1, missing: undefined, rows: [row(3), row(5)], more: { '1': { a: [1, 2] }, no: [] } },
});
const plain = () => ({ ...result(), noRows: [], rows: Array.from({ length: ROWS }, (_, at) => row(at)) });

describe('a result with long lists', () => {
  it('is the JSON of the whole', () => {
    expect([...longJson(result())].join('')).toBe(JSON.stringify(plain()));
  });

  it('is the YAML of the whole', async () => {
    const text = [...(await longYaml(result()))].join('');
    const data = JSON.parse(JSON.stringify(plain()));
    expect(text).toBe(dump(data, { lineWidth: -1, noRefs: true }));
  });

  it('is one object where one is needed, unless that is too much', async () => {
    expect(await asOneObject(result(), () => {}, new Turns())).toEqual(JSON.parse(JSON.stringify(plain())));
    const bound = (characters: number) => {
      if (characters > 5000) throw new Error('too long');
    };
    await expect(asOneObject(result(), bound, new Turns())).rejects.toThrow('too long');
  });

  it('hears a signal while it is put together', async () => {
    const stop = new AbortController();
    setImmediate(() => stop.abort(new Error('stopped')));
    const endless = (function* () {
      for (;;) yield row(1);
    })();
    await expect(asOneObject({ endless }, () => {}, new Turns(stop.signal))).rejects.toThrow('stopped');
  });
});
