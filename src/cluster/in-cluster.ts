import { existsSync, readFileSync } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';
import { DEFAULT_SERVER, isTls, serverUrl } from './choose.ts';
import { type Connection, parseTimeout } from './connection.ts';
import type { Chosen } from './kubeconfig.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** True if nothing at all is configured: kubectl then uses the pod's service account, or its default without one. */
export function isPlainDefault(chosen: Chosen, connection: Connection, env: Environment): boolean {
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

/** The configuration of client-go's InClusterConfig (rest/config.go), and of the few flags that apply to it. */
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
