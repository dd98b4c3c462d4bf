import type { CoreV1Event, V1Namespace, V1Node, V1Pod } from '@kubernetes/client-node';
import type { PodOwner, PodOwners } from './resources.ts';

/** The container of a pod that a call is for. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** The exit code and the output of a finished kubectl call. `stderr` is trimmed. */
export interface CallResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** A running remote command: its output can be read, and it can be ended. */
export interface RemoteStream {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Writes to the remote command's stdin. */
  write(text: string): void;
  /** Resolves when the local process has ended; never rejects. */
  readonly ended: Promise<CallResult>;
  kill(): void;
}

/** One permission that is checked with the API server before anything is created. */
export interface AccessQuestion {
  readonly namespace: string;
  readonly verb: string;
  readonly resource: string;
  /** The API group of the resource, if it is not the core group. */
  readonly group?: string;
  readonly subresource?: string;
  readonly name?: string;
  /** Without an answer the permission counts as denied. */
  readonly strict?: boolean;
}

/** The cluster that is used, and the user. */
export interface Reached {
  /** The context of the kubeconfig; empty where it has none. */
  readonly context: string;
  /** The URL of the API server, without credentials. */
  readonly server: string;
  /** The user's name in the kubeconfig. */
  readonly user?: string;
  /** True if only the kubeconfig's current context chose the cluster and the user, and no flag did. */
  readonly isCurrent: boolean;
}

/**
 * All access to the cluster goes through this interface. Objects are read and written through the API (cluster/api.ts);
 * exec, cp and logs go through the user's own kubectl (cluster/kubectl.ts), which brings its transports, proxies and
 * credential plugins. Every method rejects with a GkeprofError that quotes the cluster's message.
 */
export interface Cluster {
  /** The namespace of the flag, else that of the context, else `default`. */
  readonly namespace: string;
  readonly reached: Reached;
  /** The proxy to the API server, by the kubeconfig or the environment, without credentials; undefined if there is none. */
  readonly proxy: string | undefined;
  /** Ends every call that still waits, and removes the temporary kubeconfig that kubectl processes were given. */
  close(): Promise<void>;
  readPod(namespace: string, name: string): Promise<V1Pod>;
  listPods(namespace: string, labelSelector?: string): Promise<V1Pod[]>;
  /** The pods of all namespaces, or only those on a node or with labels. */
  listAllPods(node?: string, labelSelector?: string): Promise<V1Pod[]>;
  readService(namespace: string, name: string): Promise<PodOwner>;
  /** The objects of a namespace, or of all, that control or select pods. Only services have a `spec`. */
  listPodOwners(
    resource: PodOwners,
    namespace: string | undefined,
    labelSelector?: string,
  ): Promise<PodOwner[]>;
  readNode(name: string): Promise<V1Node>;
  listNodes(labelSelector?: string): Promise<V1Node[]>;
  readNamespace(name: string): Promise<V1Namespace>;
  createPod(pod: V1Pod, dryRun: boolean): Promise<V1Pod>;
  /** Resolves when the API server accepted the deletion. A pod that does not exist any more is not an error. */
  deletePod(namespace: string, name: string, graceSeconds: number): Promise<void>;
  listPodEvents(namespace: string, pod: string): Promise<CoreV1Event[]>;
  /** False only where the API server denies the permission. Where it does not answer, the result is true unless `strict`. */
  isAllowed(question: AccessQuestion): Promise<boolean>;
  /** Whether the API server allows it. Rejects where it does not answer. */
  askAccess(question: Omit<AccessQuestion, 'strict'>): Promise<boolean>;
  /**
   * The user name that the API server sees, as in `kubectl auth whoami`; undefined where the server does not support
   * SelfSubjectReview (before Kubernetes 1.28, KEP-3325).
   */
  whoAmI(): Promise<string | undefined>;
  /** Follows a container's log from its beginning. */
  followLogs(ref: ContainerRef): RemoteStream;
  /** Runs a command to its end. An exit code other than 0 is a result, not an error. */
  exec(ref: ContainerRef, argv: readonly string[], signal?: AbortSignal): Promise<CallResult>;
  /** Runs a command with an open stdin. */
  execStream(ref: ContainerRef, argv: readonly string[]): RemoteStream;
  /**
   * Connects this process's stdin, and with `tty` the terminal, to a container's main process. Resolves with kubectl's
   * exit code when either side has ended.
   */
  attach(
    ref: ContainerRef,
    options: { readonly tty: boolean; readonly signal: AbortSignal },
  ): Promise<number>;
  /** `kubectl cp` of one file into `directory` under `name`. An exit code other than 0 is a result, not an error. */
  copy(
    ref: ContainerRef,
    remotePath: string,
    directory: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<CallResult>;
  /** The kubectl command line that a person would type, with the same connection flags; for hints. */
  kubectlLine(...words: readonly string[]): string;
}

/** True for a valid name of a Kubernetes object: an RFC 1123 subdomain, as the API server checks it. */
export const isObjectName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
