import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve as resolvePath, sep } from 'node:path';
import { clusterError, type GkeprofError } from '../errors.ts';
import { printable } from '../printable.ts';
import { askKubectl } from './ask-kubectl.ts';
import { type Connection, parseTimeout } from './connect.ts';
import type { KubectlHome } from './kubectl.ts';

type Environment = Readonly<Record<string, string | undefined>>;

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

/** Has kubectl read the configuration, and chooses from it as kubectl does for every other command. */
export async function readKubeconfig(connection: Connection, home: KubectlHome): Promise<Chosen> {
  const explicit = connection.kubeconfig || undefined;
  if (explicit !== undefined && !existsSync(explicit))
    throw clusterError(
      `stat ${printable(explicit)}: no such file or directory`,
      'check --kubeconfig: the file is not there',
    );
  const config = await view(explicit, home);
  const chosen = choose(config, connection, home.env);
  const bases = {
    cluster: hasRelativePath(chosen.cluster)
      ? await baseOf('clusters', chosen.clusterName, explicit, home)
      : '',
    user: hasRelativePath(chosen.user) ? await baseOf('users', chosen.userName, explicit, home) : '',
  };
  const flags = pathsOfFlags(connection);
  const absolute: Chosen = {
    ...chosen,
    cluster: { ...withAbsolutePaths(chosen.cluster, bases.cluster), ...flags.cluster },
    user: { ...withAbsolutePaths(chosen.user, bases.user), ...flags.user },
  };
  const problems = [...problemsOf(absolute, config)];
  if (problems.length > 0)
    throw clusterError(
      printable(`invalid configuration: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`),
      'kubectl refuses it too: see `kubectl config view`',
    );
  return isPlainDefault(absolute, connection, home.env)
    ? inCluster(absolute, connection, home.env)
    : absolute;
}

async function view(path: string | undefined, home: KubectlHome): Promise<Kubeconfig> {
  const flags = path === undefined ? [] : [`--kubeconfig=${path}`];
  const { status, stdout, stderr } = await askKubectl(
    ['config', 'view', '--raw', '-o', 'json', ...flags],
    home,
  );
  if (status !== 0) throw refusedByKubectl(stderr);
  return JSON.parse(stdout) as Kubeconfig;
}

/** kubectl's own words for why it would not. */
export const refusedByKubectl = (stderr: string, hint?: string): GkeprofError =>
  clusterError(
    printable(
      stderr
        .trim()
        .split('\n')
        .filter((line) => !/^[WIE]\d{4} /.test(line))
        .join(' ')
        .replace(/^error: /, '') || 'kubectl failed without a word',
    ),
    hint ?? 'kubectl says so: check --kubeconfig and KUBECONFIG',
  );

/** client-go's rules, tools/clientcmd/client_config.go: a flag that is not empty takes the place of a field. */
export function choose(config: Kubeconfig, connection: Connection, env: Environment): Chosen {
  const context = connection.context || config['current-context'] || '';
  const found = config.contexts?.find(({ name }) => name === context)?.context;
  const userName = connection.user || found?.user || '';
  const user = config.users?.find(({ name }) => name === userName)?.user;
  const clusterName = connection.cluster || found?.cluster || '';
  const cluster = config.clusters?.find(({ name }) => name === clusterName)?.cluster;
  const absent = (what: string, name: string, names: readonly string[]) =>
    clusterError(`${what} "${printable(name)}" does not exist`, `there is: ${names.join(', ') || 'none'}`);
  const namesOf = (list: ReadonlyArray<{ readonly name: string }> | null | undefined) =>
    (list ?? []).map(({ name }) => printable(name));
  if (connection.user && !user) throw absent('auth info', connection.user, namesOf(config.users));
  if (connection.context && !found) throw absent('context', connection.context, namesOf(config.contexts));
  if (connection.cluster && !cluster) throw absent('cluster', connection.cluster, namesOf(config.clusters));
  const merged = mergedCluster(cluster ?? {}, connection, env);
  return {
    context,
    isCurrent:
      context === (config['current-context'] ?? '') &&
      userName === (found?.user ?? '') &&
      clusterName === (found?.cluster ?? '') &&
      !connection.server,
    namespace: connection.namespace || found?.namespace || 'default',
    userName,
    clusterName,
    cluster: merged,
    user: mergedUser(user ?? {}, connection),
    server: serverUrl(merged.server),
  };
}

/** Where kubectl looks for a cluster when it is told nothing. */
export const DEFAULT_SERVER = 'http://localhost:8080';

function mergedCluster(
  entry: ClusterEntry,
  connection: Connection,
  env: Environment,
): ClusterEntry & { readonly server: string } {
  const { server, tlsServerName, insecureSkipTlsVerify, certificateAuthority, disableCompression } =
    connection;
  const {
    'tls-server-name': configuredName,
    'insecure-skip-tls-verify': configuredInsecure,
    'certificate-authority': configuredAuthority,
    'certificate-authority-data': configuredData,
    ...rest
  } = entry;
  // Another server has another name, and whoever says whom to trust means no other.
  const name = tlsServerName || server ? tlsServerName : configuredName;
  const trust =
    insecureSkipTlsVerify || certificateAuthority
      ? {
          ...(insecureSkipTlsVerify && { 'insecure-skip-tls-verify': true }),
          ...(certificateAuthority && { 'certificate-authority': certificateAuthority }),
        }
      : {
          ...(configuredInsecure && { 'insecure-skip-tls-verify': true }),
          ...(configuredAuthority && { 'certificate-authority': configuredAuthority }),
          ...(configuredData && { 'certificate-authority-data': configuredData }),
        };
  return {
    ...rest,
    server: server || entry.server || env.KUBERNETES_MASTER || DEFAULT_SERVER,
    ...(name && { 'tls-server-name': name }),
    ...trust,
    ...(disableCompression && { 'disable-compression': true }),
  };
}

const mergedUser = (entry: UserEntry, connection: Connection): UserEntry => ({
  ...entry,
  ...(connection.clientCertificate && { 'client-certificate': connection.clientCertificate }),
  ...(connection.clientKey && { 'client-key': connection.clientKey }),
  ...(connection.token && { token: connection.token }),
  ...(connection.username && { username: connection.username }),
  ...(connection.password && { password: connection.password }),
  ...(connection.as && { as: connection.as }),
  ...(connection.asUid && { 'as-uid': connection.asUid }),
  ...(connection.asGroups?.length && { 'as-groups': connection.asGroups }),
});

/** As client-go makes a URL of it, rest/url_utils.go: what has no scheme is a host and port, without TLS. */
function serverUrl(server: string): string {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(server);
  const text = isUrl ? server : `http://${server}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (!isUrl && url.pathname !== '/'))
    throw clusterError(
      `host must be a URL or a host:port pair: "${printable(server)}"`,
      "check --server, or the cluster's server in the kubeconfig",
    );
  if (url.username || url.password)
    throw clusterError(
      'the URL of the server has a user name or a password in it',
      'put them into the user of the kubeconfig',
    );
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`;
}

export const isTls = ({ server }: Pick<Chosen, 'server'>): boolean => server.startsWith('https:');

const CLUSTER_PATHS = ['certificate-authority'] as const;
const USER_PATHS = ['client-certificate', 'client-key', 'tokenFile'] as const;

const isRelative = (path: string | undefined): boolean => !!path && !isAbsolute(path);
/** A command with a separator is a path; any other is looked for on PATH. */
const isPath = (command: string | undefined): boolean => command?.includes(sep) === true;

function hasRelativePath(entry: ClusterEntry & UserEntry): boolean {
  const { exec } = entry;
  return (
    [...CLUSTER_PATHS, ...USER_PATHS].some((field) => isRelative(entry[field])) ||
    (isPath(exec?.command) && isRelative(exec?.command))
  );
}

function withAbsolutePaths<Entry extends ClusterEntry & UserEntry>(entry: Entry, base: string): Entry {
  const paths = [...CLUSTER_PATHS, ...USER_PATHS].flatMap((field) =>
    entry[field] ? [[field, resolvePath(base, entry[field])]] : [],
  );
  const { exec } = entry;
  return {
    ...entry,
    ...Object.fromEntries(paths),
    ...(exec && isPath(exec.command) && { exec: { ...exec, command: resolvePath(base, exec.command!) } }),
  };
}

/** Those of flags are relative to the working directory. */
const pathsOfFlags = ({ certificateAuthority, clientCertificate, clientKey }: Connection) => ({
  cluster: {
    ...(certificateAuthority && { 'certificate-authority': resolvePath(certificateAuthority) }),
  },
  user: {
    ...(clientCertificate && { 'client-certificate': resolvePath(clientCertificate) }),
    ...(clientKey && { 'client-key': resolvePath(clientKey) }),
  },
});

/** The folder of the file that an entry is from: of several files, the first that has one of that name counts. */
async function baseOf(
  list: 'clusters' | 'users',
  name: string,
  explicit: string | undefined,
  home: KubectlHome,
): Promise<string> {
  const { env } = home;
  const listed = [...new Set((env.KUBECONFIG ?? '').split(delimiter).filter(Boolean))];
  const standard = join(env.HOME || env.USERPROFILE || homedir(), '.kube', 'config');
  const files = explicit !== undefined ? [explicit] : env.KUBECONFIG ? listed : [standard];
  const present = files.filter((path) => existsSync(path));
  for (const path of present.slice(0, -1))
    if ((await view(path, home))[list]?.some((entry) => entry.name === name))
      return resolvePath(dirname(path));
  return resolvePath(dirname(present.at(-1) ?? '.'));
}

/** What client-go refuses before it asks anybody, tools/clientcmd/validation.go, in its words. */
function* problemsOf(chosen: Chosen, config: Kubeconfig): Generator<string> {
  const { context, cluster, clusterName, user, userName } = chosen;
  if (context && !config.contexts?.some(({ name }) => name === context))
    yield `context was not found for specified context: ${context}`;
  yield* problemsOfUser(user, userName);
  const proxy = cluster['proxy-url'];
  if (proxy) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(proxy)?.[1]?.toLowerCase() ?? '';
    if (!['http', 'https', 'socks5'].includes(scheme))
      yield `invalid 'proxy-url' "${proxy}" for cluster "${clusterName}": unsupported scheme "${scheme}", must be http, https, or socks5`;
    else if (!URL.canParse(proxy))
      yield `invalid 'proxy-url' "${proxy}" for cluster "${clusterName}": could not parse: ${proxy}`;
  }
  const authority = cluster['certificate-authority'];
  if (authority && cluster['certificate-authority-data'])
    yield `certificate-authority-data and certificate-authority are both specified for ${clusterName}. certificate-authority-data will override.`;
  if (authority && !isReadable(authority))
    yield `unable to read certificate-authority ${authority} for ${clusterName} due to open ${authority}: ${whyUnreadable(authority)}`;
}

function* problemsOfUser(user: UserEntry, name: string): Generator<string> {
  const certificate = user['client-certificate'];
  const key = user['client-key'];
  if (certificate || user['client-certificate-data']) {
    if (certificate && user['client-certificate-data'])
      yield `client-cert-data and client-cert are both specified for ${name}. client-cert-data will override.`;
    if (key && user['client-key-data'])
      yield `client-key-data and client-key are both specified for ${name}; client-key-data will override`;
    if (!key && !user['client-key-data'])
      yield `client-key-data or client-key must be specified for ${name} to use the clientCert authentication method.`;
    if (certificate && !isReadable(certificate))
      yield `unable to read client-cert ${certificate} for ${name} due to open ${certificate}: ${whyUnreadable(certificate)}`;
    if (key && !isReadable(key))
      yield `unable to read client-key ${key} for ${name} due to open ${key}: ${whyUnreadable(key)}`;
  }
  if (user.exec) yield* problemsOfExec(user.exec, name, user['auth-provider'] !== undefined);
  if (user.token && (user.username || user.password))
    yield `more than one authentication method found for ${name}; found [token basicAuth], only one is allowed`;
  const isImpersonating =
    user['as-uid'] || user['as-groups']?.length || Object.keys(user['as-user-extra'] ?? {}).length > 0;
  if (isImpersonating && !user.as)
    yield `requesting uid, groups or user-extra for ${name} without impersonating a user`;
}

function* problemsOfExec(exec: ExecEntry, name: string, hasProvider: boolean): Generator<string> {
  if (hasProvider) yield `authProvider cannot be provided in combination with an exec plugin for ${name}`;
  if (!exec.command) yield `command must be specified for ${name} to use exec authentication plugin`;
  if (!exec.apiVersion) yield `apiVersion must be specified for ${name} to use exec authentication plugin`;
  for (const variable of exec.env ?? [])
    if (!variable.name)
      yield `env variable name must be specified for ${name} to use exec authentication plugin`;
  if (!exec.interactiveMode)
    yield `interactiveMode must be specified for ${name} to use exec authentication plugin`;
  else if (!['Never', 'IfAvailable', 'Always'].includes(exec.interactiveMode))
    yield `invalid interactiveMode for ${name}: "${exec.interactiveMode}"`;
}

const isReadable = (path: string): boolean => whyUnreadable(path) === undefined;

function whyUnreadable(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'no such file or directory'
      : 'permission denied';
  }
}

/** Nothing was configured at all: then a pod's own service account counts, and without one kubectl's default. */
function isPlainDefault(chosen: Chosen, connection: Connection, env: Environment): boolean {
  const { cluster, user } = chosen;
  const standard = serverUrl(env.KUBERNETES_MASTER || DEFAULT_SERVER);
  return (
    chosen.server === standard &&
    !isTls(chosen) &&
    !cluster['proxy-url'] &&
    !cluster['disable-compression'] &&
    !user.as &&
    !parseTimeout(connection.requestTimeout || '0')
  );
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** client-go rest/config.go InClusterConfig, and the few flags that count there. */
export function inCluster(
  chosen: Chosen,
  connection: Connection,
  env: Environment,
  folder = SERVICE_ACCOUNT,
): Chosen {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  const tokenFile = join(folder, 'token');
  if (!host || !port || !existsSync(tokenFile)) return chosen;
  const server = serverUrl(connection.server || `https://${host.includes(':') ? `[${host}]` : host}:${port}`);
  const authority = connection.certificateAuthority
    ? resolvePath(connection.certificateAuthority)
    : [join(folder, 'ca.crt')].find((path) => existsSync(path));
  const own = readIfThere(join(folder, 'namespace'))?.trim();
  return {
    ...chosen,
    isCurrent: true,
    namespace:
      chosen.namespace !== 'default' || connection.namespace
        ? chosen.namespace
        : env.POD_NAMESPACE || own || 'default',
    cluster: { server, ...(authority && { 'certificate-authority': authority }) },
    user: connection.token ? { token: connection.token } : { tokenFile },
    server,
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
