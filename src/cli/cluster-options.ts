import { type Connection, parseTimeout } from '../cluster/connection.ts';
import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec, OptionTable, RawOptions } from './option-spec.ts';
/** The group of the flags that are kubectl's own. */
export const CLUSTER = 'Cluster (as in kubectl):';
/** Flags of kubectl that would not mean here what they mean there, each with the reason. */
export const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  'match-server-version': "it compares kubectl's own version with the server's, and this is another program",
  'warnings-as-errors': 'warnings of the API server are not read here',
  profile: 'it profiles kubectl itself',
  'profile-output': 'it profiles kubectl itself',
  'log-flush-frequency': "it is about kubectl's own log; here -v shows what is done",
  vmodule: "it is about kubectl's own log; here -v shows what is done",
  kuberc: "it names a file of defaults for kubectl's commands, which are not followed here",
};

const SWITCHES: ReadonlySet<string> = new Set(['match-server-version', 'warnings-as-errors']);

/** Taken, but not in the help of every verb: `kubectl options` lists them. Without a type they are strings. */
const unlisted = (specs: Readonly<Record<string, Partial<OptionSpec> & { describe: string }>>): OptionTable =>
  Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [
      name,
      { type: 'string', ...spec, group: CLUSTER, notPresettable: true, unlisted: true } as const,
    ]),
  );

/** kubectl's own: what they should be by themselves stands in the kubeconfig, for kubectl and for us. */
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
    describe: 'Context of the kubeconfig',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'context',
  },
  kubeconfig: {
    type: 'string',
    describe: 'Kubeconfig file',
    group: CLUSTER,
    value: 'FILE',
    notPresettable: true,
    completion: 'file',
  },
  cluster: {
    type: 'string',
    describe: 'Cluster of the kubeconfig',
    group: CLUSTER,
    value: 'NAME',
    notPresettable: true,
    completion: 'cluster',
  },
  user: {
    type: 'string',
    describe: 'User of the kubeconfig',
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
    describe: 'Longest wait for one API answer; 0 for none',
    group: CLUSTER,
    value: 'TIME',
    defaultText: '30s',
    notPresettable: true,
  },
  ...unlisted({
    'as-uid': { describe: 'UID to impersonate', value: 'UID' },
    server: { describe: 'Address of the API server', alias: 's', value: 'URL' },
    'tls-server-name': { describe: "Name that the server's certificate has to have", value: 'NAME' },
    'insecure-skip-tls-verify': { describe: "Take any certificate of the server's", type: 'boolean' },
    'certificate-authority': {
      describe: "File with the authority that the server's certificate is from",
      value: 'FILE',
      completion: 'file',
    },
    'client-certificate': {
      describe: 'File with the certificate to log in with',
      value: 'FILE',
      completion: 'file',
    },
    'client-key': { describe: 'File with its key', value: 'FILE', completion: 'file' },
    token: { describe: 'Bearer token to log in with', value: 'TOKEN' },
    username: { describe: 'User name to log in with', value: 'NAME' },
    password: { describe: 'Password to log in with', value: 'PASSWORD' },
    'disable-compression': { describe: 'Ask for answers that are not compressed', type: 'boolean' },
    'cache-dir': { describe: "Folder of kubectl's cache", value: 'DIR', completion: 'folder' },
    ...Object.fromEntries(
      Object.entries(REFUSED_FLAGS).map(([name, describe]) => [
        name,
        { describe, ...(SWITCHES.has(name) && { type: 'boolean' as const }) },
      ]),
    ),
  }),
};

/** What they say together; a usage error where one would not mean what it means to kubectl. */
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
