// `npm run test:diff`: recordings of one busy Redis pod, one after the other, each compared with each: nothing was changed,
// so at most 5 of 100 pairs may say that something did. RECORDINGS (15, which are 105 pairs), SECONDS (4) and FREQUENCY
// (199 Hz) say otherwise; KEEP names a folder that the recordings stay in, and are taken from when they are there.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../cluster/index.ts';

const RECORDINGS = Number(process.env.RECORDINGS ?? 15);
const SECONDS = Number(process.env.SECONDS ?? 4);
const FREQUENCY = Number(process.env.FREQUENCY ?? 199);
/** Pairs of a hundred that may be flagged, as many as by the level of the test. */
const AIM = 5;
/** Until the load has filled Redis and runs as it does from then on. */
const WARM_UP_SECONDS = 15;
const NAMESPACE = 'gkeprof-diff-test';
const root = fileURLToPath(new URL('../..', import.meta.url));

const folder = process.env.KEEP ?? (await mkdtemp(join(tmpdir(), 'gkeprof-diff-')));
await mkdir(folder, { recursive: true });
const recordings = async () =>
  (await readdir(folder))
    .filter((name) => name.endsWith('.perf-script.txt.gz'))
    .sort()
    .map((name) => join(folder, name));

/** Records a busy Redis so many times, in a namespace for the pod and for the debug pods alike. */
async function record(): Promise<void> {
  const cluster = await ensureCluster();
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    PATH: [join(root, 'plugin'), cluster.binDir, process.env.PATH].join(delimiter),
  };
  const kubectl = (words: readonly string[], input?: string) =>
    execa('kubectl', words, { env, ...(input === undefined ? {} : { input }) });
  const redis = (await execa('cat', [join(root, 'test/e2e/redis.yaml')])).stdout
    .replaceAll('REDIS_IMAGE', cluster.images.redisFp)
    .replace('      containers:', `      nodeName: ${cluster.nodes[0]}\n      containers:`);
  try {
    await kubectl(['create', 'namespace', NAMESPACE]);
    await kubectl(['label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=privileged']);
    await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], redis);
    await kubectl(['rollout', 'status', '-n', NAMESPACE, 'statefulset/redis', '--timeout=120s']);
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_SECONDS * 1000));
    for (let made = 0, failed = 0; made < RECORDINGS; ) {
      const run = await execa(
        'kubectl',
        [
          ...['gkeprof', 'flamegraph', 'pod/redis-0', '-n', NAMESPACE, '--debug-namespace', NAMESPACE],
          ...['--image', cluster.images.tools, '--duration', `${SECONDS}s`, '--frequency', `${FREQUENCY}`],
          ...['--output-dir', folder],
        ],
        { env, reject: false },
      );
      if (run.exitCode === 0) {
        made += 1;
        process.stdout.write(`recording ${made} of ${RECORDINGS}\n`);
        continue;
      }
      // One more is as good: what is asked is what is said of those that were made.
      failed += 1;
      process.stderr.write(`${run.stderr}\n`);
      if (failed === 3) throw new Error('three recordings failed');
    }
  } finally {
    await kubectl(['delete', 'namespace', NAMESPACE, '--timeout=120s']);
    if (cluster.started) await cluster.down();
  }
}

interface Result {
  readonly comparison: Record<
    'movers' | 'moversByTotal',
    ReadonlyArray<{ readonly name: string; readonly verdict: string; readonly chance: number }>
  >;
}

try {
  if ((await recordings()).length < 2) await record();
  const files = await recordings();
  const made = await mkdtemp(join(tmpdir(), 'gkeprof-diff-'));
  let pairs = 0;
  let flagged = 0;
  try {
    for (const [at, before] of files.entries())
      for (const after of files.slice(at + 1)) {
        const { stdout } = await execa(join(root, 'plugin/kubectl-gkeprof'), [
          ...['diff', before, after, '--format', 'top', '-o', 'json', '--output-dir', made],
        ]);
        const { movers, moversByTotal } = (JSON.parse(stdout) as Result).comparison;
        const changed = [...movers, ...moversByTotal].filter(({ chance }) => chance < 0.05);
        pairs += 1;
        if (changed.length === 0) continue;
        flagged += 1;
        process.stdout.write(
          `${at + 1} and ${files.indexOf(after) + 1}: ${changed.map(({ name, verdict, chance }) => `${name} ${verdict} (${chance.toPrecision(2)})`).join(', ')}\n`,
        );
      }
  } finally {
    await rm(made, { recursive: true });
  }
  process.stdout.write(
    `${flagged} of ${pairs} pairs of recordings of the same pod are said to differ: ${((100 * flagged) / pairs).toFixed(1)} % (aim: at most ${AIM} %)\n`,
  );
  process.exitCode = flagged * 100 > AIM * pairs ? 1 : 0;
} finally {
  if (process.env.KEEP === undefined) await rm(folder, { recursive: true });
}
