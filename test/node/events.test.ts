import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventReader, LineSplitter, parseEvent } from '../../src/node/events.ts';

const line = (seq: number, nonce = 'n', more: object = {}) =>
  JSON.stringify({ gkeprof: 1, seq, nonce, t: 5, event: 'progress', ...more });

describe('parseEvent', () => {
  it.each([
    ['another session', line(1, 'other')],
    ['another version', line(1).replace('"gkeprof":1', '"gkeprof":2')],
    ['a cut line', line(1).slice(0, -3)],
    ['a number that is none', line(0)],
    ['a value that is no plain one', line(1, 'n', { x: { y: 1 } })],
    ['no event', '{"gkeprof":1,"seq":1,"nonce":"n","t":5}'],
    ['text', 'oops'],
  ])('takes no %s', (_what, text) => expect(parseEvent(text, 'n')).toBeUndefined());

  it('takes its own', () =>
    expect(parseEvent(line(3, 'n', { bytes: 7 }), 'n')).toMatchObject({ seq: 3, bytes: 7 }));
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
