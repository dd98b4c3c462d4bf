import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeCluster, lines, result } from '../fake-cluster.ts';
import { giveRedis } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

/** A recording of a pod whose node announces this file, and says this at the end, and `began` at the beginning. */
export async function recorded(
  folder: string,
  verb: 'flamegraph' | 'pcap',
  file: string,
  data: Buffer,
  { began = {}, ...more }: { readonly began?: object; readonly [key: string]: unknown },
  ...words: readonly string[]
) {
  const cluster = fakeCluster({
    copy: async (_ref, _path, directory, name) => {
      writeFileSync(join(directory, name), data);
      return result();
    },
  });
  const sha256 = createHash('sha256').update(data).digest('hex');
  giveRedis(cluster, ({ event }) =>
    lines([
      event('hello', { kernel: '6.1' }),
      event('capturing', began),
      event('tool', { version: 'perf version 6.12' }),
      event('stopping', { reason: 'time' }),
      event('artifact', { role: 'x', file, bytes: data.length, sha256 }),
      event('end', { reason: 'time', status: 0, stopped: 1_790_000_060_000, ...more }),
    ]),
  );
  const run = await runOn(cluster, [verb, 'pod/redis-0', '--output-dir', folder, ...words]);
  const name = readdirSync(folder).find((each) => each.endsWith('.receipt.json'));
  return { ...run, receipt: JSON.parse(readFileSync(join(folder, name!), 'utf8')) };
}
