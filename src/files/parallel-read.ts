import { open, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Layout } from '../profile/read/layout.ts';
import type { ReadPart } from '../profile/read/merge-part.ts';
import type { ParallelPart } from '../profile/read/read-profile.ts';

/** In bytes: a smaller file is read before another thread has started. */
const WORTH_IT = 96e6;
const LONGEST_SAMPLE = 1 << 20;
/** Half of the bytes that are read here until the other thread has started, so that both end at the same time. */
const AHEAD = 20 << 20;

/**
 * Lets another thread read the end of a large file of raw stacks, a little less than half of it. Undefined if that is not
 * faster, or if there is no blank line at which the file can be split.
 */
export async function readInParallel(
  path: string,
  timeline: boolean,
  layout: Layout,
): Promise<ParallelPart | undefined> {
  // On one CPU a second thread only adds work, because each thread parses all its lines itself.
  if (availableParallelism() < 2) return undefined;
  const status = await stat(path);
  if (!status.isFile() || status.size < WORTH_IT) return undefined;
  const around = Math.floor(status.size / 2) + AHEAD;
  const window = Buffer.alloc(LONGEST_SAMPLE);
  const file = await open(path);
  await file.read(window, 0, window.length, around);
  await file.close();
  const blank = window.indexOf('\n\n');
  if (blank < 0) return undefined;
  const from = around + blank + 2;
  const { startParallelRead } = await import('./start-worker.ts');
  const worker = startParallelRead({ path, from, timeline, layout });
  const part = new Promise<ReadPart>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  part.catch(() => {}); // Node would end the process for an error before the caller awaits the part.
  return { from, part };
}
