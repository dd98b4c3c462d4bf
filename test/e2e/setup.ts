import { readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { TestProject } from 'vitest/node';
import { ensureCluster } from '../cluster/index.ts';
import { allowedImages, NAMESPACE, pluginDir, type World } from './world.ts';

const here = (name: string) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8');

/**
 * Makes the world of the suite once: the cluster, the namespace and role exactly as `kubectl gkeprof manifests`
 * prints them, users with that role alone, and the pods that are looked at.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const build = fileURLToPath(new URL('../../scripts/build.ts', import.meta.url));
  await execa(process.execPath, [build]);
  const cluster = await ensureCluster();
  const [nodeA, nodeB] = cluster.nodes as [string, string];
  const { images } = cluster;
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    PATH: [pluginDir, cluster.binDir, process.env.PATH].join(delimiter),
  };
  const kubectl = (words: readonly string[], input?: string) =>
    execa(cluster.kubectl, words, { env, ...(input === undefined ? {} : { input }) }).then(
      (result) => result.stdout,
    );

  // The whole suite runs under the policy, as users with the printed roles alone.
  const manifests = await kubectl([
    ...['gkeprof', 'manifests', '--admission-policy', '--allow-shell'],
    ...allowedImages(images.tools),
  ]);
  await kubectl(['apply', '-f', '-'], manifests);
  const sre = await cluster.userKubeconfig('sre', ['gkeprof-users']);
  const sreShell = await cluster.userKubeconfig('sre-shell', ['gkeprof-users', 'gkeprof-shell-users']);
  const noExec = await cluster.userKubeconfig('no-exec');
  const apply = (...words: string[]) =>
    kubectl([...words, '--dry-run=client', '-o', 'yaml']).then((yaml) => kubectl(['apply', '-f', '-'], yaml));
  await apply(
    'create',
    'clusterrolebinding',
    'gkeprof-e2e',
    '--clusterrole=gkeprof-targets',
    '--group=gkeprof-users',
    '--user=no-exec',
  );
  await apply(
    'create',
    'rolebinding',
    'gkeprof-e2e',
    '-n',
    'gkeprof',
    '--role=gkeprof-debug-pods',
    '--group=gkeprof-users',
  );
  await apply(
    'create',
    'role',
    'pods-only',
    '-n',
    'gkeprof',
    '--verb=create,get,list,delete',
    '--resource=pods',
  );
  await apply('create', 'rolebinding', 'pods-only', '-n', 'gkeprof', '--role=pods-only', '--user=no-exec');
  await apply(
    'create',
    'rolebinding',
    'gkeprof-e2e-shell',
    '-n',
    'gkeprof',
    '--role=gkeprof-shell',
    '--group=gkeprof-shell-users',
  );
  await apply('create', 'namespace', NAMESPACE);
  await apply('create', 'role', 'exec', '-n', NAMESPACE, '--verb=create,get', '--resource=pods/exec');
  await apply('create', 'rolebinding', 'exec', '-n', NAMESPACE, '--role=exec', '--group=gkeprof-shell-users');
  await apply('create', 'namespace', 'gkeprof-e2e-baseline');
  await kubectl([
    'label',
    '--overwrite',
    'namespace',
    'gkeprof-e2e-baseline',
    'pod-security.kubernetes.io/enforce=baseline',
  ]);

  const fill = (text: string, redisIp = '') =>
    text
      .replaceAll('REDIS_IMAGE', images.redisFp)
      .replaceAll('REDIS_STOCK', images.redisStock)
      .replaceAll('DEBIAN', images.debian)
      .replaceAll('NODE_A', nodeA)
      .replaceAll('NODE_B', nodeB)
      .replaceAll('REDIS_IP', redisIp);
  // Both processors at their end make every other step of the suite slow, and no answer better: a third of the time is enough.
  const redis = fill(here('redis.yaml'))
    .replace('      containers:', `      nodeName: ${nodeA}\n      containers:`)
    .replace('-n 20000', '-n 3000')
    .replace('sleep 0.05', 'sleep 0.3');
  await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], redis);
  await kubectl(['rollout', 'status', '-n', NAMESPACE, 'statefulset/redis', '--timeout=300s']);
  const ip = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.status.podIP}']);
  await kubectl(['delete', 'pod', '-n', NAMESPACE, 'client', 'done', '--ignore-not-found', '--wait']);
  await kubectl(['apply', '-n', NAMESPACE, '-f', '-'], fill(here('pods.yaml'), ip));
  await kubectl([
    'wait',
    '-n',
    NAMESPACE,
    '--for=condition=Ready',
    'pod/redis-stock',
    'pod/idle',
    'pod/host-network',
    'pod/client',
    '--timeout=300s',
  ]);

  project.provide('world', {
    kubectl: cluster.kubectl,
    binDir: cluster.binDir,
    admin: cluster.kubeconfig,
    sre,
    sreShell,
    sreNoTarget: sre,
    noExec,
    nodes: [nodeA, nodeB],
    images,
  } satisfies World);
  return async () => {
    const policies = 'validatingadmissionpolicybinding,validatingadmissionpolicy';
    await kubectl(['delete', policies, '-l', 'app.kubernetes.io/name=gkeprof']);
    await kubectl(['delete', 'namespace', NAMESPACE, 'gkeprof-e2e-baseline', '--timeout=300s']);
    if (cluster.started) await cluster.down();
  };
}
