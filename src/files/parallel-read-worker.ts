import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { Layout } from '../profile/read/layout.ts';
import { partOf } from '../profile/read/merge-part.ts';
import { PerfScriptReader } from '../profile/read/perf-script.ts';

/** The other thread of parallel-read.ts, which reads a file from an offset to its end. */
const { path, from, timeline, layout } = workerData as {
  path: string;
  from: number;
  timeline: boolean;
  layout: Layout;
};
const reader = new PerfScriptReader({ timeline }, layout);
const file = openSync(path, 'r');
const buffer = new Uint8Array(1 << 20);
for (let at = from; ; ) {
  const read = readSync(file, buffer, 0, buffer.length, at);
  if (read === 0) break;
  reader.push(buffer.subarray(0, read));
  at += read;
}
closeSync(file);
reader.end();
const part = partOf(reader);
const { stacks, rows } = part;
const arrays = [stacks.arena, stacks.ends, rows.stack, rows.origin, rows.samples, rows.weight];
parentPort!.postMessage(
  part,
  [...arrays, part.timeline.at, part.timeline.row].map((array) => array.buffer as ArrayBuffer),
);
