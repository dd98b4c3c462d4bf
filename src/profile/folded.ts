import type { Frame, FrameKind } from './frame.ts';
import type { About, Profile } from './profile.ts';
import { TreeBuilder } from './tree.ts';

const SUFFIX: Readonly<Record<string, FrameKind>> = { k: 'kernel', j: 'jit', i: 'inlined' };

/**
 * Folded stacks, `thread;caller;callee COUNT` a line (FlameGraph's README, "2. Fold stacks"). FlameGraph's suffixes
 * `_[k]`, `_[j]` and `_[i]` become the frame's kind.
 */
export function parseFolded(text: string, about: About): Profile {
  const frames: Frame[] = [];
  const known = new Map<string, number>();
  const builder = new TreeBuilder();
  const self: number[] = [];
  const frameOf = (word: string): number => {
    let frame = known.get(word);
    if (frame === undefined) {
      const annotated = /^(.*)_\[([kji])\]$/s.exec(word);
      frame = frames.length;
      frames.push({
        name: annotated ? annotated[1]! : word,
        kind: annotated ? SUFFIX[annotated[2]!]! : 'user',
        dso: '',
        unknown: /^\[.*\]$/.test(word),
      });
      known.set(word, frame);
    }
    return frame;
  };
  for (const line of text.split('\n')) {
    const parsed = /^(.*) (\d+)$/.exec(line);
    if (!parsed) continue;
    let node = 0;
    for (const word of parsed[1]!.split(';')) node = builder.enter(node, frameOf(word));
    self[node] = (self[node] ?? 0) + Number(parsed[2]);
  }
  const { tree, place } = builder.finish(frames, self);
  const ends = self.flatMap((weight, node) => (weight ? [node] : []));
  return {
    about,
    event: 'samples',
    unit: 'samples',
    frames,
    tree,
    threads: [],
    stacks: {
      node: Int32Array.from(ends, (node) => place[node]!),
      thread: new Int32Array(ends.length).fill(-1),
      samples: Float64Array.from(ends, (node) => self[node]!),
      weight: Float64Array.from(ends, (node) => self[node]!),
    },
    timeline: undefined,
    samples: tree.total[0]!,
    idle: { samples: 0, leftOut: false },
    lost: 0,
  };
}
