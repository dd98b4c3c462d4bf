import { foldedFrame } from './folded.ts';
import type { Frame } from './frame.ts';
import { pathOf } from './paths.ts';
import type { Comparison } from './profile.ts';
import { TreeBuilder } from './tree.ts';

/**
 * The comparison as difffolded.pl of FlameGraph writes it, for other tools: `stack BEFORE AFTER` a line, as counted,
 * not made comparable. Stacks that are written alike are one line.
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
  const builder = new TreeBuilder();
  const node = new Int32Array(tree.frame.length);
  const before = new Float64Array(tree.frame.length);
  const after = new Float64Array(tree.frame.length);
  for (let at = 1; at < node.length; at += 1) {
    const number = builder.enter(node[tree.parent[at]!]!, word[tree.frame[at]!]!);
    node[at] = number;
    before[number]! += beforeSelf[at]!;
    after[number]! += tree.self[at]!;
  }
  const merged = texts.map((name): Frame => ({ name, kind: 'user', dso: '', unknown: false }));
  const { tree: calls, place } = builder.finish(merged, after);
  const beforeAt = new Float64Array(before.length);
  place.forEach((at, end) => {
    beforeAt[at] = before[end]!;
  });
  for (let end = 1; end < place.length; end += 1) {
    if (!beforeAt[end] && !calls.self[end]) continue;
    const path = pathOf(calls, end).map((each) => texts[each]!);
    yield `${path.join(';')} ${beforeAt[end]} ${calls.self[end]}\n`;
  }
}
