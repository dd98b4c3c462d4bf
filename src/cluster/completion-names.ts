import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from './connection.ts';
import { Kubectl } from './kubectl.ts';
import type { KubectlHome } from './kubectl-home.ts';

/** Names of things for completion, each with a word about it. */
export interface ClusterNames {
  /** Of a resource in kubectl's words: `pods` in the namespace in force, `nodes`, `namespaces`, `deployments` … */
  list(resource: string): Promise<readonly Name[]>;
  containers(resource: string, name: string): Promise<readonly Name[]>;
  /** Of the kubeconfig. */
  configured(what: 'context' | 'cluster' | 'user'): Promise<readonly Name[]>;
}

export interface Name {
  readonly text: string;
  readonly about?: string;
}

const CONTAINERS = [
  '{.spec.containers[*].name}',
  '{.spec.ephemeralContainers[*].name}',
  '{.spec.initContainers[?(@.restartPolicy=="Always")].name}',
  '{.spec.template.spec.containers[*].name}',
].join(' ');

/**
 * By the user's kubectl, which has every way to log in and starts faster than the Kubernetes client is loaded here.
 * Whatever fails, or takes longer than `boundMs`, is an empty list: a person who presses Tab waits for nothing and
 * reads no errors.
 */
export function namesByKubectl(connection: Connection, home: KubectlHome, boundMs: number): ClusterNames {
  const kubectl = new Kubectl({ ...connection, requestTimeout: `${boundMs}ms` }, home);
  const inNamespace = connection.namespace === undefined ? [] : ['-n', connection.namespace];
  const ask = async (...words: string[]) => (await kubectl.ask(words, boundMs)) ?? '';
  /** Rows as kubectl prints them. Slow where they are many: it reads the metadata of each. */
  const printed = async (resource: string) =>
    linesOf(await ask('get', resource, '--no-headers', ...inNamespace)).map((line) => line.split(/\s+/));
  const namespace = async () =>
    connection.namespace ||
    (await ask('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')).trim() ||
    'default';
  return {
    async list(resource) {
      const rows = home.windows
        ? await printed(resource)
        : await served(kubectl, resource, namespace, boundMs).catch(() => []);
      return rows.map((cells) => aboutRow(resource, cells));
    },
    async containers(resource, name) {
      const text = await ask('get', resource, name, '-o', `jsonpath=${CONTAINERS}`, ...inNamespace);
      return text.split(/\s+/).filter(Boolean).map(asName);
    },
    async configured(what) {
      if (what === 'context') return linesOf(await ask('config', 'get-contexts', '-o', 'name')).map(asName);
      // Both have a heading.
      return linesOf(await ask('config', `get-${what}s`))
        .slice(1)
        .map(asName);
    },
  };
}

const asName = (text: string): Name => ({ text });
const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);

/** What kubectl's columns tell in a word: the state of a pod or node, how much of a workload is ready. */
function aboutRow(resource: string, [text = '', second, third]: readonly string[]): Name {
  if (resource === 'pods') return { text, about: `${third} ${second}` };
  const tells = ['nodes', 'namespaces', 'deployments', 'statefulsets', 'jobs'].includes(resource);
  return { text, ...(tells && second && { about: second }) };
}

const GROUPS: Readonly<Record<string, string>> = {
  deployments: '/apis/apps/v1',
  statefulsets: '/apis/apps/v1',
  daemonsets: '/apis/apps/v1',
  replicasets: '/apis/apps/v1',
  jobs: '/apis/batch/v1',
};

/**
 * The rows that kubectl prints, from the server as a table without the objects: of 1,000 pods a tenth of a megabyte
 * instead of several. kubectl itself can't be told to ask so; it is asked to pass our request on.
 */
async function served(
  kubectl: Kubectl,
  resource: string,
  namespace: () => Promise<string>,
  boundMs: number,
): Promise<string[][]> {
  const isGlobal = resource === 'nodes' || resource === 'namespaces';
  const folder = await mkdtemp(join(tmpdir(), 'gkeprof-')); // 0700: nobody else gets to the socket.
  const socket = join(folder, 'api');
  const prefix = GROUPS[resource] ?? '/api/v1';
  const proxy = kubectl.serve(socket, new RegExp(`^${prefix}/(namespaces/[^/]+/)?${resource}$`));
  const late = AbortSignal.timeout(boundMs);
  late.addEventListener('abort', proxy.kill);
  try {
    const [place] = await Promise.all([isGlobal ? '' : namespace(), begun(proxy.chunks)]);
    const within = isGlobal ? '' : `namespaces/${encodeURIComponent(place)}/`;
    // From the server's cache, as it is a moment ago.
    const path = `${prefix}/${within}${resource}?includeObject=None&resourceVersion=0`;
    const table = JSON.parse(await get(socket, path, late)) as { rows?: Array<{ cells: unknown[] }> };
    return (table.rows ?? []).map(({ cells }) => cells.map(String));
  } finally {
    proxy.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with the first words, rejects when there are none. */
async function begun(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of chunks) return;
  throw new Error('kubectl proxy ended');
}

async function get(socketPath: string, path: string, signal: AbortSignal): Promise<string> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
    const asked = request({ socketPath, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(Buffer.concat(chunks).toString('utf8'))
          : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}
