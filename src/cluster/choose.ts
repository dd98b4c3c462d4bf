import { clusterError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { Connection } from './connection.ts';
import type { Chosen, ClusterEntry, Kubeconfig, UserEntry } from './kubeconfig.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Follows client-go (tools/clientcmd/client_config.go): a flag that is not empty replaces the field of the kubeconfig. */
export function choose(config: Kubeconfig, connection: Connection, env: Environment): Chosen {
  const context = connection.context || config['current-context'] || '';
  const found = config.contexts?.find(({ name }) => name === context)?.context;
  const userName = connection.user || found?.user || '';
  const user = config.users?.find(({ name }) => name === userName)?.user;
  const clusterName = connection.cluster || found?.cluster || '';
  const cluster = config.clusters?.find(({ name }) => name === clusterName)?.cluster;
  const absent = (what: string, name: string, names: readonly string[]) =>
    clusterError(
      `${what} "${printable(name)}" does not exist`,
      names.length > 0 ? `the kubeconfig has: ${names.join(', ')}` : `the kubeconfig has no ${what}`,
    );
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

/** Where kubectl looks for a cluster when no kubeconfig names one. */
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
  // The configured TLS name belongs to the configured server, and a flag about trust replaces all configured trust.
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

/** The URL that client-go makes of the text (rest/url_utils.go): a text without a scheme is host:port, without TLS. */
export function serverUrl(server: string): string {
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
      'the URL of the server contains a user name or a password',
      'put them in the user entry of the kubeconfig',
    );
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`;
}

export const isTls = ({ server }: Pick<Chosen, 'server'>): boolean => server.startsWith('https:');
