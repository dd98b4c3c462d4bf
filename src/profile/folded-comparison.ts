import { foldedFrame } from './folded.ts';
import { pathOf } from './paths.ts';
import type { Comparison } from './profile.ts';

/** `stack BEFORE AFTER` a line, as difffolded.pl writes it and flamegraph.pl reads it; counts as they were. */
export function* foldedComparison({ frames, tree, beforeSelf }: Comparison): Generator<string> {
  const names = frames.map((frame) => foldedFrame(frame, false));
  for (let node = 1; node < tree.frame.length; node += 1) {
    if (!beforeSelf[node] && !tree.self[node]) continue;
    const stack = pathOf(tree, node).map((frame) => names[frame]!);
    yield `${stack.join(';')} ${beforeSelf[node]!} ${tree.self[node]!}\n`;
  }
}
