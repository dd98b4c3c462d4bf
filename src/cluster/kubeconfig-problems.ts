import { accessSync, constants } from 'node:fs';
import type { Chosen, ExecEntry, Kubeconfig, UserEntry } from './kubeconfig.ts';

/** The faults for which client-go rejects a kubeconfig before any request (tools/clientcmd/validation.go), with its texts. */
export function* problemsOf(chosen: Chosen, config: Kubeconfig): Generator<string> {
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
