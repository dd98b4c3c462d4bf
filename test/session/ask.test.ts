import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ask } from '../../src/session/ask.ts';
import { bytes, fakeCluster, lines, result } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

const text = 'taken:1\nclock:100\n';
const gz = gzipSync(text);
const header = `${gz.length} ${createHash('sha256').update(gz).digest('hex')}\n`;
const whole = Buffer.concat([Buffer.from(header), gz]);
const files = { namespace: 'gkeprof', pod: 'p', container: 'files' };

/** Answers one stream after the other; the last one again and again. */
function asked(...streams: Array<ReturnType<typeof bytes>>) {
  const argv: string[][] = [];
  const cluster = fakeCluster({
    execStream: (_ref, words) => {
      argv.push([...words]);
      return streams[Math.min(argv.length, streams.length) - 1]!;
    },
  });
  return { argv, context: contextOf(cluster) };
}

const refused = (exitCode: number, stderr: string) => ({
  ...lines([]),
  chunks: (async function* () {})(),
  ended: Promise.resolve(result('', exitCode, stderr)),
});

describe('ask', () => {
  it('takes an answer when all of it is there, however it is cut', async () => {
    const cut = {
      ...bytes(whole),
      chunks: (async function* () {
        for (const byte of whole) yield Uint8Array.of(byte);
      })(),
    };
    const { context, argv } = asked(cut);
    expect(await ask({ files, parts: ['processes'], first: true }, context)).toBe(text);
    expect(argv[0]!.slice(-2)).toEqual(['first', '']);
  });

  it('asks again when the stream lost its tail or the bytes are others', async () => {
    const wrong = Buffer.from(whole);
    wrong[wrong.length - 1]! ^= 1;
    const { context, argv } = asked(bytes(whole.subarray(0, -3)), bytes(wrong), bytes(whole));
    expect(await ask({ files, parts: ['processes', 'links'], first: false }, context)).toBe(text);
    expect(argv.length).toBe(3);
    expect(argv[0]!.at(-1)).toBe('processes,links');
    expect(argv[0]!.at(-2)).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    ['has no announcement', Buffer.alloc(1 << 20, 'x'), /without its length and SHA-256/],
    ['has another announcement', Buffer.from(`12 abc\n${text}`), /without its length and SHA-256/],
    ['goes on behind what it announced', Buffer.concat([whole, Buffer.from('x')]), /sent more than/],
  ])('ends at once, and asks no more, when the answer %s', async (_what, answer, words) => {
    let killed = 0;
    const flood = {
      ...bytes(answer),
      chunks: (async function* () {
        for (let at = 0; at < answer.length; at += 4096) yield answer.subarray(at, at + 4096);
        for (;;) yield Buffer.alloc(4096);
      })(),
      kill: () => {
        killed += 1;
      },
    };
    const { context, argv } = asked(flood);
    const asking = ask({ files, parts: ['processes'], first: true }, context);
    await expect(asking).rejects.toMatchObject({ code: 4, message: expect.stringMatching(words) });
    expect(argv).toHaveLength(1);
    expect(killed).toBeGreaterThan(0);
  });

  // Whoever may exec into `files` can answer in the script's place; and 60 kB of gzip are 64 MiB of zeros.
  it.each([
    ['is too large when it is decompressed', gzipSync(Buffer.alloc(2 ** 26 + 1))],
    ['is announced as too large', Buffer.alloc(0)],
  ])('ends in one line for an answer that %s', async (what, data) => {
    const announced = what.startsWith('is announced') ? 2 ** 40 : data.length;
    const first = `${announced} ${createHash('sha256').update(data).digest('hex')}\n`;
    const { context, argv } = asked(bytes(Buffer.concat([Buffer.from(first), data])));
    await expect(ask({ files, parts: [], first: true }, context)).rejects.toMatchObject({
      code: 4,
      message: 'the debug pod p sent an answer of more than 64 MiB, which its script never does',
    });
    expect(argv.length).toBe(1);
  });

  it('ends in one line for an answer that is no gzip', async () => {
    const data = Buffer.from('no gzip');
    const first = `${data.length} ${createHash('sha256').update(data).digest('hex')}\n`;
    const { context } = asked(bytes(Buffer.concat([Buffer.from(first), data])));
    await expect(ask({ files, parts: [], first: true }, context)).rejects.toMatchObject({
      code: 4,
      message: 'the debug pod p sent an answer that cannot be decompressed: Z_DATA_ERROR',
    });
  });

  it('gives up with what kubectl said, and at once when the pod has ended without an answer', async () => {
    const away = asked(refused(1, 'error: container not found ("files")'));
    await expect(ask({ files, parts: [], first: true }, away.context)).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining('container not found'),
    });
    expect(away.argv.length).toBeGreaterThan(10);
    const over = asked(refused(7, 'command terminated with exit code 7'));
    await expect(ask({ files, parts: [], first: true }, over.context)).rejects.toMatchObject({ code: 4 });
    expect(over.argv.length).toBe(1);
  });
});
