import { describe, it } from 'vitest';
import { Frames, random } from './frames.ts';
import { expectAsTshark, fileOf } from './judge.ts';
import { type Framed, pcap, START } from './packets.ts';

const links = ['ethernet', 'sll', 'sll2', 'raw', 'null'] as const;
/** Another seed makes other frames; a failure names the packet by its source address. */
const SEED = Number(process.env.SEED ?? 1);
const FRAMES = 2000;

/** As many frames, some microseconds apart; with a snapshot length, half of them cut somewhere. */
function generated(link: (typeof links)[number], seed: number, cut: boolean): Framed[] {
  const frames = new Frames(seed);
  const below = random(seed + 1);
  const list: Framed[] = [];
  let at = START;
  while (list.length < FRAMES)
    for (const frame of frames.next(link)) {
      at += BigInt(below(3) === 0 ? below(200_000) : below(3)) * 1000n;
      const captured = cut && below(2) === 0 ? below(Math.min(frame.length, 110) + 1) : frame.length;
      list.push({ frame: frame.subarray(0, captured), at, length: frame.length });
    }
  return list;
}

describe('--format tshark is what capinfos and tshark print of generated frames', () => {
  it.each(links.flatMap((link) => [[link, false] as const, [link, true] as const]))(
    'on a link %s, cut: %s',
    async (link, cut) => {
      await expectAsTshark(fileOf(pcap(link, generated(link, SEED + 10 * links.indexOf(link), cut))));
    },
    120_000,
  );
});
