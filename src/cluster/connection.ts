/** The connection flags of kubectl, with the same meaning. An empty value counts as not set. */
export interface Connection {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly server?: string;
  readonly tlsServerName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly asUid?: string;
  readonly asGroups?: readonly string[];
  readonly disableCompression?: boolean;
  readonly cacheDir?: string;
  /** As kubectl takes it: `10s`, or `0` for no limit. */
  readonly requestTimeout?: string;
}

/** The flag of each field. The namespace is missing here, because each call states its own. */
const FLAGS = {
  kubeconfig: '--kubeconfig',
  context: '--context',
  cluster: '--cluster',
  user: '--user',
  server: '--server',
  tlsServerName: '--tls-server-name',
  insecureSkipTlsVerify: '--insecure-skip-tls-verify',
  certificateAuthority: '--certificate-authority',
  clientCertificate: '--client-certificate',
  clientKey: '--client-key',
  token: '--token',
  username: '--username',
  password: '--password',
  as: '--as',
  asUid: '--as-uid',
  asGroups: '--as-group',
  disableCompression: '--disable-compression',
  cacheDir: '--cache-dir',
  requestTimeout: '--request-timeout',
} as const satisfies Partial<Record<keyof Connection, string>>;

/** The fields whose values must not appear on a screen, in a log or in a list of processes. */
const SECRET: ReadonlySet<string> = new Set(['token', 'password']);

/** The flags as the user gave them, for a kubectl process that reads the kubeconfig by itself. */
export function kubectlFlags(connection: Connection): string[] {
  return Object.entries(FLAGS).flatMap(([field, flag]) => {
    const value = connection[field as keyof typeof FLAGS];
    const values = Array.isArray(value) ? (value as readonly string[]) : [value];
    return values.filter((each) => each !== undefined).map((each) => `${flag}=${each}`);
  });
}

/** The flags for display: a placeholder such as TOKEN replaces each secret. */
export const shownFlags = (connection: Connection): string[] =>
  kubectlFlags(
    Object.fromEntries(
      Object.entries(connection).map(([field, value]) => [
        field,
        SECRET.has(field) ? field.toUpperCase() : value,
      ]),
    ),
  );

/** The flags that concern neither the cluster nor the user; every kubectl process gets them. */
export const commonFlags = ({ cacheDir, requestTimeout }: Connection): string[] =>
  kubectlFlags({
    ...(cacheDir !== undefined && { cacheDir }),
    ...(requestTimeout !== undefined && { requestTimeout }),
  });

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  '\u00b5s': 1e-3,
  '\u03bcs': 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Parses a value of kubectl's --request-timeout (client-go tools/clientcmd/helpers.go ParseTimeout): a number of seconds,
 * or a duration of Go such as `1m30s`. Returns milliseconds, or undefined for anything else.
 */
export function parseTimeout(text: string): number | undefined {
  if (/^\+?\d+$/.test(text)) return Number(text) * 1000;
  if (/^[-+]?0$/.test(text)) return 0;
  const [, sign, rest] =
    /^([-+]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$/.exec(text) ?? [];
  if (rest === undefined) return undefined;
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)];
  const sum = parts.reduce((total, [, number, unit]) => total + Number(number) * UNIT_MS[unit!]!, 0);
  return sign === '-' ? -sum : sum;
}
