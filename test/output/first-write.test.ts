import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { firstWrite } from '../../src/output/first-write.ts';

function scene(taken = Number.POSITIVE_INFINITY) {
  const said = { now: '', stream: '', made: 0 };
  const sink = firstWrite(
    () => {
      said.made += 1;
      const stream = new PassThrough();
      stream.on('data', (data) => {
        said.stream += data;
      });
      return Object.assign(stream, { isTTY: true, columns: 80 });
    },
    (bytes) => {
      const part = bytes.subarray(0, taken);
      said.now += Buffer.from(part);
      return part.length;
    },
  );
  return { sink, said };
}

describe('firstWrite', () => {
  it('writes a first short text at once, and makes no stream for it', () => {
    const { sink, said } = scene();
    sink.write('help\n');
    expect([said, sink.destroyed]).toEqual([{ now: 'help\n', stream: '', made: 0 }, false]);
  });

  it('gives the stream what did not go, and all that comes later', () => {
    const { sink, said } = scene(4);
    sink.write('größer');
    sink.write(' and more');
    expect(said).toEqual({ now: 'grö', stream: 'ßer and more', made: 1 });
  });

  it('gives the stream a long text', () => {
    const { sink, said } = scene();
    sink.write('x'.repeat(40_000));
    expect([said.now.length, said.stream.length]).toEqual([0, 40_000]);
  });

  it('is as wide as the stream, and a terminal as it is one', () => {
    const { sink, said } = scene();
    expect([sink.isTTY, sink.columns]).toEqual([true, 80]);
    sink.write('through it');
    expect(said).toEqual({ now: '', stream: 'through it', made: 1 });
  });
});
