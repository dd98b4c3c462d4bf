// Files that are downloaded while their connections are reset. `npm run test:transfers` does this a thousand times, or as often
// as GKEPROF_TEST_TRANSFERS says; SEED draws other moments.
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../src/cluster/api.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { download } from '../../src/session/download.ts';
import { randomFrom } from '../random.ts';
import { type FaultProxy, throughProxy } from './fault-proxy.ts';
import { environment, eventually, kubectl, NAMESPACE, world } from './world.ts';

const TRANSFERS = Number(process.env.GKEPROF_TEST_TRANSFERS ?? 8);
const SEED = Number(process.env.SEED ?? 1);
/** On both sides of the size from which several streams read a file. */
const SIZES_MB = [1, 8, 15, 17, 24, 33, 48, 64];
/** A file of one of several recorders, of which there is one for each size (src/node/folders.ts). */
const folderOf = (megabytes: number): string => `/gkeprof/out/${megabytes}`;
const FILE = 'capture.pcap.gz';
const POD = 'transfers';

let folder: string;
let proxy: FaultProxy;
let cluster: Cluster;
const sums = new Map<number, string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-transfers-'));
  const kubeconfig = join(folder, 'kubeconfig');
  proxy = await throughProxy(world().admin, kubeconfig);
  cluster = await openCluster({ kubeconfig }, { env: environment(kubeconfig), windows: false });
  const make = SIZES_MB.map(
    (mb) => `mkdir -p ${folderOf(mb)}; head -c ${mb * 2 ** 20} /dev/urandom >${folderOf(mb)}/${FILE}`,
  );
  const script = `${make.join('; ')}; sha256sum /gkeprof/out/*/${FILE}; echo made; exec sleep 86400`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: POD, namespace: NAMESPACE },
    spec: {
      nodeName: world().nodes[0],
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'files',
          image: world().images.tools,
          imagePullPolicy: 'Never',
          command: ['sh', '-ec', script],
        },
      ],
    },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
  const log = await eventually(
    async () => await kubectl(['logs', '-n', NAMESPACE, POD]).catch(() => ''),
    (text) => text.endsWith('made'),
  );
  for (const [, sum, mb] of log.matchAll(/^([0-9a-f]{64}) +\/gkeprof\/out\/(\d+)\//gm))
    sums.set(Number(mb), sum!);
}, 600_000);

afterAll(async () => {
  await kubectl(['delete', 'pod', '-n', NAMESPACE, POD, '--grace-period=0', '--force', '--ignore-not-found']);
  await proxy?.close();
  rmSync(folder, { recursive: true, force: true });
}, 600_000);

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Downloads a file while its connections are reset after each of these pauses. */
async function transfer(megabytes: number, pausesMs: readonly number[], to: string) {
  let isOver = false;
  const resets = (async () => {
    for (const ms of pausesMs) {
      await delay(ms);
      if (isOver) return;
      proxy.reset();
    }
  })();
  const announced = { file: FILE, bytes: megabytes * 2 ** 20, sha256: sums.get(megabytes)! };
  const context = {
    ...{ cluster, log: new Log({ write: () => {} }), interrupts: new Interrupts() },
    now: () => Date.now(),
    sleep: async (ms: number, signal?: AbortSignal) => {
      await delay(ms, undefined, signal && { signal });
    },
  };
  const from = { namespace: NAMESPACE, pod: POD, container: 'files', folder: folderOf(megabytes) };
  try {
    return await download(announced, from, { directory: to, base: 'file', ending: '.bin' }, context);
  } finally {
    isOver = true;
    await resets;
  }
}

describe('a download whose connections are reset', () => {
  it(
    `brings every file whole: ${TRANSFERS} transfers`,
    async () => {
      const random = randomFrom(SEED);
      let resumed = 0;
      for (let at = 0; at < TRANSFERS; at += 1) {
        const megabytes = SIZES_MB[at % SIZES_MB.length]!;
        const pauses = Array.from({ length: Math.floor(4 * random()) }, () => 100 + 1500 * random());
        const to = mkdtempSync(join(folder, 'to-'));
        const { path, resumedBytes } = await transfer(megabytes, pauses, to);
        const found = { size: statSync(path).size, sum: await sumOf(path), files: readdirSync(to) };
        expect(found, `transfer ${at} with SEED=${SEED}`).toEqual({
          size: megabytes * 2 ** 20,
          sum: sums.get(megabytes),
          files: ['file.bin'],
        });
        resumed += Number(resumedBytes > 0);
        rmSync(to, { recursive: true });
      }
      process.stdout.write(`${TRANSFERS} transfers, of which ${resumed} were resumed; 0 short files\n`);
    },
    TRANSFERS * 120_000,
  );
});
