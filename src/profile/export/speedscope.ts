import { printableJson } from '../../text/printable.ts';
import { pathOf } from '../paths.ts';
import type { Profile } from '../profile.ts';

/**
 * speedscope's own file format (https://www.speedscope.app/file-format-schema.json): one sampled profile for each thread, in
 * time order if times are known, and each sample with its weight. From `perf script` text, speedscope would have to guess the
 * weights from the times, and would count idle time for the stack before it (jlfwong/speedscope#393).
 */
export function* speedscopePieces(profile: Profile, exporter: string): Generator<string> {
  const { about, frames, unit } = profile;
  const name = about.node ? `${about.target} on ${about.node}` : about.target;
  const shared = frames.map(({ name, dso }) => (dso ? { name, file: dso } : { name }));
  yield `{"$schema":"https://www.speedscope.app/file-format-schema.json","exporter":${printableJson(exporter)},"name":${printableJson(name)},"activeProfileIndex":0,\n"shared":{"frames":${printableJson(shared)}},\n"profiles":[\n`;
  const threads = byThread(profile);
  for (const [at, { thread, entries, weights }] of threads.entries()) {
    const { comm, pid, tid } = profile.threads[thread] ?? { comm: 'all', pid: -1, tid: -1 };
    const ids = [pid, tid].filter((id) => id >= 0).join('/');
    const title = ids ? `${comm} ${ids}` : comm;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    yield `${at ? ',\n' : ''}{"type":"sampled","name":${printableJson(title)},"unit":"${unit === 'nanoseconds' || unit === 'microseconds' ? unit : 'none'}","startValue":0,"endValue":${total},\n"samples":[`;
    for (const [sample, row] of entries.entries())
      yield `${sample ? ',' : ''}${JSON.stringify(pathOf(profile.tree, profile.stacks.node[row]!))}`;
    yield `],\n"weights":${JSON.stringify(weights)}}`;
  }
  yield '\n]}\n';
}

/** The rows of each thread, the busiest thread first: one entry for each sample in time order, or one for each stack. */
function byThread({ stacks, timeline, threads }: Profile) {
  const lists = new Map<number, { entries: number[]; weights: number[] }>();
  const add = (row: number, samples: number) => {
    const thread = stacks.thread[row]!;
    let list = lists.get(thread);
    if (!list) {
      list = { entries: [], weights: [] };
      lists.set(thread, list);
    }
    list.entries.push(row);
    list.weights.push((stacks.weight[row]! * samples) / stacks.samples[row]!);
  };
  if (timeline) {
    for (const [entry, row] of timeline.stack.entries()) add(row, timeline.samples?.[entry] ?? 1);
  } else {
    for (const row of stacks.node.keys()) add(row, stacks.samples[row]!);
  }
  return [...lists]
    .map(([thread, list]) => ({ thread, ...list }))
    .sort(
      (a, b) => (threads[b.thread]?.samples ?? 0) - (threads[a.thread]?.samples ?? 0) || a.thread - b.thread,
    );
}
