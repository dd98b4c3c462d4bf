import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../src/session/frames.ts';

const stream = Buffer.concat([
  Buffer.from('c 8\ncrictl\nx'),
  Buffer.from('o 5\nab\nc\n'),
  Buffer.from('o 0\n'),
  Buffer.from('e 3\nx 1'),
  Buffer.from('r 0\n'),
  Buffer.from('x 2\n7\n'),
]);

function read(chunks: readonly Uint8Array[]) {
  const reader = new FrameReader();
  const streams: Record<string, string> = { o: '', e: '' };
  const wholes: string[] = [];
  for (const chunk of chunks)
    for (const { kind, bytes, whole } of reader.push(chunk)) {
      if (kind in streams) streams[kind] += Buffer.from(bytes).toString();
      else if (whole) wholes.push(`${kind}:${Buffer.from(whole).toString()}`);
    }
  return { ...streams, wholes };
}

describe('FrameReader', () => {
  it('gives the same wherever the stream is cut', () => {
    const all = { o: 'ab\nc\n', e: 'x 1', wholes: ['c:crictl\nx', 'r:', 'x:7\n'] };
    expect(read([stream])).toEqual(all);
    for (let cut = 1; cut < stream.length; cut += 1)
      expect(read([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(all);
    expect(read([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(all);
  });
  it.each([
    ['a header without an end', Buffer.alloc(1 << 16, '1')],
    ['a status that would be held in memory', Buffer.from('x 1048577\n')],
    ['a number beyond all', Buffer.from('o 99999999999999999999\n')],
  ])('takes no %s', (_what, chunk) => {
    expect(() => new FrameReader().push(chunk)).toThrow(/not a frame/);
  });

  it('takes nothing else for a frame', () => {
    expect(() => new FrameReader().push(Buffer.from('sh: not found\n'))).toThrow(/not a frame/);
  });
});
