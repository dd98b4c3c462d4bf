/** A cluster of a kubeconfig, in its own words (client-go tools/clientcmd/api/v1). */
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

/** A credential plugin, as the kubeconfig names it. */
export interface ExecEntry {
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: ReadonlyArray<{ readonly name: string; readonly value: string }> | null;
  readonly apiVersion?: string;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: string;
}

/** A user of a kubeconfig. */
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

/** A kubeconfig as `kubectl config view --raw -o json` prints it, several files made into one. */
export interface Kubeconfig {
  readonly clusters?: ReadonlyArray<{ readonly name: string; readonly cluster: ClusterEntry }> | null;
  readonly users?: ReadonlyArray<{ readonly name: string; readonly user: UserEntry }> | null;
  readonly contexts?: ReadonlyArray<{ readonly name: string; readonly context: ContextEntry }> | null;
  readonly 'current-context'?: string;
}

/** The one cluster and the one user that a command is for. All paths are absolute. */
export interface Chosen {
  /** Empty where the kubeconfig has none. */
  readonly context: string;
  /** Nothing but the kubeconfig's current context chose it. */
  readonly isCurrent: boolean;
  readonly namespace: string;
  readonly userName: string;
  readonly clusterName: string;
  readonly cluster: ClusterEntry & { readonly server: string };
  readonly user: UserEntry;
  /** The server as the API is reached at it: with a scheme, without a slash at its end. */
  readonly server: string;
}
