// `npm run bench`: what a 5 s flame graph of a busy Redis pod costs beyond its 5 s, by hand and by gkeprof, in one run.
// By hand: kubectl debug node/… --profile=sysadmin, exec of perf, kubectl cp, inferno, delete. The image is present on
// the node, the pod's cgroup is given to the person for free. Prints every round, the medians and their ratio.
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../cluster/index.ts';
import { infernoBin } from './inferno.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const SECONDS = 5;
const NAMESPACE = 'gkeprof-bench';
const root = fileURLToPath(new URL('../..', import.meta.url));

const inferno = await infernoBin();
await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const cluster = await ensureCluster();
const env = {
  KUBECONFIG: cluster.kubeconfig,
  PATH: [join(root, 'dist'), cluster.binDir, inferno, process.env.PATH].join(delimiter),
};
const folder = await mkdtemp(join(tmpdir(), 'gkeprof-bench-'));
const sh = (script: string, ...words: string[]) =>
  execa('sh', ['-ec', script, 'sh', ...words], { env, cwd: folder });

const node = cluster.nodes[0]!;
const image = cluster.images.tools;
const redis = (await execa('cat', [join(root, 'test/e2e/redis.yaml')])).stdout
  .replaceAll('REDIS_IMAGE', cluster.images.redisFp)
  .replace('      containers:', `      nodeName: ${node}\n      containers:`);
await execa('kubectl', ['create', 'namespace', NAMESPACE], { env, reject: false });
await sh('kubectl gkeprof manifests | kubectl apply -f -');
await execa('kubectl', ['apply', '-n', NAMESPACE, '-f', '-'], { env, input: redis });
await sh('kubectl rollout status -n "$1" statefulset/redis --timeout=60s', NAMESPACE);
const uid = (await sh('kubectl get pod -n "$1" redis-0 -o jsonpath={.metadata.uid}', NAMESPACE)).stdout;
const cgroup = (await sh('cd /sys/fs/cgroup/unified && find . -type d -name "pod$1"', uid)).stdout.replace(
  /^\.\//,
  '',
);

async function byHand(round: number): Promise<void> {
  const said = await sh('kubectl debug "node/$1" --profile=sysadmin --image="$2" -- sleep 600', node, image);
  const pod = /pod (\S+) with/.exec(said.stdout + said.stderr)![1]!;
  await sh(
    `kubectl wait --for=condition=Ready "pod/$1" >/dev/null
     kubectl exec "$1" -- sh -ec 'cd /tmp; perf record -F 99 -g -a -e cpu-clock --cgroup "$1" -o p.data -- sleep ${SECONDS} >/dev/null 2>&1; perf script --header -i p.data | gzip >p.gz' sh "$2"
     kubectl cp "$1:/tmp/p.gz" "hand.$3.gz" 2>/dev/null
     kubectl delete pod "$1" --wait=false >/dev/null
     gzip -dc "hand.$3.gz" | inferno-collapse-perf -q | inferno-flamegraph >"hand.$3.svg"`,
    pod,
    cgroup,
    String(round),
  );
}

const byGkeprof = () =>
  sh(`kubectl gkeprof flamegraph pod/redis-0 -n "$1" --image "$2" --duration ${SECONDS}s`, NAMESPACE, image);

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const hand: number[] = [];
const ours: number[] = [];
try {
  for (let round = 1; round <= ROUNDS; round += 1) {
    hand.push((await seconds(() => byHand(round))) - SECONDS);
    if ((await stat(join(folder, `hand.${round}.svg`))).size < 1000)
      throw new Error('the flame graph made by hand is empty');
    ours.push((await seconds(byGkeprof)) - SECONDS);
    process.stdout.write(
      `round ${round}: by hand ${hand.at(-1)!.toFixed(2)} s, gkeprof ${ours.at(-1)!.toFixed(2)} s beyond ${SECONDS} s\n`,
    );
  }
  const ratio = median(ours) / median(hand);
  process.stdout.write(
    `medians of ${ROUNDS}: by hand ${median(hand).toFixed(2)} s, gkeprof ${median(ours).toFixed(2)} s: ratio ${ratio.toFixed(2)} (aim: at most 0.50)\n`,
  );
} finally {
  await execa('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'], { env, reject: false });
  await rm(folder, { recursive: true, force: true });
  if (cluster.started) await cluster.down();
}
