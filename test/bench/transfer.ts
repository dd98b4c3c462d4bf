// `npm run bench:transfer`: how long a large file takes from a pod to this computer, by the download of a session (several
// streams at a time, verified) and by `kubectl cp` and sha256sum, in turn, in one run. MB=256 is the size of the file.
// MB_PER_SECOND=10 leads both through a proxy that lets each connection have so much, as a link does whose delay, and not its
// bandwidth, is the limit: 0.5 MiB on their way and 50 ms there and back make 10 MiB a second.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { openCluster } from '../../src/cluster/api.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { download } from '../../src/session/download.ts';
import { ensureCluster } from '../cluster/index.ts';
import { throughProxy } from '../e2e/fault-proxy.ts';

const PAIRS = Number(process.env.PAIRS ?? 5);
const MB = Number(process.env.MB ?? 256);
const NAMESPACE = 'gkeprof-bench';
/** A folder that the requests for ranges may name (src/node/requests.ts). */
const FOLDER = '/gkeprof/out';
const FILE = 'capture.pcap.gz';

const cluster = await ensureCluster();
const folder = await mkdtemp(join(tmpdir(), 'gkeprof-transfer-'));
const perSecond = Number(process.env.MB_PER_SECOND ?? Number.POSITIVE_INFINITY) * 2 ** 20;
const kubeconfig = join(folder, 'kubeconfig');
const proxy = Number.isFinite(perSecond) ? await throughProxy(cluster.kubeconfig, kubeconfig) : undefined;
if (proxy) proxy.bytesPerSecond = perSecond;
const env = {
  ...process.env,
  KUBECONFIG: proxy ? kubeconfig : cluster.kubeconfig,
  PATH: [cluster.binDir, process.env.PATH].join(delimiter),
};
const kubectl = async (...words: string[]) => (await execa('kubectl', words, { env })).stdout;
const door = await openCluster({ kubeconfig: env.KUBECONFIG }, { env, windows: false });
const pod = `transfer-${randomUUID().slice(0, 8)}`;

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const range = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`;

try {
  await kubectl('create', 'namespace', NAMESPACE).catch(() => {});
  const script = `mkdir -p ${FOLDER} && head -c ${MB * 2 ** 20} /dev/urandom >${FOLDER}/${FILE} && sha256sum <${FOLDER}/${FILE} && exec sleep 3600`;
  const spec = {
    containers: [
      { name: 'files', image: cluster.images.tools, command: ['sh', '-c', script], imagePullPolicy: 'Never' },
    ],
    nodeName: cluster.nodes[0],
    terminationGracePeriodSeconds: 0,
  };
  await execa('kubectl', ['apply', '-f', '-'], {
    env,
    input: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: pod, namespace: NAMESPACE },
      spec,
    }),
  });
  let sha256 = '';
  while (!/^[0-9a-f]{64}/.test(sha256)) {
    await delay(500);
    sha256 = (await kubectl('logs', '-n', NAMESPACE, pod).catch(() => '')).slice(0, 64);
  }
  const context = {
    ...{ cluster: door, log: new Log({ write: () => {} }), interrupts: new Interrupts() },
    now: () => Date.now(),
    sleep: async (ms: number) => void (await delay(ms)),
  };
  const from = { namespace: NAMESPACE, pod, container: 'files', folder: FOLDER, lease: '/gkeprof/ctl/lease' };
  const ours: number[] = [];
  const theirs: number[] = [];
  let resumed = 0;
  let round = 0;
  const byUs = async () => {
    const to = { directory: folder, base: `ours-${round}`, ending: '.bin' };
    const got = await download({ file: FILE, bytes: MB * 2 ** 20, sha256 }, from, to, context);
    resumed += got.resumedBytes;
    await rm(got.path);
  };
  let failed = 0;
  /** The time of a copy that succeeds: kubectl cp is tried again after one that fails, or brings a short file. */
  const timeOfKubectl = async (): Promise<number> => {
    for (;;) {
      try {
        return await seconds(byKubectl);
      } catch {
        failed += 1;
        if (failed > 2 * PAIRS) throw new Error('kubectl cp fails again and again');
      }
    }
  };
  const byKubectl = async () => {
    const path = join(folder, `theirs-${round}`);
    await kubectl('cp', '-c', 'files', `${NAMESPACE}/${pod}:${FOLDER}/${FILE}`, path);
    const { stdout } = await execa('sha256sum', [path]);
    if (!stdout.startsWith(sha256)) throw new Error('kubectl cp brought another file');
    await rm(path);
  };
  const before = process.memoryUsage().rss;
  for (round = 0; round < PAIRS; round += 1) {
    if (round % 2 === 0) {
      ours.push(await seconds(byUs));
      theirs.push(await timeOfKubectl());
    } else {
      theirs.push(await timeOfKubectl());
      ours.push(await seconds(byUs));
    }
  }
  const ratios = theirs.map((time, at) => time / ours[at]!);
  process.stdout.write(
    [
      `${MB} MiB, ${PAIRS} pairs${proxy ? `, ${perSecond / 2 ** 20} MiB a second for each connection` : ''}`,
      `download:                median ${median(ours).toFixed(2)} s (${range(ours)}), ${(MB / median(ours)).toFixed(0)} MiB/s; ${resumed} bytes came by a second stream`,
      `kubectl cp, sha256sum:   median ${median(theirs).toFixed(2)} s (${range(theirs)}), ${(MB / median(theirs)).toFixed(0)} MiB/s; ${failed} more copies failed`,
      `kubectl cp and sha256sum take ${median(ratios).toFixed(2)} times as long (${range(ratios)})`,
      `memory of this process grew by ${((process.memoryUsage().rss - before) / 2 ** 20).toFixed(0)} MiB`,
      '',
    ].join('\n'),
  );
} finally {
  await kubectl('delete', 'pod', '-n', NAMESPACE, pod, '--grace-period=0', '--force').catch(() => {});
  await kubectl('delete', 'namespace', NAMESPACE, '--wait=false').catch(() => {});
  await rm(folder, { recursive: true, force: true });
  await proxy?.close();
  if (cluster.started) await cluster.down();
}
