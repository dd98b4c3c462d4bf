import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { writeText } from '../../src/output/stream.ts';

/** A pipe: what was written, and whether it takes more at once. */
class Pipe extends EventEmitter {
  written = '';
  takes = true;
  write(data: string | Uint8Array): boolean {
    this.written += data;
    return this.takes;
  }
}

function* endless(piece: string): Generator<string> {
  for (;;) yield piece;
}

describe('a text that is made while it is written', () => {
  it('is written whole, whatever its pieces', async () => {
    const pipe = new Pipe();
    const pieces = ['', 'a', '', 'b'.repeat(100_000), 'c', ''];
    await writeText(pipe, pieces);
    expect(pipe.written).toBe(pieces.join(''));
    expect(pipe.eventNames()).toEqual([]);
  });

  it.each(['', 'x'.repeat(70_000)])('hears a signal between pieces of it: %#', async (piece) => {
    const stop = new AbortController();
    setImmediate(() => stop.abort(new Error('stopped')));
    await expect(writeText({ write: () => true }, endless(piece), stop.signal)).rejects.toThrow('stopped');
  });

  it('ends quietly when the reader has gone, though the sink does not know', async () => {
    const pipe = new Pipe();
    setImmediate(() => pipe.emit('error', new Error('EPIPE')));
    await writeText(pipe, endless('x'.repeat(1000)));
    expect(pipe.eventNames()).toEqual([]);
  });

  it('ends quietly when the reader goes while the sink is full', async () => {
    const pipe = new Pipe();
    pipe.takes = false;
    setImmediate(() => pipe.emit('error', new Error('EPIPE')));
    await writeText(pipe, endless('x'.repeat(70_000)));
    expect(pipe.written).toHaveLength(70_000);
  });

  it('is written no faster than the sink takes it', async () => {
    const pipe = new Pipe();
    pipe.takes = false;
    const done = writeText(pipe, ['x'.repeat(70_000), 'y'.repeat(70_000)]);
    await new Promise(setImmediate);
    expect(pipe.written).not.toContain('y');
    pipe.takes = true;
    pipe.emit('drain');
    await done;
    expect(pipe.written).toHaveLength(140_000);
  });
});
