/** The cluster as tests use it: one of their own that is started when needed, or the one that its user names. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { down } from './down.ts';
import { BIN, KUBECONFIG, RUN } from './home.ts';
import { DEBIAN, REDIS_FP, REDIS_STOCK, TOOLS } from './images.ts';
import { NODES } from './layout.ts';
import { createReport } from './progress.ts';
import { up } from './up.ts';
import { createUser } from './users.ts';

/** Images that the nodes have, or can pull. Pods name them with imagePullPolicy IfNotPresent. */
export type TestImages = {
  /** Built from image/Dockerfile. */
  readonly tools: string;
  /** A plain Debian 13, with working package sources. */
  readonly debian: string;
  /** Redis with frame pointers and symbols, with redis-cli and redis-benchmark. */
  readonly redisFp: string;
  /** Redis as it is distributed: stripped, without frame pointers. */
  readonly redisStock: string;
};

export type TestCluster = {
  /** The kubeconfig of somebody who may do everything. */
  readonly kubeconfig: string;
  /** The absolute path of a kubectl that fits the cluster. */
  readonly kubectl: string;
  /** The folder that kubectl is in, for PATH. */
  readonly binDir: string;
  readonly images: TestImages;
  /** The names of the nodes; on a cluster of our own `node-a` and `node-b`. */
  readonly nodes: readonly string[];
  /** Whether it runs on this machine, started by test/cluster. */
  readonly owned: boolean;
  /** Whether this very call started it: then it is the caller's to take down. */
  readonly started: boolean;
  /** Makes a user without any rights, and returns the path of their kubeconfig. The same name is the same user. */
  userKubeconfig(name: string, groups?: readonly string[]): Promise<string>;
  /** Takes an owned cluster down; leaves any other alone. */
  down(): Promise<void>;
};

/** The cluster of GKEPROF_TEST_KUBECONFIG if that is set, else the one on this machine, started or repaired if need be. */
export async function ensureCluster(): Promise<TestCluster> {
  const foreign = process.env.GKEPROF_TEST_KUBECONFIG;
  return foreign ? foreignCluster(foreign) : ownCluster();
}

async function ownCluster(): Promise<TestCluster> {
  const report = createReport();
  const { started } = await up(report);
  const kubectl = join(BIN, 'kubectl');
  return {
    kubeconfig: KUBECONFIG,
    kubectl,
    binDir: BIN,
    images: {
      tools: TOOLS.reference,
      debian: DEBIAN.reference,
      redisFp: REDIS_FP.reference,
      redisStock: REDIS_STOCK.reference,
    },
    nodes: NODES.map((node) => node.name),
    owned: true,
    started,
    async userKubeconfig(name, groups = []) {
      const path = join(RUN, 'users', `${encodeURIComponent(name)}.kubeconfig`);
      await createUser({ kubectl, kubeconfig: KUBECONFIG }, name, groups, path);
      return path;
    },
    down: () => down(report),
  };
}

async function foreignCluster(kubeconfig: string): Promise<TestCluster> {
  const { stdout: kubectl } = await execa('sh', ['-c', 'command -v kubectl']);
  const { stdout: nodes } = await execa(kubectl, ['get', 'nodes', '-o', 'name'], {
    env: { KUBECONFIG: kubeconfig },
  });
  const users = await mkdtemp(join(tmpdir(), 'gkeprof-users-'));
  return {
    kubeconfig,
    kubectl,
    binDir: dirname(kubectl),
    images: {
      tools: process.env.GKEPROF_TEST_IMAGE ?? 'debian:trixie-slim',
      debian: 'debian:trixie-slim',
      redisFp: 'redis:8',
      redisStock: 'redis:8',
    },
    nodes: nodes.split('\n').map((name) => name.replace('node/', '')),
    owned: false,
    started: false,
    async userKubeconfig(name, groups = []) {
      const path = join(users, `${encodeURIComponent(name)}.kubeconfig`);
      await createUser({ kubectl, kubeconfig }, name, groups, path);
      return path;
    },
    down: async () => undefined,
  };
}
