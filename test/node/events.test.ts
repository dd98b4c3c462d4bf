import { describe, expect, it } from 'vitest';
import { captureScript } from '../../src/collectors/script.ts';
import { EVENTS, EventReader, LineSplitter, parseEvent } from '../../src/node/events.ts';
import { fc } from '../properties.ts';

const line = (seq: number, nonce = 'n', more: object = {}) =>
  JSON.stringify({ gkeprof: 1, seq, nonce, t: 5, event: 'progress', bytes: 7, free: 9, ...more });

describe('parseEvent', () => {
  it.each([
    ['another session', line(1, 'other')],
    ['another version', line(1).replace('"gkeprof":1', '"gkeprof":2')],
    ['a cut line', line(1).slice(0, -3)],
    ['a number that is none', line(0)],
    ['a field of another kind', line(1, 'n', { bytes: '7' })],
    ['a number below its bound', line(1, 'n', { bytes: -1 })],
    ['a number that JavaScript cannot hold', line(1, 'n', { bytes: 2 ** 60 })],
    ['a missing field', line(1, 'n', { free: undefined })],
    ['a word that the field does not have', line(1, 'n', { event: 'stopping', reason: 'boredom' })],
    ['text without an end', line(1, 'n', { event: 'tool', version: 'x'.repeat(1001) })],
    ['a file outside of the folder for files', line(1, 'n', { event: 'artifact', file: '../x' })],
    ['a name from the prototype', line(1, 'n', { event: 'constructor' })],
    ['no event', '{"gkeprof":1,"seq":1,"nonce":"n","t":5}'],
    ['text', 'oops'],
  ])('takes no %s', (_what, text) => expect(parseEvent(text, 'n')).toBeUndefined());

  it('takes its own', () =>
    expect(parseEvent(line(3, 'n', { dropped: 2 }), 'n')).toEqual({
      ...{ event: 'progress', seq: 3, t: 5, bytes: 7, free: 9, dropped: 2 },
    }));

  it('leaves out fields that this version does not know', () =>
    expect(parseEvent(line(1, 'n', { moon: 'full', x: { y: 1 } }), 'n')).toEqual({
      ...{ event: 'progress', seq: 1, t: 5, bytes: 7, free: 9 },
    }));
});

describe('EventReader', () => {
  it('gives each event once and in order, whatever is repeated, lost or foreign', () => {
    const reader = new EventReader('n');
    expect(reader.read(line(1)).kind).toBe('event');
    expect(reader.read(line(1)).kind).toBe('repeated');
    expect(reader.read(line(4))).toEqual({ kind: 'gap', from: 2, to: 3 });
    expect(reader.read('\x1b[2J')).toEqual({ kind: 'foreign', text: '\\x1b[2J' });
    for (const seq of [2, 3, 4]) expect(reader.read(line(seq)).kind).toBe('event');
  });

  it('passes over an event of a later version, and goes on behind it', () => {
    const reader = new EventReader('n');
    expect(reader.read(line(1, 'n', { event: 'eclipse' }))).toEqual({ kind: 'unknown' });
    expect(reader.read(line(2)).kind).toBe('event');
  });

  it('shows that an event is not well-formed, and goes on behind it', () => {
    const reader = new EventReader('n');
    expect(reader.read(line(1, 'n', { bytes: 'many' }))).toEqual({
      kind: 'foreign',
      text: 'the node\'s event "progress" has a wrong "bytes"',
    });
    expect(reader.read(line(2)).kind).toBe('event');
  });
});

describe('LineSplitter', () => {
  it('holds no more of a line without an end than an event can have', () => {
    const splitter = new LineSplitter();
    for (let pushed = 0; pushed < 200; pushed += 1)
      expect(splitter.push(Buffer.alloc(65_536, 'x'))).toEqual([]);
    const [long, next] = splitter.push(Buffer.from(`y\n${line(1)}\n`));
    expect(long!.length).toBe(65_536);
    expect(parseEvent(next!, 'n')).toMatchObject({ seq: 1 });
  });

  it('gives the same lines however the bytes are cut', () => {
    const text = 'eins\nzwei größe 日本\n\ndrei\nohne Ende';
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 10 }), (cuts) => {
        const splitter = new LineSplitter();
        const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
        const lines = edges.slice(1).flatMap((end, at) => splitter.push(bytes.subarray(edges[at], end)));
        expect([...lines, ...splitter.end()]).toEqual(['eins', 'zwei größe 日本', 'drei', 'ohne Ende']);
      }),
    );
  });
});

/** What the shell emits: event, key and whether the value is a number, as in `emit progress bytes: "$bytes"`. */
function emitted(): Array<readonly [event: string, key: string, isNumber: boolean]> {
  const script = captureScript().replaceAll(/^\s*#.*$/gm, '');
  const keysOf = (words: string) =>
    // A key and its value in turn; a value is one word, in quotes where it has blanks.
    [...words.matchAll(/(?:^|\s)([a-z_0-9]+)(:?) ("(?:[^"\\]|\\.)*"|\$\(\([^)]*\)\)|[^\s"]+)/g)].map(
      ([, key, colon]) => [key!, colon === ':'] as const,
    );
  const calls = [...script.matchAll(/\bemit '?([a-z]+)'?((?: [^\n]*)?)$/gm)].map(
    ([, event, words]) => [event!, words!] as const,
  );
  const refusals = [...script.matchAll(/\brefuse ("?\$?[a-z_-]+"?)((?: [a-z]+ \S+?)*)(?=[;\s])/g)].map(
    ([, code, words]) => ['refused', `code ${code} ${words}`] as const,
  );
  // The collectors' figures, which `progress` and `end` take over as they stand.
  const figures = [
    ...script.matchAll(/\b(?:counts|cpu_counts|harvest_counts)\+?=\(([^\n]*)\)(?: ;;)?$/gm),
  ].flatMap(([, words]) => (['end'] as const).map((event) => [event, words!] as const));
  const beginnings = [...script.matchAll(/\bbegan\+?=\(([^\n]+)\)$/gm)].map(
    ([, words]) => ['capturing', words!] as const,
  );
  return [...calls, ...refusals, ...figures, ...beginnings].flatMap(([event, words]) =>
    words.trim() === ''
      ? [[event, '', false] as const]
      : keysOf(words).map((key) => [event, ...key] as const),
  );
}

describe('the events of the shell', () => {
  const all = emitted();
  const fields = EVENTS as Readonly<
    Record<string, Readonly<Record<string, { accepts(value: unknown): boolean }>>>
  >;

  it('are read out of it', () => {
    expect(all).toContainEqual(['progress', 'free', true]);
    expect(all).toContainEqual(['artifact', 'sha256', false]);
    expect(all).toContainEqual(['end', 'cpu_waited_us', true]);
    expect(all).toContainEqual(['end', 'buffer', true]);
    expect(all).toContainEqual(['end', 'cut', false]);
    expect(all).toContainEqual(['capturing', 'stacks', false]);
    expect(all).toContainEqual(['end', 'harvested', true]);
    expect(all).toContainEqual(['end', 'unharvested_why', false]);
    expect(all).toContainEqual(['refused', 'tools', false]);
    expect(all).toContainEqual(['installed', '', false]);
  });

  it.each(all.map((each) => [each.slice(0, 2).join(' '), ...each] as const))(
    '%s: the union knows it, as a number or as text',
    (_name, event, key, isNumber) => {
      expect(Object.keys(fields)).toContain(event);
      if (key === '') return;
      expect(Object.keys(fields[event]!)).toContain(key);
      expect(fields[event]![key]!.accepts(7)).toBe(isNumber);
    },
  );

  it('are all that the union knows', () => {
    const known = Object.entries(fields).flatMap(([event, its]) =>
      Object.keys(its).map((key) => `${event} ${key}`),
    );
    const said = new Set(all.map(([event, key]) => `${event} ${key}`));
    // progress has the figures of the collector that `end` has, too.
    for (const key of ['packets', 'received', 'dropped', 'buffer']) said.add(`progress ${key}`);
    expect(known.filter((each) => !said.has(each))).toEqual([]);
  });
});
