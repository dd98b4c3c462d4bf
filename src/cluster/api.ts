import { clusterError, GkeprofError, reasonOf } from '../errors.ts';
import { toolVersion } from '../version.ts';
import type { AuthenticationCalls, AuthorizationCalls, CoreCalls } from './api-calls.ts';
import { apiCode, apiError } from './api-errors.ts';
import { DEFAULT_SERVER } from './choose.ts';
import type { AccessQuestion, Cluster } from './cluster.ts';
import { type Connection, parseTimeout } from './connection.ts';
import type { Chosen } from './kubeconfig.ts';
import { Kubectl } from './kubectl.ts';
import type { KubectlHome } from './kubectl-home.ts';
import { Login } from './login.ts';
import { PrivateKubeconfig } from './private-kubeconfig.ts';
import { readKubeconfig } from './read-kubeconfig.ts';
import { apiPath, type PodOwner } from './resources.ts';
import { proxyOf, Transport } from './transport.ts';

/**
 * Opens the connection to the cluster. kubectl itself reads the configuration and carries streams; the Kubernetes client
 * reads and writes objects. The client is imported here, on first use, because loading it takes longer than the rest of a
 * command; kubectl and the credential plugin run in the meantime.
 */
export async function openCluster(connection: Connection, home: KubectlHome): Promise<Cluster> {
  const reading = readKubeconfig(connection, home).then(async (chosen) => {
    const login = new Login(chosen, connection, home);
    await login.credentials();
    return { chosen, login };
  });
  reading.catch(() => {}); // The `await` below reports the error, after the client is loaded.
  const client = await import('./client.ts');
  const { chosen, login } = await reading;
  const { namespace } = chosen;
  const own = new PrivateKubeconfig(chosen, connection, login);
  const transport = new Transport(chosen, {
    timeoutMs: requestTimeoutMs(connection.requestTimeout),
    headers: { 'User-Agent': `kubectl-gkeprof/${toolVersion()}` },
    env: home.env,
    credentials: () => login.credentials(),
    refused: () => login.refused(),
  });
  const baseServer = new client.ServerConfiguration(chosen.server, {});
  const configuration = client.createConfiguration({
    baseServer,
    httpApi: client.wrapHttpLibrary({
      async send(request) {
        const { status, headers, body } = await transport.send(request);
        return new client.ResponseContext(status, headers, {
          text: async () => body.toString(),
          binary: async () => body,
          stream: () => null,
        });
      },
    }),
  });
  const core: CoreCalls = new client.CoreV1Api(configuration);
  const authentication: AuthenticationCalls = new client.AuthenticationV1Api(configuration);
  const authorization: AuthorizationCalls = new client.AuthorizationV1Api(configuration);
  const kubectl = new Kubectl(connection, home, () => own.flags());

  const call = async <T>(what: string, work: Promise<T>): Promise<T> => {
    home.trace?.(what);
    const began = Date.now();
    const answered = (how: string) => home.trace?.(`${what}: ${how} in ${Date.now() - began} ms`, 2);
    try {
      const answer = await work;
      answered('answered');
      return answer;
    } catch (error) {
      answered(String(apiCode(error) ?? reasonOf(error)));
      throw error instanceof GkeprofError ? error : (withoutConfiguration(chosen, error) ?? apiError(error));
    }
  };

  const review = async (question: Omit<AccessQuestion, 'strict'>): Promise<boolean | undefined> => {
    const body = { spec: { resourceAttributes: question } };
    return (await authorization.createSelfSubjectAccessReview({ body })).status?.allowed;
  };

  /** Reads what the client has no types for in the bundle: a few fields of objects of several API groups. */
  const get = async (
    path: string,
    labelSelector?: string,
    accept = 'application/json',
  ): Promise<{ readonly items?: readonly PodOwner[] } & PodOwner> => {
    const request = baseServer.makeRequestContext(path, 'GET');
    request.setHeaderParam('Accept', accept);
    if (labelSelector) request.setQueryParam('labelSelector', labelSelector);
    const { status, headers, body } = await transport.send(request);
    const text = body.toString();
    // With the fields of the errors that the client throws, which apiError reads.
    if (status !== 200)
      throw Object.assign(new Error(`HTTP status ${status}`), { code: status, headers, body: text });
    return JSON.parse(text);
  };

  let user: Promise<string | undefined> | undefined; // The API server is asked only once.

  home.trace?.(`context ${chosen.context || 'none'}, server ${chosen.server}`);
  return {
    namespace,
    reached: {
      context: chosen.context,
      server: chosen.server,
      ...(chosen.userName && { user: chosen.userName }),
      isCurrent: chosen.isCurrent,
    },
    proxy: withoutCredentials(proxyOf(chosen, home.env)),
    close: async () => {
      transport.close();
      kubectl.close();
      await own.close();
    },
    readPod: (ns, name) => call(`GET pods/${name} -n ${ns}`, core.readNamespacedPod({ namespace: ns, name })),
    listPods: async (ns, labelSelector) =>
      (
        await call(
          `LIST pods -n ${ns}`,
          core.listNamespacedPod({ namespace: ns, ...(labelSelector && { labelSelector }) }),
        )
      ).items,
    listAllPods: async (node, labelSelector) => {
      const fieldSelector = node === undefined ? undefined : `spec.nodeName=${node}`;
      return (
        await call(
          `LIST pods -A${node === undefined ? '' : ` on ${node}`}`,
          core.listPodForAllNamespaces({
            ...(fieldSelector && { fieldSelector }),
            ...(labelSelector && { labelSelector }),
          }),
        )
      ).items;
    },
    readService: (ns, name) =>
      call(`GET services/${name} -n ${ns}`, get(`${apiPath('services', ns)}/${encodeURIComponent(name)}`)),
    listPodOwners: async (resource, ns, labelSelector) => {
      const accept = resource === 'services' ? undefined : ONLY_METADATA;
      const what = `LIST ${resource} ${ns === undefined ? '-A' : `-n ${ns}`}`;
      return [...((await call(what, get(apiPath(resource, ns), labelSelector, accept))).items ?? [])];
    },
    readNode: (name) => call(`GET nodes/${name}`, core.readNode({ name })),
    listNodes: async (labelSelector) =>
      (await call('LIST nodes', core.listNode({ ...(labelSelector && { labelSelector }) }))).items,
    readNamespace: (name) => call(`GET namespaces/${name}`, core.readNamespace({ name })),
    createPod: (pod, dryRun) => {
      const ns = pod.metadata?.namespace ?? namespace;
      const request = { namespace: ns, body: pod, ...(dryRun && { dryRun: 'All' }) };
      return call(`CREATE pods/${pod.metadata?.name} -n ${ns}`, core.createNamespacedPod(request));
    },
    deletePod: async (ns, name, graceSeconds) => {
      const request = { namespace: ns, name, gracePeriodSeconds: graceSeconds };
      await call(
        `DELETE pods/${name} -n ${ns}`,
        core.deleteNamespacedPod(request).catch((error: unknown) => {
          if (apiCode(error) !== 404) throw error;
        }),
      );
    },
    listPodEvents: async (ns, pod) => {
      const fieldSelector = `involvedObject.kind=Pod,involvedObject.name=${pod}`;
      const list = await call(
        `LIST events -n ${ns}`,
        core.listNamespacedEvent({ namespace: ns, fieldSelector }),
      );
      return list.items;
    },
    isAllowed: async ({ strict, ...question }) => {
      home.trace?.(reviewText(question));
      return review(question).then(
        (allowed) => (strict ? allowed === true : allowed !== false),
        () => !strict,
      );
    },
    askAccess: async (question) => (await call(reviewText(question), review(question))) === true,
    whoAmI: () => {
      user ??= call(
        'CREATE selfsubjectreviews',
        authentication.createSelfSubjectReview({ body: {} }).catch((error: unknown) => {
          if (![403, 404].includes(apiCode(error) ?? 0)) throw error;
          return undefined;
        }),
      ).then((review) => review?.status?.userInfo?.username);
      return user;
    },
    followLogs: (ref) => kubectl.followLogs(ref),
    exec: (ref, argv, signal) => kubectl.exec(ref, argv, signal),
    execStream: (ref, argv) => kubectl.execStream(ref, argv),
    attach: (ref, options) => kubectl.attach(ref, options),
    copy: (ref, remotePath, directory, name, signal) =>
      kubectl.copy(ref, remotePath, directory, name, signal),
    kubectlLine: (...words) => kubectl.line(words),
  };
}

/** A list without the specs and states of its objects, which are most of it. */
const ONLY_METADATA = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

const reviewText = ({ verb, resource, group, subresource, namespace }: AccessQuestion): string =>
  `CREATE selfsubjectaccessreviews (${verb} ${resource}${group ? `.${group}` : ''}${subresource ? `/${subresource}` : ''} -n ${namespace})`;

/** The URL of a proxy for people: its user name and password are nobody's business. */
function withoutCredentials(proxy: URL | undefined): string | undefined {
  return proxy && `${proxy.protocol}//${proxy.host}`;
}

/** The error for a missing kubeconfig: without one, kubectl connects to localhost:8080, where nothing listens. */
function withoutConfiguration(
  { clusterName, context, server }: Chosen,
  error: unknown,
): GkeprofError | undefined {
  if (clusterName || context || server !== DEFAULT_SERVER || !/ECONNREFUSED/.test(reasonOf(error)))
    return undefined;
  return clusterError(
    'no kubeconfig was found',
    'set --kubeconfig or KUBECONFIG, or create ~/.kube/config',
    error,
  );
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** The longest delay that a timer of Node supports. */
const LONGEST_MS = 2 ** 31 - 1;

/** Zero and negative values mean no limit, as in kubectl. */
function requestTimeoutMs(text: string | undefined): number {
  const ms = text ? parseTimeout(text) : DEFAULT_TIMEOUT_MS;
  return ms === undefined || ms <= 0 ? LONGEST_MS : Math.min(Math.ceil(ms), LONGEST_MS);
}
