// `npm run bench:many`: flame graphs of ten pods on two nodes beside that of one of them, in turns: wall time from start to
// finish, and the most memory that the client had. PODS, ROUNDS and DURATION (seconds) choose how many. Prints figures, asserts none.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../cluster/index.ts';

const PODS = Number(process.env.PODS ?? 10);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const SECONDS = Number(process.env.DURATION ?? 10);
const NAMESPACE = 'gkeprof-bench-many';
const root = fileURLToPath(new URL('../..', import.meta.url));

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const cluster = await ensureCluster();
const env = {
  HOME: process.env.HOME ?? '/',
  KUBECONFIG: cluster.kubeconfig,
  PATH: [join(root, 'dist'), cluster.binDir, process.env.PATH].join(delimiter),
};
const folder = await mkdtemp(join(tmpdir(), 'gkeprof-bench-'));
const kubectl = async (words: readonly string[], input?: string) =>
  (await execa('kubectl', words, { env, ...(input === undefined ? {} : { input }) })).stdout;

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};

/** The most memory that a process has had so far, in MB; 0 if it has ended. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1000;
}

/** Wall seconds and the client's peak memory in MB. */
async function record(target: string): Promise<{ readonly seconds: number; readonly megabytes: number }> {
  const words = ['flamegraph', target, '-n', NAMESPACE, '--image', cluster.images.tools];
  const began = performance.now();
  const child = spawn(
    join(root, 'dist/kubectl-gkeprof'),
    [...words, '--duration', `${SECONDS}s`, '--call-graph', 'fp', '--output-dir', folder],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  let megabytes = 0;
  const watching = setInterval(async () => {
    megabytes = Math.max(megabytes, await peakOf(child.pid!));
  }, 50);
  const code = await new Promise((resolve) => child.on('exit', resolve));
  clearInterval(watching);
  if (code !== 0) throw new Error(`flamegraph ${target} ended with ${code}:\n${said}`);
  return { seconds: (performance.now() - began) / 1000, megabytes };
}

const labels = { app: 'bench' };
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'bench', namespace: NAMESPACE },
  spec: {
    replicas: PODS,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'spin',
            image: cluster.images.tools,
            imagePullPolicy: 'IfNotPresent',
            // Three hundredths of a core each: ten of them leave room for what is measured.
            command: ['sh', '-c', 'while :; do :; done'],
            resources: { limits: { cpu: '30m' } },
          },
        ],
      },
    },
  },
};

await execa('kubectl', ['create', 'namespace', NAMESPACE], { env, reject: false });
try {
  await kubectl(['apply', '-f', '-'], await kubectl(['gkeprof', 'manifests']));
  await kubectl(['apply', '-f', '-'], JSON.stringify(deployment));
  await kubectl(['rollout', 'status', '-n', NAMESPACE, 'deploy/bench', '--timeout=180s']);
  const [one] = (await kubectl(['get', 'pods', '-n', NAMESPACE, '-o', 'name'])).split('\n');
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [alone, all] =
      round % 2
        ? [await record(one!), await record('deploy/bench')]
        : await (async () => {
            const many = await record('deploy/bench');
            return [await record(one!), many] as const;
          })();
    ratios.push(all.seconds / alone.seconds);
    process.stdout.write(
      `${round}: one pod ${alone.seconds.toFixed(2)} s, ${alone.megabytes.toFixed(0)} MB; ${PODS} pods ${all.seconds.toFixed(2)} s, ${all.megabytes.toFixed(0)} MB: ratio ${ratios.at(-1)!.toFixed(2)}\n`,
    );
  }
  process.stdout.write(
    `${PODS} pods against one, ${SECONDS} s of recording, median of ${ROUNDS}: ratio ${median(ratios).toFixed(2)} (aim: at most 1.3; client at most 150 MB)\n`,
  );
} finally {
  await execa('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'], { env, reject: false });
  await rm(folder, { recursive: true, force: true });
  if (cluster.started) await cluster.down();
}
