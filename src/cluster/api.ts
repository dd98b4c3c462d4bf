import type { KubeConfig as KubeConfigType } from '@kubernetes/client-node';
import { clusterError, type GkeprofError, reasonOf, usageError } from '../errors.ts';
import { version } from '../version.ts';
import type { Cluster } from './cluster.ts';
import type { Connection } from './connect.ts';
import { Kubectl, type KubectlHome } from './kubectl.ts';
import { apiCode, apiError } from './refusal.ts';
import { Transport } from './transport.ts';

/**
 * Opens the door: kubeconfig and flags as kubectl reads them, objects by the Kubernetes client, streams by
 * kubectl. The client is imported here, on first use, because loading it costs more than the rest of a command.
 */
export async function openCluster(connection: Connection, home: KubectlHome): Promise<Cluster> {
  const client = await import('./client.ts');
  const config = new client.KubeConfig();
  const namespace = load(config, connection);
  const transport = new Transport(config, {
    timeoutMs: requestTimeoutMs(connection.requestTimeout),
    headers: {
      'User-Agent': `kubectl-gkeprof/${version()}`,
      ...(connection.as && { 'Impersonate-User': connection.as }),
      ...(connection.asGroup && { 'Impersonate-Group': connection.asGroup }),
    },
  });
  const configuration = client.createConfiguration({
    baseServer: new client.ServerConfiguration(config.getCurrentCluster()!.server, {}),
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
  const core = new client.CoreV1Api(configuration);
  const authentication = new client.AuthenticationV1Api(configuration);
  const authorization = new client.AuthorizationV1Api(configuration);
  const kubectl = new Kubectl(connection, home);

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
      throw credentialProblem(config, error) ?? apiError(error);
    }
  };

  let user: Promise<string | undefined> | undefined; // Asked once.

  return {
    namespace,
    readPod: (ns, name) => call(`GET pods/${name} -n ${ns}`, core.readNamespacedPod({ namespace: ns, name })),
    listPods: async (ns, labelSelector) =>
      (
        await call(
          `LIST pods -n ${ns}`,
          core.listNamespacedPod({ namespace: ns, ...(labelSelector && { labelSelector }) }),
        )
      ).items,
    listAllPods: async (node) => {
      const fieldSelector = node === undefined ? undefined : `spec.nodeName=${node}`;
      return (
        await call(
          `LIST pods -A${node === undefined ? '' : ` on ${node}`}`,
          core.listPodForAllNamespaces({ ...(fieldSelector && { fieldSelector }) }),
        )
      ).items;
    },
    readNode: (name) => call(`GET nodes/${name}`, core.readNode({ name })),
    listNodes: async (labelSelector) =>
      (await call('LIST nodes', core.listNode({ ...(labelSelector && { labelSelector }) }))).items,
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
      const body = { spec: { resourceAttributes: question } };
      home.trace?.(
        `MAY I ${question.verb} ${question.resource}/${question.subresource ?? ''} -n ${question.namespace}`,
      );
      return authorization.createSelfSubjectAccessReview({ body }).then(
        (review) => (strict ? review.status?.allowed === true : review.status?.allowed !== false),
        () => !strict,
      );
    },
    whoAmI: () => {
      user ??= call(
        'WHO AM I',
        authentication.createSelfSubjectReview({ body: {} }).catch((error: unknown) => {
          if (apiCode(error) !== 404) throw error;
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

/** Reads the kubeconfig, applies the flags, and returns the namespace in force. */
function load(config: KubeConfigType, connection: Connection): string {
  try {
    if (connection.kubeconfig) config.loadFromFile(connection.kubeconfig);
    else config.loadFromDefault();
  } catch (error) {
    throw clusterError(
      `the kubeconfig cannot be read: ${reasonOf(error)}`,
      'check --kubeconfig or KUBECONFIG',
      error,
    );
  }
  const name = connection.context ?? config.getCurrentContext();
  const context = config.getContextObject(name);
  if (connection.context && !context) {
    throw clusterError(
      `no context exists with the name: "${connection.context}"`,
      `contexts: ${config.contexts.map((each) => each.name).join(', ') || 'none'}`,
    );
  }
  const cluster = connection.cluster ?? context?.cluster;
  const user = connection.user ?? context?.user;
  // What the client makes up where there is no kubeconfig, and no pod's service account either.
  if (
    cluster &&
    config.getCluster(cluster)?.server === 'http://localhost:8080' &&
    name === 'loaded-context'
  ) {
    throw clusterError(
      'there is no kubeconfig',
      'name one with --kubeconfig or KUBECONFIG, or put it at ~/.kube/config',
    );
  }
  if (!cluster || !config.getCluster(cluster)) {
    throw clusterError(
      'no cluster is configured',
      'set a context: `kubectl config get-contexts`, then --context NAME',
    );
  }
  const namespace = connection.namespace ?? context?.namespace ?? 'default';
  config.contexts = [
    ...config.contexts.filter((each) => each.name !== 'gkeprof'),
    { name: 'gkeprof', cluster, user: user ?? '', namespace },
  ];
  config.setCurrentContext('gkeprof');
  return namespace;
}

/** A credential plugin that is not installed: the kubeconfig's own words on how to get it. */
function credentialProblem(config: KubeConfigType, error: unknown): GkeprofError | undefined {
  const exec = config.getCurrentUser()?.exec as { command?: string; installHint?: string } | undefined;
  if (!exec?.command || !/ENOENT/.test(reasonOf(error)) || !reasonOf(error).includes(exec.command))
    return undefined;
  return clusterError(
    `the credential plugin ${exec.command} named in the kubeconfig was not found`,
    exec.installHint?.trim() || 'install it, or log in another way',
    error,
  );
}

const DEFAULT_TIMEOUT_MS = 30_000;

function requestTimeoutMs(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS;
  if (text === '0') return 2 ** 31 - 1;
  const match = /^(\d+)(ms|s|m|h)?$/.exec(text);
  if (!match)
    throw usageError(`--request-timeout: "${text}" is not a duration`, 'write it as 10s, 1m, or 0 for none');
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? 's']!;
}
