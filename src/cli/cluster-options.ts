import { type Connection, parseTimeout } from '../cluster/connection.ts';
import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec, OptionTable, RawOptions } from './option-spec.ts';
/** The group of the flags that are kubectl's own. */
export const CLUSTER = 'Cluster (as in kubectl):';
/** Flags of kubectl that are refused, because they could not mean the same here; each with the reason. */
export const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  'match-server-version':
    'it compares the version of kubectl with that of the API server, and this is another program',
  'warnings-as-errors': 'kubectl gkeprof does not read the warnings of the API server',
  profile: 'it profiles kubectl itself',
  'profile-output': 'it profiles kubectl itself',
  'log-flush-frequency': 'it controls the log of kubectl; to see what kubectl gkeprof does, use -v',
  vmodule: 'it controls the log of kubectl; to see what kubectl gkeprof does, use -v',
  kuberc: 'it names a file of defaults for the commands of kubectl, which have no meaning here',
};

const SWITCHES: ReadonlySet<string> = new Set(['match-server-version', 'warnings-as-errors']);

/** Flags that are taken but left out of the help of each verb; `options` lists them. Without a type they are strings. */
const unlisted = (specs: Readonly<Record<string, Partial<OptionSpec> & { describe: string }>>): OptionTable =>
  Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      { type: 'string', ...spec, group: CLUSTER, notPresettable: true, unlisted: true } as const,
    ]),
  );

/** The flags of kubectl. They cannot be preset here, because their defaults are in the kubeconfig. */
export const CLUSTER_OPTIONS: OptionTable = {
  namespace: {
    type: 'string',
    alias: 'n',
    describe: 'Namespace of the target',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'namespace',
  },
  context: {
    type: 'string',
    describe: 'Context of the kubeconfig to use',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'context',
  },
  kubeconfig: {
    type: 'string',
    describe: 'Path of the kubeconfig file',
    group: CLUSTER,
    value: 'FILE',
    notPresettable: true,
    completion: 'file',
  },
  cluster: {
    type: 'string',
    describe: 'Cluster of the kubeconfig to use',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'cluster',
  },
  user: {
    type: 'string',
    describe: 'User of the kubeconfig to use',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'user',
  },
  as: {
    type: 'string',
    describe: 'User to impersonate',
    group: CLUSTER,
    value: 'USER',
    notPresettable: true,
  },
  'as-group': {
    type: 'array',
    describe: 'Group to impersonate',
    group: CLUSTER,
    value: 'GROUP',
    notPresettable: true,
  },
  'request-timeout': {
    type: 'string',
    describe: 'Longest wait for one answer of the API server; 0 means no limit',
    group: CLUSTER,
    value: 'TIME',
    defaultText: '30s',
    notPresettable: true,
  },
  ...unlisted({
    'as-uid': { describe: 'UID to impersonate', value: 'UID' },
    server: { describe: 'Address of the API server', alias: 's', value: 'URL' },
    'tls-server-name': { describe: 'Name to expect in the certificate of the API server', value: 'NAME' },
    'insecure-skip-tls-verify': { describe: 'Accept any certificate of the API server', type: 'boolean' },
    'certificate-authority': {
      describe: 'File with the certificate authority of the API server',
      value: 'FILE',
      completion: 'file',
    },
    'client-certificate': {
      describe: 'File with the client certificate to log in with',
      value: 'FILE',
      completion: 'file',
    },
    'client-key': {
      describe: 'File with the key of the client certificate',
      value: 'FILE',
      completion: 'file',
    },
    token: { describe: 'Bearer token to log in with', value: 'TOKEN' },
    username: { describe: 'User name to log in with', value: 'NAME' },
    password: { describe: 'Password to log in with', value: 'PASSWORD' },
    'disable-compression': { describe: 'Ask the API server for uncompressed answers', type: 'boolean' },
    'cache-dir': { describe: 'Cache folder of kubectl', value: 'DIR', completion: 'folder' },
    ...Object.fromEntries(
      Object.entries(REFUSED_FLAGS).map(([name, describe]) => [
        name,
        { describe, ...(SWITCHES.has(name) && { type: 'boolean' as const }) },
      ]),
    ),
  }),
};

/** The connection that these flags describe. Throws a usage error for a flag that is refused. */
export function connectionOf(raw: RawOptions): Connection {
  for (const [name, reason] of Object.entries(REFUSED_FLAGS))
    if (raw.isTyped(name)) throw usageError(`--${name}: ${reason}`, 'leave the flag out');
  const timeout = raw.text('request-timeout');
  // kubectl's own words, client-go tools/clientcmd/helpers.go.
  if (timeout && parseTimeout(timeout) === undefined)
    throw usageError(
      `--request-timeout: Invalid timeout value "${printable(timeout)}". Timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)`,
    );
  const texts = {
    namespace: 'namespace',
    context: 'context',
    kubeconfig: 'kubeconfig',
    cluster: 'cluster',
    user: 'user',
    server: 'server',
    tlsServerName: 'tls-server-name',
    certificateAuthority: 'certificate-authority',
    clientCertificate: 'client-certificate',
    clientKey: 'client-key',
    token: 'token',
    username: 'username',
    password: 'password',
    as: 'as',
    asUid: 'as-uid',
    cacheDir: 'cache-dir',
    requestTimeout: 'request-timeout',
  } as const;
  const groups = raw.list('as-group');
  return {
    ...Object.fromEntries(
      Object.entries(texts).flatMap(([field, flag]) => {
        const value = raw.text(flag);
        return value === undefined || value === '' ? [] : [[field, value]];
      }),
    ),
    ...(groups.length > 0 && { asGroups: groups }),
    ...(raw.flag('insecure-skip-tls-verify') && { insecureSkipTlsVerify: true }),
    ...(raw.flag('disable-compression') && { disableCompression: true }),
  };
}
