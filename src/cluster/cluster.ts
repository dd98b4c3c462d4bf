import type { CoreV1Event, V1Node, V1Pod } from '@kubernetes/client-node';

/** A pod by name, and the container of it that a call is for. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** What a finished kubectl call said. `stderr` is trimmed. */
export interface CallResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** A remote command whose output is being read and which can be told to end. */
export interface RemoteStream {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Writes to the remote command's stdin. */
  write(text: string): void;
  /** Resolves when the local process has ended; never rejects. */
  readonly ended: Promise<CallResult>;
  kill(): void;
}

/** What is asked of the API server before anything is created. */
export interface AccessQuestion {
  readonly namespace: string;
  readonly verb: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** No answer counts as no. */
  readonly strict?: boolean;
}

/** Which cluster a door leads to, and as whom. */
export interface Reached {
  /** Of the kubeconfig; empty where it has none. */
  readonly context: string;
  /** Its URL, without credentials. */
  readonly server: string;
  /** The user's name in the kubeconfig. */
  readonly user?: string;
  /** Nothing but the kubeconfig's current context chose it: no flag. */
  readonly isCurrent: boolean;
}

/**
 * The one door to the cluster. Reads and writes of objects go through the API (cluster/api.ts); exec, cp and
 * logs go through the user's own kubectl (cluster/kubectl.ts), which brings its transports, proxies and
 * credential plugins. Every method rejects with a GkeprofError in the cluster's own words.
 */
export interface Cluster {
  /** The namespace in force: the flag's, else the context's, else `default`. */
  readonly namespace: string;
  readonly reached: Reached;
  /** Removes what children of kubectl were given. */
  close(): Promise<void>;
  readPod(namespace: string, name: string): Promise<V1Pod>;
  listPods(namespace: string, labelSelector?: string): Promise<V1Pod[]>;
  /** Of all namespaces; with a node's name, those on it. */
  listAllPods(node?: string): Promise<V1Pod[]>;
  readNode(name: string): Promise<V1Node>;
  listNodes(labelSelector?: string): Promise<V1Node[]>;
  createPod(pod: V1Pod, dryRun: boolean): Promise<V1Pod>;
  /** Resolves when the API server accepted the deletion; a pod that is already gone is no error. */
  deletePod(namespace: string, name: string, graceSeconds: number): Promise<void>;
  listPodEvents(namespace: string, pod: string): Promise<CoreV1Event[]>;
  /** False only when the API server says no; a server that does not answer such questions counts as yes. */
  isAllowed(question: AccessQuestion): Promise<boolean>;
  /**
   * The user name that the API server sees, as in `kubectl auth whoami`; undefined where the server does not serve that
   * question (before Kubernetes 1.28, KEP-3325).
   */
  whoAmI(): Promise<string | undefined>;
  /** Follows a container's log from its beginning. */
  followLogs(ref: ContainerRef): RemoteStream;
  /** Runs a command, to its end. A status other than 0 is a result, not an error. */
  exec(ref: ContainerRef, argv: readonly string[], signal?: AbortSignal): Promise<CallResult>;
  /** Runs a command with an open stdin. */
  execStream(ref: ContainerRef, argv: readonly string[]): RemoteStream;
  /**
   * Connects our own stdin, and with `tty` the terminal, to a container's main process. Resolves with kubectl's status
   * when either side has ended.
   */
  attach(
    ref: ContainerRef,
    options: { readonly tty: boolean; readonly signal: AbortSignal },
  ): Promise<number>;
  /** `kubectl cp` of one file into `directory` under `name`. A status other than 0 is a result, not an error. */
  copy(
    ref: ContainerRef,
    remotePath: string,
    directory: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<CallResult>;
  /** The same line of kubectl as a person would type it, for hints. */
  kubectlLine(...words: readonly string[]): string;
}

/** True for a string that names a Kubernetes object: RFC 1123 subdomain, as the API server checks it. */
export const isObjectName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name);
