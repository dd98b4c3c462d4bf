// Files that are downloaded while their connections are reset. `npm run test:transfers` does this a thousand times, or as often
// as GKEPROF_TEST_TRANSFERS says; SEED draws other moments. `npm run test:faults` adds one over a line that is too slow.
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
const IS_LONG = Boolean(process.env.GKEPROF_TEST_FAULTS);
const SEED = Number(process.env.SEED ?? 1);
/** On both sides of the size from which several streams read a file. */
const SIZES_MB = [1, 8, 15, 17, 24, 33, 48, 64];
/** A file of one of several recorders, of which there is one for each size (src/node/folders.ts). */
const folderOf = (megabytes: number): string => `/gkeprof/out/${megabytes}`;
const FILE = 'capture.pcap.gz';
const POD = 'transfers';
/**
 * With the copy of it that `kubectl apply` keeps, and with the 5 kB of this pod itself, the 36 kB that kubectl reads of the debug pod
 * of a packet capture before it begins.
 */
const HALF_POD_BYTES = 15_500;

let folder: string;
let proxy: FaultProxy;
let cluster: Cluster;
let slow: Promise<Slow> | undefined;
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
    metadata: { name: POD, namespace: NAMESPACE, annotations: { size: 'x'.repeat(HALF_POD_BYTES) } },
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
  if (!IS_LONG) return;
  // It takes minutes, so it goes on beside the others and is judged as the last one.
  slow = slowTransfer(24);
  slow.catch(() => {});
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

/** The announcement of a file, where it is, and what a download needs of this machine. */
const scene = (megabytes: number, through: Cluster, say: (text: string) => unknown = () => {}) => ({
  announced: { file: FILE, bytes: megabytes * 2 ** 20, sha256: sums.get(megabytes)! },
  from: {
    namespace: NAMESPACE,
    pod: POD,
    container: 'files',
    folder: folderOf(megabytes),
    lease: '/gkeprof/ctl/lease',
  },
  context: {
    ...{ cluster: through, log: new Log({ write: say }), interrupts: new Interrupts() },
    now: () => Date.now(),
    sleep: async (ms: number, signal?: AbortSignal) => {
      await delay(ms, undefined, signal && { signal });
    },
  },
});

/** How a download ended whose streams have 900 B/s together. */
interface Slow {
  readonly error: unknown;
  readonly said: string;
  readonly files: readonly string[];
}

async function slowTransfer(megabytes: number): Promise<Slow> {
  const to = mkdtempSync(join(folder, 'slow-'));
  const kubeconfig = join(folder, 'slow.kubeconfig');
  const line = await throughProxy(world().admin, kubeconfig);
  const door = await openCluster({ kubeconfig }, { env: environment(kubeconfig), windows: false });
  line.isShared = true;
  line.bytesPerSecond = 900;
  let said = '';
  try {
    const { announced, from, context } = scene(megabytes, door, (text) => {
      said += text;
    });
    const error = await download(
      announced,
      from,
      { directory: to, base: 'file', ending: '.bin' },
      context,
    ).catch((each: unknown) => each);
    return { error, said, files: readdirSync(to) };
  } finally {
    await line.close();
  }
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
  const { announced, from, context } = scene(megabytes, cluster);
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

describe.runIf(IS_LONG)('a download by several streams that have 900 B/s together', () => {
  it('is given up as one by a single stream is, and is not tried by kubectl cp', async () => {
    const { error, said, files } = await slow!;
    expect(error, said).toMatchObject({
      code: 5,
      message: expect.stringMatching(/could not be copied: the copy is too slow: .* of 24 MiB$/),
      hint: expect.stringContaining('this still gets the file: '),
    });
    expect(said).not.toContain('kubectl cp');
    expect(files).toEqual([]);
  }, 600_000);
});
