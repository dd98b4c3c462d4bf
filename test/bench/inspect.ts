// `npm run bench:inspect`: how long `kubectl gkeprof ps pod/x` takes, from the line to the prompt, beside an empty debug pod
// on the same node: created by the API, seen to have run `true`, deleted (accepted). Both in turn, in one run.
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { openCluster } from '../../src/cluster/api.ts';
import { inspect } from '../../src/collectors/snapshot/snapshot.ts';
import { makePlan } from '../../src/plan/plan.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { ensureCluster } from '../cluster/index.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 9);
const NAMESPACE = 'gkeprof-bench';
const root = fileURLToPath(new URL('../..', import.meta.url));

await execa(process.execPath, [join(root, 'scripts/build.ts')]);
const cluster = await ensureCluster();
const env = {
  ...process.env,
  KUBECONFIG: cluster.kubeconfig,
  PATH: [join(root, 'dist'), cluster.binDir, process.env.PATH].join(delimiter),
};
const node = cluster.nodes[0]!;
const image = cluster.images.tools;
const sh = (script: string, ...words: string[]) =>
  execa('sh', ['-ec', script, 'sh', ...words], { env, cwd: tmpdir() });
const door = await openCluster({ kubeconfig: cluster.kubeconfig }, { env, windows: false });

async function emptyPod(): Promise<void> {
  const plan = makePlan({
    target: { kind: 'node', node },
    capture: { collector: 'inspect', scope: 'node', parts: [], lingerSeconds: 0 },
    limits: { durationSeconds: 30, maxBytes: 1, minFreePercent: 0, keepSeconds: 1 },
    debugPod: { namespace: 'gkeprof', image, install: false, imagePullSecrets: [], leastPrivilege: false },
  });
  const pod = debugPod([plan], inspect);
  for (const container of pod.spec!.containers) {
    container.command = ['true'];
    container.args = [];
  }
  await door.createPod(pod, false);
  const { namespace, name } = plan.debugPod;
  while ((await door.readPod(namespace, name)).status?.phase !== 'Succeeded')
    await new Promise((resolve) => setTimeout(resolve, 50));
  await door.deletePod(namespace, name, 0);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const empty: number[] = [];
const cold: number[] = [];
const warm: number[] = [];
const line = 'kubectl gkeprof ps pod/idle -n "$1" --image "$2"';
try {
  await execa('kubectl', ['create', 'namespace', NAMESPACE], { env, reject: false });
  await sh('kubectl gkeprof manifests | kubectl apply -f -');
  const overrides = { spec: { nodeName: node, terminationGracePeriodSeconds: 1 } };
  await sh(
    'kubectl run idle -n "$1" --image "$2" --image-pull-policy=IfNotPresent --overrides "$3" -- sleep 100000; kubectl wait -n "$1" --for=condition=Ready pod/idle --timeout=60s',
    NAMESPACE,
    cluster.images.debian,
    JSON.stringify(overrides),
  );
  for (let round = 1; round <= ROUNDS; round += 1) {
    empty.push(await seconds(emptyPod));
    cold.push(await seconds(() => sh(line, NAMESPACE, image)));
    process.stdout.write(
      `round ${round}: empty pod ${empty.at(-1)!.toFixed(2)} s, ps ${cold.at(-1)!.toFixed(2)} s\n`,
    );
  }
  await sh(`${line} --linger 1m`, NAMESPACE, image);
  for (let round = 1; round <= ROUNDS; round += 1) warm.push(await seconds(() => sh(line, NAMESPACE, image)));
  await sh('kubectl delete pods -n gkeprof -l app.kubernetes.io/managed-by=kubectl-gkeprof');
  process.stdout.write(
    `medians of ${ROUNDS}: empty pod ${median(empty).toFixed(2)} s, ps ${median(cold).toFixed(2)} s: ratio ${(median(cold) / median(empty)).toFixed(2)} (aim: at most 1.30); a further ps, of a pod that lingers, ${median(warm).toFixed(2)} s\n`,
  );
} finally {
  await execa('kubectl', ['delete', 'namespace', NAMESPACE, '--wait=false'], { env, reject: false });
  if (cluster.started) await cluster.down();
}
