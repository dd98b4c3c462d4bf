import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from './connection.ts';
import { Kubectl } from './kubectl.ts';
import type { KubectlHome } from './kubectl-home.ts';
import { apiPath } from './resources.ts';

/** Looks up the names that completion offers, each with a short description. */
export interface ClusterNames {
  /** The objects of a resource by kubectl's name: `pods` of the current namespace, `nodes`, `namespaces`, `deployments` … */
  list(resource: string): Promise<readonly Name[]>;
  containers(resource: string, name: string): Promise<readonly Name[]>;
  /** The contexts, clusters or users of the kubeconfig. */
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
  '{.spec.jobTemplate.spec.template.spec.containers[*].name}',
].join(' ');

/**
 * Asks the user's kubectl, which supports every login method and starts faster than the Kubernetes client loads here. A
 * question that fails, or takes longer than `boundMs`, gives an empty list, because a person who presses Tab should
 * neither wait nor see an error.
 */
export function namesByKubectl(connection: Connection, home: KubectlHome, boundMs: number): ClusterNames {
  const kubectl = new Kubectl({ ...connection, requestTimeout: `${boundMs}ms` }, home);
  const inNamespace = connection.namespace === undefined ? [] : ['-n', connection.namespace];
  const ask = async (...words: string[]) => (await kubectl.ask(words, boundMs)) ?? '';
  /** The rows that kubectl prints. Slow with many rows, because kubectl reads the metadata of each object. */
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
      // Both lists begin with a heading.
      return linesOf(await ask('config', `get-${what}s`))
        .slice(1)
        .map(asName);
    },
  };
}

const asName = (text: string): Name => ({ text });
const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);

/** The description from kubectl's columns: the state of a pod or node, or how many replicas of a workload are ready. */
function aboutRow(resource: string, [text = '', second, third]: readonly string[]): Name {
  if (resource === 'pods') return { text, about: `${third} ${second}` };
  const tells = ['nodes', 'namespaces', 'deployments', 'statefulsets', 'jobs'].includes(resource);
  return { text, ...(tells && second && { about: second }) };
}

/**
 * The rows that kubectl prints, requested as a table without the objects: for 1,000 pods the server then sends a tenth of
 * a megabyte instead of several megabytes. `kubectl get` has no flag for this, so `kubectl proxy` forwards the request.
 */
async function served(
  kubectl: Kubectl,
  resource: string,
  namespace: () => Promise<string>,
  boundMs: number,
): Promise<string[][]> {
  const isGlobal = resource === 'nodes' || resource === 'namespaces';
  const folder = await mkdtemp(join(tmpdir(), 'gkeprof-')); // Mode 0700, so that no other user can open the socket.
  const socket = join(folder, 'api');
  const everywhere = apiPath(resource);
  const prefix = everywhere.slice(0, -resource.length);
  const proxy = kubectl.serve(socket, new RegExp(`^${prefix}(namespaces/[^/]+/)?${resource}$`));
  const late = AbortSignal.timeout(boundMs);
  late.addEventListener('abort', proxy.kill);
  try {
    const [place] = await Promise.all([isGlobal ? undefined : namespace(), begun(proxy.chunks)]);
    // Resource version 0 lets the server answer from its cache, which is faster and at most a moment old.
    const path = `${apiPath(resource, place)}?includeObject=None&resourceVersion=0`;
    const table = JSON.parse(await get(socket, path, late)) as { rows?: Array<{ cells: unknown[] }> };
    return (table.rows ?? []).map(({ cells }) => cells.map(String));
  } finally {
    proxy.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with the first output; rejects if the process ends without any. */
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
