// `npm run demo`: a real cluster on this machine, a busy Redis in a StatefulSet, and the two commands typed as a
// user types them: kubectl finds the plugin on PATH. Leaves the cluster up; `npm run cluster down` removes it.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { ensureCluster } from '../test/cluster/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'demo-output');
await mkdir(output, { recursive: true });

const cluster = await ensureCluster().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
const env = {
  KUBECONFIG: cluster.kubeconfig,
  PATH: [join(root, 'plugin'), cluster.binDir, process.env.PATH].join(delimiter),
  // Built from image/Dockerfile; without it the tools are installed into a plain Debian at start.
  GKEPROF_IMAGE: cluster.images.tools,
};

/** Types a line into a shell, as a person would, and shows it. */
async function type(line: string): Promise<void> {
  process.stdout.write(`\n$ ${line}\n`);
  await execa('sh', ['-c', line], { env, cwd: output, stdio: ['ignore', 'inherit', 'inherit'] });
}

const redis = await readFile(join(root, 'test/e2e/redis.yaml'), 'utf8');
await type('kubectl gkeprof manifests | kubectl apply -f -');
process.stdout.write(
  '\n$ kubectl apply -f redis.yaml    # a StatefulSet of Redis with a load from redis-benchmark\n',
);
await execa('kubectl', ['apply', '-f', '-'], {
  env,
  input: redis.replaceAll('REDIS_IMAGE', cluster.images.redisFp),
  stdout: 'inherit',
});
await type('kubectl rollout status statefulset/redis --timeout=120s');
await type('kubectl gkeprof flamegraph pod/redis-0 --duration 10s');
await type('kubectl gkeprof pcap pod/redis-0 --port 6379 --duration 5s');
process.stdout.write(`\nThe files lie in ${output}:\n`);
for (const file of (await readdir(output)).sort()) process.stdout.write(`  ${file}\n`);
process.stdout.write('\nThe cluster is still up; `npm run cluster down` removes it.\n');
