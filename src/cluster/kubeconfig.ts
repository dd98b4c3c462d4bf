/** A cluster entry of a kubeconfig, with the file's own field names (client-go tools/clientcmd/api/v1). */
export interface ClusterEntry {
  readonly server?: string;
  readonly 'tls-server-name'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'proxy-url'?: string;
  readonly 'disable-compression'?: boolean;
  readonly extensions?: ReadonlyArray<{ readonly name: string; readonly extension: unknown }>;
}

/** The credential plugin of a user entry. */
export interface ExecEntry {
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: ReadonlyArray<{ readonly name: string; readonly value: string }> | null;
  readonly apiVersion?: string;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
}

/** A user entry of a kubeconfig. */
export interface UserEntry {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>;
  readonly username?: string;
  readonly password?: string;
  readonly 'auth-provider'?: {
    readonly name: string;
    readonly config?: Readonly<Record<string, string>> | null;
  };
  readonly exec?: ExecEntry;
}

interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}

/** A kubeconfig as `kubectl config view --raw -o json` prints it, merged from all files. */
export interface Kubeconfig {
  readonly clusters?: ReadonlyArray<{ readonly name: string; readonly cluster: ClusterEntry }> | null;
  readonly users?: ReadonlyArray<{ readonly name: string; readonly user: UserEntry }> | null;
  readonly contexts?: ReadonlyArray<{ readonly name: string; readonly context: ContextEntry }> | null;
  readonly 'current-context'?: string;
}

/** The cluster and the user that a command uses. All paths are absolute. */
export interface Chosen {
  /** Empty where the kubeconfig has no context. */
  readonly context: string;
  /** True if only the kubeconfig's current context chose the cluster and the user, and no flag did. */
  readonly isCurrent: boolean;
  readonly namespace: string;
  readonly userName: string;
  readonly clusterName: string;
  readonly cluster: ClusterEntry & { readonly server: string };
  readonly user: UserEntry;
  /** The base URL of the API: with a scheme, without a trailing slash. */
  readonly server: string;
}
