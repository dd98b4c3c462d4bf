import type { Frame } from '../frame.ts';
import { pathOf, stacksInto } from '../paths.ts';
import type { Comparison } from '../profile.ts';
import { Stacks } from '../stacks.ts';
import { treeOf } from '../tree.ts';
import { foldedFrame } from './folded.ts';

/**
 * The comparison in the format of FlameGraph's difffolded.pl, for other tools: each line is `stack BEFORE AFTER`, with the
 * weights as recorded and not scaled. Stacks with the same text are one line.
 */
export function* foldedComparison({ frames, tree, beforeSelf }: Comparison): Generator<string> {
  const numbers = new Map<string, number>();
  const word = frames.map((frame) => {
    const text = foldedFrame(frame, false);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
  const texts = [...numbers.keys()];
  const stacks = new Stacks('root first');
  const ends = stacksInto(stacks, tree, word, beforeSelf, tree.self);
  const before = new Float64Array(stacks.size);
  const after = new Float64Array(stacks.size);
  ends.forEach((stack, node) => {
    if (stack < 0) return;
    before[stack]! += beforeSelf[node]!;
    after[stack]! += tree.self[node]!;
  });
  const merged = texts.map((name): Frame => ({ name, kind: 'user', dso: '', unknown: false }));
  const { tree: calls, place } = treeOf(stacks, merged, after);
  const beforeAt = new Float64Array(calls.frame.length);
  place.forEach((at, end) => {
    beforeAt[at] = before[end]!;
  });
  for (let end = 1; end < beforeAt.length; end += 1) {
    if (!beforeAt[end] && !calls.self[end]) continue;
    const path = pathOf(calls, end).map((each) => texts[each]!);
    yield `${path.join(';')} ${beforeAt[end]} ${calls.self[end]}\n`;
  }
}
