import type { V1Pod } from '@kubernetes/client-node';
import { apiError } from '../src/cluster/api-errors.ts';
import type { CallResult, Cluster, ContainerRef, RemoteStream } from '../src/cluster/cluster.ts';

/** A cluster in memory whose answers can all be replaced, for cases that a real cluster cannot produce on demand. */
export interface FakeCluster extends Cluster {
  /** The calls in their order: `create`, `delete`, `exec touch /gkeprof/ctl/stop` … */
  readonly calls: string[];
  readonly pods: Map<string, V1Pod>;
}

export const result = (stdout = '', exitCode = 0, stderr = ''): CallResult => ({
  exitCode,
  stdout: Buffer.from(stdout),
  stderr,
});

/** A log that arrives line by line. After the last line it ends, or stays open if `open` is set. */
export function lines(texts: readonly string[], open = false): RemoteStream {
  let kill = () => {};
  const killed = new Promise<void>((resolve) => {
    kill = resolve;
  });
  return {
    chunks: (async function* () {
      for (const text of texts) yield Buffer.from(`${text}\n`);
      if (open) await killed;
    })(),
    write: () => {},
    ended: Promise.resolve(result()),
    kill,
  };
}

/** A stream of these bytes, which ends after them. */
export const bytes = (data: Uint8Array): RemoteStream => ({
  ...lines([]),
  chunks: (async function* () {
    yield data;
  })(),
});

/** The error for a refusal of the API server. */
export const apiAnswer = (code: number, message: string, reason = '') =>
  apiError(Object.assign(new Error('HTTP'), { code, body: JSON.stringify({ message, reason }) }));

export function fakeCluster(overrides: Partial<Cluster> = {}): FakeCluster {
  const calls: string[] = [];
  const pods = new Map<string, V1Pod>();
  const missing = (name: string) => apiAnswer(404, `pods "${name}" not found`, 'NotFound');
  const base: Cluster = {
    namespace: 'default',
    reached: { context: 'prod', server: 'https://api.example', user: 'alice', isCurrent: true },
    proxy: undefined,
    close: async () => {},
    async readPod(_namespace, name) {
      const pod = pods.get(name);
      if (!pod) throw missing(name);
      return pod;
    },
    listPods: async () => [...pods.values()],
    listAllPods: async () => [...pods.values()],
    async readService(_namespace, name) {
      throw apiAnswer(404, `services "${name}" not found`, 'NotFound');
    },
    listPodOwners: async () => [],
    readNode: async (name) => ({
      metadata: { name },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    }),
    listNodes: async () => [],
    readNamespace: async (name) => ({
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    }),
    async createPod(pod) {
      const running = { ...pod, status: { phase: 'Running', containerStatuses: [status('capture')] } };
      pods.set(pod.metadata!.name!, running as V1Pod);
      return pod;
    },
    async deletePod(_namespace, name) {
      pods.delete(name);
    },
    listPodEvents: async () => [],
    isAllowed: async () => true,
    askAccess: async () => true,
    whoAmI: async () => 'kubernetes-admin',
    followLogs: () => lines([]),
    exec: async () => result(),
    execStream: () => lines([]),
    attach: async () => 0,
    copy: async () => result(),
    kubectlLine: (...words) => ['kubectl', ...words].join(' '),
  };
  const all = { ...base, ...overrides };
  const recorded: Partial<Record<keyof Cluster, (...args: never[]) => string>> = {
    createPod: () => 'create',
    deletePod: () => 'delete',
    copy: (_ref: ContainerRef, path: string) => `copy ${path}`,
    exec: (_ref: ContainerRef, argv: string[]) => `exec ${argv.join(' ')}`,
    followLogs: () => 'logs',
  };
  for (const [name, text] of Object.entries(recorded)) {
    const method = all[name as 'exec'] as (...args: unknown[]) => unknown;
    (all as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
      calls.push((text as (...args: unknown[]) => string)(...args));
      return method(...args);
    };
  }
  return Object.assign(all, { calls, pods });
}

export const status = (name: string, state: object = { running: {} }) => ({
  name,
  state,
  image: '',
  imageID: 'sha256:1',
  ready: true,
  restartCount: 0,
});
