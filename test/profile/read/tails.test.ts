import { describe, expect, it } from 'vitest';
import { parseFrameLine } from '../../../src/profile/frame.ts';
import { Tails } from '../../../src/profile/read/tails.ts';
import { fc } from '../../properties.ts';

/** What the tails of lines give, each line parsed as a whole where its tail is new; and how many were parsed. */
const framesOf = (lines: readonly string[]) => {
  const tails = new Tails();
  const names: string[] = [];
  let parsed = 0;
  const frames = lines.map((line) => {
    const bytes = Buffer.from(`${line}\n`);
    const numbers = tails.frames(bytes, 0, bytes.length, () => {
      parsed += 1;
      return parseFrameLine(line)?.map((frame) => names.push(JSON.stringify(frame)) - 1);
    });
    return numbers?.map((number) => JSON.parse(names[number]!));
  });
  return { frames, parsed };
};

describe('Tails', () => {
  it('parses the lines of one function once', () => {
    const lines = ['\t    55d0a1 f+0x1 (/x)', '\t    55d0a2 f+0x2 (/x)', '\t 55d0a3 f+0xfff (/x)'];
    const { frames, parsed } = framesOf(lines);
    expect(parsed).toBe(1);
    expect(frames.map((each) => each![0]!.name)).toEqual(['f', 'f', 'f']);
  });

  it('parses what has no name in one object once, wherever it is in the file', () => {
    const lines = ['\t 1 [unknown] (/x+0x1)', '\t 2 [unknown] (/x+0x2ab)', '\t 3 [unknown] (/x)'];
    const { frames, parsed } = framesOf(lines);
    expect(parsed).toBe(1);
    expect(frames.map((each) => each![0]!.dso)).toEqual(['/x', '/x', '/x']);
  });

  it('keeps a line with an offset apart from one without, because they may be read in different ways', () => {
    const lines = ['\t 55d0 f+0x1f ((/x)', '\t 55d1 f ((/x)'];
    expect(framesOf(lines).frames).toEqual(lines.map((each) => parseFrameLine(each)));
  });

  it.each([' 55d0 f (/x)', '55d0 f (/x)', '\tzzz f (/x)', '\t55d0', '\t55d0 f (/x)\r', ''])(
    'leaves alone what is no line as perf prints it: %j',
    (line) => expect(framesOf([line])).toEqual({ frames: [undefined], parsed: 0 }),
  );

  const piece = fc.constantFrom(
    'f',
    'operator+',
    '+0x',
    '+0x1f',
    ' (',
    ')',
    '(/x)',
    '(/x+0x1f)',
    'x+0x2)',
    ' ',
    '[unknown]',
    '->',
    '0x1',
    'é',
    '+',
    ' (deleted)',
  );
  const line = fc
    .tuple(fc.nat(0xffff), fc.array(piece, { minLength: 1, maxLength: 6 }))
    .map(([address, pieces]) => `\t  ${address.toString(16)} ${pieces.join('')}`);

  it('gives for any lines what parsing each of them gives', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const { frames } = framesOf(lines);
        expect(frames).toEqual(lines.map((each) => parseFrameLine(each)));
      }),
      { numRuns: 3000 },
    );
  });
});
