import { printableJson } from '../../text/printable.ts';
import { pathOf } from '../paths.ts';
import type { Profile } from '../profile.ts';
import { weighedBy } from '../weighing.ts';

/**
 * The profile as JSON, for programs: version 1. Stacks refer to frames by number; there is one entry for each stack and
 * thread, with the frames from the root to the leaf. `weight` is in `unit`. Entries are in the order of the tree, so that the
 * same profile gives the same text.
 */
export function* profileJsonPieces(profile: Profile): Generator<string> {
  const { about, event, eventNote, unit, samples, lost, idle, frames, threads, stacks, tree } = profile;
  yield `{"version":1,"about":${printableJson(about)},"event":${printableJson(event)},${eventNote === undefined ? '' : `"eventNote":${printableJson(eventNote)},`}"unit":"${unit}","weighedBy":"${weighedBy(unit)}","samples":${samples},"lost":${lost ?? null},"idle":${printableJson(idle)},\n"frames":[\n`;
  yield `${frames.map((frame) => printableJson(frame)).join(',\n')}\n],\n"threads":[\n`;
  yield `${threads.map((thread) => printableJson(thread)).join(',\n')}\n],\n"stacks":[\n`;
  const order = Array.from(stacks.node.keys()).sort(
    (a, b) => stacks.node[a]! - stacks.node[b]! || stacks.thread[a]! - stacks.thread[b]!,
  );
  for (const [at, row] of order.entries()) {
    const stack = {
      thread: stacks.thread[row]!,
      frames: pathOf(tree, stacks.node[row]!),
      samples: stacks.samples[row]!,
      weight: stacks.weight[row]!,
    };
    yield `${at ? ',\n' : ''}${JSON.stringify(stack)}`;
  }
  yield '\n]}\n';
}
