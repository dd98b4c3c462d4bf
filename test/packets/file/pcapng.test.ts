import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../../command-line.ts';
import { faults } from '../../schemas.ts';
import { framed, tcp } from '../packets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-pcapng-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Both byte orders: what writes numbers into a file. */
class Writer {
  readonly #big: boolean;
  constructor(big: boolean) {
    this.#big = big;
  }

  half(value: number): Buffer {
    const bytes = Buffer.alloc(2);
    if (this.#big) bytes.writeUInt16BE(value);
    else bytes.writeUInt16LE(value);
    return bytes;
  }

  word(value: number): Buffer {
    const bytes = Buffer.alloc(4);
    if (this.#big) bytes.writeUInt32BE(value);
    else bytes.writeUInt32LE(value);
    return bytes;
  }

  /** An option or a name that says its length, or one that is given. */
  option(code: number, body: Uint8Array, says = body.length): Buffer {
    return Buffer.concat([this.half(code), this.half(says), body, Buffer.alloc((4 - (body.length & 3)) & 3)]);
  }

  block(type: number, ...body: readonly Uint8Array[]): Buffer {
    const inside = Buffer.concat(body);
    const length = this.word(inside.length + 12);
    return Buffer.concat([this.word(type), length, inside, length]);
  }
}

interface Odd {
  readonly section?: Uint8Array;
  readonly face?: Uint8Array;
  readonly packet?: Uint8Array;
  /** Behind the packet. */
  readonly blocks?: Uint8Array;
  /** Where those hold some, too. */
  readonly packets?: number;
}

/** A section, an interface and two packets, with something odd in one of them. */
function file(to: Writer, odd: Odd): Buffer {
  const none = Buffer.alloc(0);
  const frame = framed('raw', tcp({ payload: 'odd' }));
  const fill = Buffer.alloc((4 - (frame.length & 3)) & 3);
  const packet = (options: Uint8Array) =>
    to.block(
      6,
      to.word(0),
      to.word(0),
      to.word(7),
      to.word(frame.length),
      to.word(frame.length),
      frame,
      fill,
      options,
    );
  return Buffer.concat([
    to.block(
      0x0a0d0d0a,
      to.word(0x1a2b3c4d),
      to.half(1),
      to.half(0),
      Buffer.alloc(8, 0xff),
      odd.section ?? none,
    ),
    to.block(1, to.half(101), to.half(0), to.word(0), odd.face ?? none),
    packet(odd.packet ?? none),
    odd.blocks ?? none,
    packet(none),
  ]);
}

const text = Buffer.from('abcd');
const [ip4, ip6] = [Buffer.from([10, 0, 0, 9]), Buffer.alloc(16, 0xfd)];

describe.each([false, true])('a pcapng file, big-endian: %s', (big) => {
  const to = new Writer(big);
  const end = to.option(0, Buffer.alloc(0));
  const long = to.option(2, text, 400);
  const header = Buffer.concat([to.word(0), to.word(0), to.word(7)]);
  const secrets = (says: number, options: Uint8Array) =>
    to.block(0xa, to.word(0x544c534b), to.word(says), text, options);

  async function read(odd: Odd) {
    const path = join(folder, 'odd.pcapng');
    writeFileSync(path, file(to, odd));
    const run = await gkeprof(['analyze', path, '--show', 'summary', '-o', 'json']);
    expect(run.code).toBe(0);
    const report = JSON.parse(run.stdout.toString());
    expect(report.summary.packets).toBe(odd.packets ?? 2);
    expect(faults('analyze', report)).toEqual([]);
    // It has one reader for both byte orders: asking it once is enough.
    const tshark = big ? undefined : await execa('tshark', ['-r', path], { reject: false });
    return { path, run, malformed: report.files[0].malformed, tshark };
  }

  it.each<[string, Odd, string]>([
    ['a section', { section: long }, 'an option of 400 bytes is longer than what is left of a section block'],
    [
      'an interface',
      { face: long },
      'an option of 400 bytes is longer than what is left of an interface block',
    ],
    [
      'an interface, behind one that fits',
      { face: Buffer.concat([to.option(2, text), to.option(3, text, 5)]) },
      'an option of 5 bytes is longer than what is left of an interface block',
    ],
    ['a packet', { packet: long }, 'an option of 400 bytes is longer than what is left of a packet block'],
    [
      'names',
      { blocks: to.block(4, to.option(1, Buffer.concat([ip4, Buffer.from('a\0')])), end, long) },
      'an option of 400 bytes is longer than what is left of a block of names',
    ],
    [
      'a name',
      { blocks: to.block(4, to.option(2, Buffer.concat([ip6, Buffer.from('a\0')]), 60)) },
      'a name of 60 bytes is longer than what is left of its block',
    ],
    [
      'a name without room for its address',
      { blocks: to.block(4, to.option(1, ip4.subarray(0, 3)), end) },
      'a name of 3 bytes has no room for its address',
    ],
    [
      'statistics',
      { blocks: to.block(5, header, long) },
      'an option of 400 bytes is longer than what is left of a block of statistics',
    ],
    [
      'statistics without a header',
      { blocks: to.block(5, to.word(0)) },
      'a block of statistics is too short for its header',
    ],
    [
      'secrets longer than their block',
      { blocks: secrets(500, end) },
      'secrets of 500 bytes are longer than what is left of their block',
    ],
    ['a custom block', { blocks: to.block(0xbad) }, 'a custom block is too short for its number'],
    [
      'a simple packet',
      { blocks: to.block(3, to.word(4000), text), packets: 3 },
      'a packet of 4000 bytes is longer than what is left of its block',
    ],
  ])('that has an odd length in %s is read with a warning; tshark refuses it', async (_, odd, words) => {
    const { path, run, malformed, tshark } = await read(odd);
    expect(run.stderr).toBe(
      `warning: ${path} is malformed in 1 place: ${words}; the malformed parts were ignored, all packets were read\n`,
    );
    expect(malformed).toEqual({ count: 1, first: words });
    if (tshark) expect(tshark.exitCode).not.toBe(0);
  });

  it.each<[string, Odd, string]>([
    [
      'secrets whose options say too much',
      { blocks: secrets(4, long) },
      'an option of 400 bytes is longer than what is left of a block of secrets',
    ],
    [
      'a resolution',
      { face: to.option(9, Buffer.alloc(0)) },
      "the resolution of an interface's clock has 0 bytes instead of 1",
    ],
    [
      'an offset',
      { face: to.option(14, text) },
      "the offset of an interface's clock has 4 bytes instead of 8",
    ],
    [
      'a count',
      { blocks: to.block(5, header, to.option(5, text)) },
      'a count of lost packets has 4 bytes instead of 8',
    ],
  ])('that has %s of a wrong length is read with a warning; tshark says nothing', async (_, odd, words) => {
    const { malformed, tshark } = await read(odd);
    expect(malformed).toEqual({ count: 1, first: words });
    if (tshark) expect(tshark.exitCode).toBe(0);
  });

  it('that is malformed in several places says how many, and the first', async () => {
    const { malformed } = await read({ face: long, packet: long, blocks: to.block(5, header, long) });
    expect(malformed).toMatchObject({ count: 3, first: expect.stringContaining('interface') });
  });

  it.each<[string, Odd]>([
    ['no end mark', { section: to.option(4, text), face: to.option(2, text), packet: to.option(1, text) }],
    [
      'an end mark',
      { section: Buffer.concat([to.option(4, text), end]), packet: Buffer.concat([to.option(1, text), end]) },
    ],
    ['an option that is filled up', { packet: to.option(1, Buffer.from('abc')) }],
    ['anything behind the end mark', { face: Buffer.concat([end, long]) }],
    [
      'names, statistics and secrets',
      {
        blocks: Buffer.concat([
          to.block(4, to.option(1, Buffer.concat([ip4, Buffer.from('a\0')])), end),
          to.block(5, header, to.option(5, Buffer.alloc(8)), end),
          secrets(4, end),
        ]),
      },
    ],
    ['a custom block', { blocks: to.block(0xbad, to.word(32_473), text) }],
  ])('with %s is read without a word, by tshark too', async (_, odd) => {
    const { run, malformed, tshark } = await read(odd);
    expect(run.stderr).toBe('');
    expect(malformed).toBeUndefined();
    if (tshark) expect(tshark.exitCode, tshark.stderr).toBe(0);
  });
});
