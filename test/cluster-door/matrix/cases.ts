import { join } from 'node:path';
import type { Connection } from '../../../src/cluster/connection.ts';
import type { Pki } from './pki.ts';
import { BEFORE, jwt, LATER, type World } from './world.ts';

/** One way to configure a cluster and a user. */
export interface Case {
  readonly name: string;
  /** Files of the case's folder: objects are kubeconfigs, texts that begin with `#!` programs. */
  readonly files?: Readonly<Record<string, object | string>>;
  /** Beside HOME and PATH. KUBECONFIG is the file `config` where nothing else is said. */
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Connection;
  /** Where kubectl refuses: what it says, and what we say. */
  readonly refused?: RegExp;
  /** How often the credential plugin runs for kubectl's one call, and for all of ours together. */
  readonly plugin?: number;
  /** The client whose token is refreshed, once for each. */
  readonly refreshes?: string;
}

const one = (cluster: object, user: object = { token: 'secret' }, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster }],
  users: [{ name: 'u', user }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', ...more } }],
  'current-context': 'x',
});

/** Everything that can be written in a kubeconfig, in the environment and in flags, as far as kubectl makes a difference of it. */
export function casesOf({ ports }: World, pki: Pki, folderOf: (name: string) => string): Case[] {
  const url = (server: 'alpha' | 'beta' | 'gamma', host = '127.0.0.1') => `https://${host}:${ports[server]}`;
  const alpha = { server: url('alpha'), 'certificate-authority-data': pki.data('ca-alpha.crt') };
  const beta = { server: url('beta'), 'certificate-authority-data': pki.data('ca-beta.crt') };
  /** Only a proxy finds it. */
  const hidden = { ...alpha, server: url('alpha', 'alpha.test') };
  /** Reached on the loopback address, though it is none by its looks: the environment's proxies are for it. */
  const anywhere = { ...alpha, server: url('alpha', '0.0.0.0') };
  const config = (cluster: object, user?: object, more?: object) => ({ config: one(cluster, user, more) });
  const two = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'alpha', cluster: alpha },
      { name: 'beta', cluster: beta },
    ],
    users: [
      { name: 'alice', user: { token: 'of alice' } },
      { name: 'bob', user: { username: 'bob', password: 'b:ob' } },
    ],
    contexts: [
      { name: 'a', context: { cluster: 'alpha', user: 'alice' } },
      { name: 'b', context: { cluster: 'beta', user: 'bob' } },
    ],
    'current-context': 'a',
  };
  const file = (name: string, at: string) => join(folderOf(name), at);
  const proxy = (scheme: 'http' | 'https' | 'socks', login = '') =>
    `${scheme === 'socks' ? 'socks5' : scheme}://${login}127.0.0.1:${ports[scheme]}`;
  const certificate = {
    'client-certificate-data': pki.data('alice.crt'),
    'client-key-data': pki.data('alice.key'),
  };
  const V1 = 'client.authentication.k8s.io/v1';
  const plugin = (more: object = {}) => ({
    exec: { apiVersion: V1, command: './plugin', interactiveMode: 'IfAvailable', ...more },
  });
  const credential = (status: object | undefined, apiVersion = V1, before = '') =>
    `#!/bin/sh\n${before}printf '%s\\n' "$(printf %s "$KUBERNETES_EXEC_INFO") $*$GREETING" >>"\${0%/*}/plugin.log"\ncat <<'END'\n${JSON.stringify({ kind: 'ExecCredential', apiVersion, status })}\nEND\n`;
  const oidc = (client: string, config: object) => ({
    'auth-provider': {
      name: 'oidc',
      config: {
        'client-id': client,
        'client-secret': 's',
        'idp-issuer-url': `https://127.0.0.1:${ports.issuer}`,
        'idp-certificate-authority': pki.path('ca-alpha.crt'),
        ...config,
      },
    },
  });

  const cases: Case[] = [
    { name: 'a token', files: config(alpha) },
    {
      name: 'two files, each with a current context: the first one counts',
      files: { a: one(alpha, { token: 'of a' }), b: { ...two, 'current-context': 'b' } },
      env: { KUBECONFIG: 'a:b' },
    },
    {
      name: 'the second of two files, by its context',
      files: { a: one(alpha, { token: 'of a' }), b: two },
      env: { KUBECONFIG: 'a:b' },
      flags: { context: 'b' },
    },
    {
      name: 'a list with files that are missing, empty and twice there',
      files: { a: one(alpha) },
      env: { KUBECONFIG: 'missing::a:a:' },
    },
    {
      name: 'a user of two files: the first one counts, whole',
      files: { a: one(alpha, { token: 'first' }), b: one(beta, { token: 'second', as: 'eve' }) },
      env: { KUBECONFIG: 'a:b' },
    },
    {
      name: 'relative paths in the second of two files',
      files: {
        a: { ...two, 'current-context': '' },
        'sub/b': one({ server: url('beta'), 'certificate-authority': 'ca' }, { tokenFile: 'token' }),
        'sub/ca': pki.text('ca-beta.crt'),
        'sub/token': 'of the second\n',
      },
      env: { KUBECONFIG: 'a:sub/b' },
    },
    {
      name: 'merge keys of YAML',
      files: {
        config: `base: &base {token: merged}\napiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{name: c, cluster: ${JSON.stringify(alpha)}}]\nusers: [{name: u, user: {<<: *base, as: bob}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n`,
      },
    },
    { name: '~/.kube/config', files: { '.kube/config': one(beta) }, env: { KUBECONFIG: '' } },
    {
      name: 'paths relative to --kubeconfig',
      files: {
        'sub/k': one(
          { server: url('alpha'), 'certificate-authority': '../ca' },
          {
            'client-certificate': 'alice.crt',
            'client-key': 'alice.key',
          },
        ),
        ca: pki.text('ca-alpha.crt'),
        'sub/alice.crt': pki.text('alice.crt'),
        'sub/alice.key': pki.text('alice.key'),
      },
      flags: { kubeconfig: file('paths relative to --kubeconfig', 'sub/k') },
    },

    { name: 'tokenFile', files: { ...config(alpha, { tokenFile: 'token' }), token: ' from a file\n' } },
    {
      name: 'token and tokenFile',
      files: { ...config(alpha, { token: 'written', tokenFile: 'token' }), token: 'read' },
    },
    {
      name: 'token, and a tokenFile that is missing',
      files: config(alpha, { token: 'written', tokenFile: 'token' }),
    },
    {
      name: 'a tokenFile that is missing',
      files: config(alpha, { tokenFile: 'token' }),
      refused: /no such file/,
    },
    {
      name: '--token and tokenFile',
      files: { ...config(alpha, { tokenFile: 'token' }), token: 'read' },
      flags: { token: 'given' },
    },
    { name: '--token and a certificate', files: config(alpha, certificate), flags: { token: 'given' } },
    {
      name: '--token and a plugin',
      files: { ...config(alpha, plugin()), plugin: credential({ token: 't' }) },
      flags: { token: 'given' },
      plugin: 0,
    },
    { name: 'a certificate', files: config(alpha, certificate) },
    {
      name: 'a certificate of flags',
      files: config(alpha),
      flags: { clientCertificate: pki.path('bob.crt'), clientKey: pki.path('bob.key') },
    },
    {
      name: 'a certificate of flags, and one in the kubeconfig',
      files: config(alpha, certificate),
      flags: { clientCertificate: pki.path('bob.crt'), clientKey: pki.path('bob.key') },
      refused: /client-cert-data and client-cert are both specified for u\. client-cert-data will override/,
    },
    {
      name: 'a certificate without a key',
      files: config(alpha, { 'client-certificate-data': pki.data('alice.crt') }),
      refused: /client-key-data or client-key must be specified for u/,
    },
    {
      name: "a certificate with another one's key",
      files: config(alpha, { ...certificate, 'client-key-data': pki.data('bob.key') }),
      refused: /private key does not match|key values mismatch/,
    },
    { name: 'a user name and a password', files: config(alpha, { username: 'bob', password: 'b:öb' }) },
    {
      name: '--username and --password',
      files: config(alpha, certificate),
      flags: { username: 'bob', password: 'p' },
    },
    {
      name: 'a token and --username',
      files: config(alpha),
      flags: { username: 'bob' },
      refused: /more than one authentication method found for u; found \[token basicAuth\]/,
    },
    {
      name: 'no credentials',
      files: config(alpha, {}),
      refused: /^error: EOF|kubectl would ask for|has no credentials/,
    },

    {
      name: 'a password without a user name',
      files: config(alpha, { password: 'p' }),
      refused: /^error: EOF|has no credentials/,
    },
    {
      name: 'a user that is missing',
      files: { config: { ...one(alpha), users: [] } },
      refused: /^error: EOF|has no credentials/,
    },
    {
      name: 'a cluster that is missing',
      files: { config: { ...one(alpha), clusters: [] } },
      refused: /localhost:8080 was refused|ECONNREFUSED/,
    },
    {
      name: 'two users of one name',
      files: {
        config: { ...one(alpha), users: [1, 2].map((n) => ({ name: 'u', user: { token: `t${n}` } })) },
      },
      refused: /duplicate name "u" in list/,
    },

    {
      name: 'impersonation, all of it',
      files: config(alpha, {
        token: 'secret',
        as: 'bob',
        'as-uid': '7',
        'as-groups': ['dev', 'ops'],
        'as-user-extra': { 'acme.com/Project %': ['one', 'two'], scopes: ['view'] },
      }),
    },
    {
      name: 'impersonation by flags',
      files: config(alpha),
      flags: { as: 'bob', asUid: '7', asGroups: ['dev', 'ops,all'] },
    },
    {
      name: "groups by flags for the kubeconfig's impersonated user",
      files: config(alpha, { token: 't', as: 'bob', 'as-groups': ['dev'] }),
      flags: { asGroups: ['ops'] },
    },
    {
      name: 'a group to impersonate without a user',
      files: config(alpha),
      flags: { asGroups: ['dev'] },
      refused: /requesting uid, groups or user-extra for u without impersonating a user/,
    },

    { name: '--context', files: { config: two }, flags: { context: 'b' } },
    { name: '--cluster', files: { config: two }, flags: { cluster: 'beta' } },
    { name: '--user', files: { config: two }, flags: { user: 'bob' } },
    {
      name: '--context that is missing',
      files: { config: two },
      flags: { context: 'z' },
      refused: /context "z" does not exist/,
    },
    {
      name: '--cluster that is missing',
      files: { config: two },
      flags: { cluster: 'z' },
      refused: /cluster "z" does not exist/,
    },
    {
      name: '--user that is missing',
      files: { config: two },
      flags: { user: 'z' },
      refused: /auth info "z" does not exist/,
    },
    {
      name: 'a current context that is missing',
      files: { config: { ...two, 'current-context': 'z' } },
      refused: /context was not found for specified context: z/,
    },
    {
      name: '--server with the credentials of the context',
      files: config(alpha),
      flags: { server: url('beta'), certificateAuthority: pki.path('ca-beta.crt') },
    },
    {
      name: '--server and the authority of another',
      files: config(alpha),
      flags: { server: url('beta') },
      refused: /certificate/,
    },
    {
      name: 'a server without a scheme',
      files: config({ server: `127.0.0.1:${ports.plain}` }, { token: 't', as: 'bob' }),
    },
    {
      name: 'a server without TLS',
      files: config({ server: `http://127.0.0.1:${ports.plain}` }, { token: 't', as: 'bob' }),
    },
    {
      name: 'a server with a path',
      files: config({ ...alpha, server: `${alpha.server}/k8s/clusters/c-1/?a=b#c` }),
    },
    {
      name: 'a host with a path and no scheme',
      files: config({ server: 'host/path' }),
      refused: /host must be a URL or a host:port pair: "host\/path"/,
    },

    { name: 'no authority that is known', files: config({ server: url('alpha') }), refused: /certificate/ },
    {
      name: 'another authority',
      files: config({ ...alpha, 'certificate-authority-data': pki.data('ca-beta.crt') }),
      refused: /certificate/,
    },
    {
      name: 'an authority that is missing',
      files: config({ server: url('alpha'), 'certificate-authority': 'missing' }),
      refused:
        /unable to read certificate-authority .*missing for c due to open .*missing: no such file or directory/,
    },
    {
      name: 'an authority that is none',
      files: config({ ...alpha, 'certificate-authority-data': Buffer.from('x').toString('base64') }),
      refused: /unable to (?:load root certificates: unable to )?parse bytes as PEM block/,
    },
    {
      name: "the server's own certificate as the authority",
      files: config({ ...alpha, 'certificate-authority-data': pki.data('alpha.crt') }),
    },
    {
      name: 'a certificate with nothing but a common name',
      files: config({ server: url('gamma'), 'certificate-authority-data': pki.data('ca-gamma.crt') }),
      refused: /certificate relies on legacy Common Name field, use SANs instead|IP SANs/,
    },
    {
      name: 'insecure-skip-tls-verify',
      files: config({ server: url('gamma'), 'insecure-skip-tls-verify': true }),
    },
    {
      name: '--insecure-skip-tls-verify',
      files: config({ ...alpha, server: url('gamma') }),
      flags: { insecureSkipTlsVerify: true },
    },
    {
      name: 'insecure-skip-tls-verify and an authority',
      files: config({ ...alpha, 'insecure-skip-tls-verify': true }),
      refused: /specifying a root certificates file with the insecure flag is not allowed/,
    },
    { name: 'tls-server-name', files: config({ ...alpha, 'tls-server-name': 'alpha.test' }) },
    {
      name: 'another tls-server-name',
      files: config({ ...alpha, 'tls-server-name': 'beta.test' }),
      refused: /certificate/,
    },
    { name: '--tls-server-name with an address', files: config(alpha), flags: { tlsServerName: '0.0.0.0' } },
    {
      name: "--server leaves the kubeconfig's tls-server-name behind",
      files: config({ ...alpha, 'tls-server-name': 'beta.test' }),
      flags: { server: url('alpha', 'localhost') },
    },
    {
      name: "the system's authorities: SSL_CERT_FILE",
      files: config({ server: url('alpha') }),
      env: { SSL_CERT_FILE: pki.path('ca-alpha.crt') },
    },
    {
      name: "the system's authorities: SSL_CERT_DIR",
      files: { ...config({ server: url('beta') }), 'a/x': 'none', 'b/ca.pem': pki.text('ca-beta.crt') },
      env: {
        SSL_CERT_FILE: '/dev/null',
        SSL_CERT_DIR: `${file("the system's authorities: SSL_CERT_DIR", 'a')}:${file("the system's authorities: SSL_CERT_DIR", 'b')}`,
      },
    },

    { name: 'proxy-url: http', files: config({ ...hidden, 'proxy-url': proxy('http') }) },
    {
      name: 'proxy-url: http, with a login',
      files: config({ ...hidden, 'proxy-url': proxy('http', 'me:p%40ss@') }),
    },
    {
      name: 'proxy-url: http, which refuses',
      files: config({ ...hidden, 'proxy-url': proxy('http', 'nobody:x@') }),
      refused: /Proxy Authentication Required/,
    },
    { name: 'proxy-url: https', files: config({ ...hidden, 'proxy-url': proxy('https') }) },
    {
      name: 'proxy-url: https, of another authority',
      files: config({
        ...hidden,
        'certificate-authority-data': pki.data('ca-beta.crt'),
        'proxy-url': proxy('https'),
      }),
      refused: /certificate/,
    },
    {
      name: 'proxy-url: socks5, which looks the name up',
      files: config({ ...hidden, 'proxy-url': proxy('socks') }),
    },
    {
      name: 'proxy-url: socks5, with a login',
      files: config({ ...alpha, 'proxy-url': proxy('socks', 'me:p%40ss@') }),
    },
    {
      name: 'proxy-url: socks5, which refuses',
      files: config({ ...hidden, 'proxy-url': proxy('socks', 'nobody:x@') }),
      refused: /username\/password authentication failed|refused the user name and password/,
    },
    {
      name: 'proxy-url: a scheme that is unknown',
      files: config({ ...alpha, 'proxy-url': 'ftp://127.0.0.1:1' }),
      refused: /unsupported scheme "ftp", must be http, https, or socks5/,
    },
    {
      name: 'proxy-url without TLS',
      files: config({ server: `http://0.0.0.0:${ports.plain}`, 'proxy-url': proxy('http') }),
    },
    {
      name: 'proxy-url counts more than the environment',
      files: config({ ...alpha, 'proxy-url': proxy('socks') }),
      env: { HTTPS_PROXY: proxy('http'), NO_PROXY: '*' },
    },
    { name: 'HTTPS_PROXY', files: config(hidden), env: { HTTPS_PROXY: proxy('http') } },
    {
      name: 'https_proxy, a host and a port',
      files: config(hidden),
      env: { https_proxy: `127.0.0.1:${ports.http}` },
    },
    {
      name: 'HTTPS_PROXY counts more than https_proxy',
      files: config(hidden),
      env: { HTTPS_PROXY: proxy('https'), https_proxy: proxy('http') },
    },
    { name: 'HTTPS_PROXY: socks5', files: config(hidden), env: { HTTPS_PROXY: proxy('socks') } },
    {
      name: 'HTTPS_PROXY is not for localhost',
      files: config({ ...alpha, server: url('alpha', 'localhost') }),
      env: { HTTPS_PROXY: proxy('http') },
    },
    {
      name: 'HTTPS_PROXY is not for the loopback address',
      files: config(alpha),
      env: { HTTPS_PROXY: proxy('http') },
    },
    { name: 'HTTP_PROXY is not for https', files: config(anywhere), env: { HTTP_PROXY: proxy('http') } },
    {
      name: 'HTTP_PROXY is for http',
      files: config({ server: `http://0.0.0.0:${ports.plain}` }),
      env: { HTTP_PROXY: proxy('http') },
    },
    {
      name: 'HTTP_PROXY: socks5, for http',
      files: config({ server: `http://0.0.0.0:${ports.plain}` }),
      env: { HTTP_PROXY: proxy('socks') },
    },
    ...(
      [
        ['another name', 'other.test'],
        ['an address', '0.0.0.0'],
        ['a range', 'x,10.0.0.0/8, 0.0.0.0/8'],
        ['a range that it is not in', '10.0.0.0/8'],
        ['its port', `0.0.0.0:${ports.alpha}`],
        ['another port', '0.0.0.0:1'],
        ['everything', '*'],
      ] as const
    ).map(([what, value]) => ({
      name: `NO_PROXY with ${what}`,
      files: config(anywhere),
      env: { HTTPS_PROXY: proxy('http'), NO_PROXY: value },
    })),
    {
      name: 'no_proxy with a part of the name',
      files: config(hidden),
      env: { HTTPS_PROXY: proxy('http'), no_proxy: 'pha.test' },
    },

    {
      name: 'a plugin, by a path relative to the kubeconfig',
      files: { 'sub/k': one(alpha, plugin()), 'sub/plugin': credential({ token: 'plugged' }) },
      flags: { kubeconfig: file('a plugin, by a path relative to the kubeconfig', 'sub/k') },
      plugin: 1,
    },
    {
      name: 'a plugin with arguments and variables',
      files: {
        ...config(alpha, plugin({ args: ['get', '-t'], env: [{ name: 'GREETING', value: ' hi' }] })),
        plugin: credential({ token: 'plugged', expirationTimestamp: '2100-01-01T00:00:00Z' }),
      },
      plugin: 1,
    },
    {
      name: 'a plugin of v1beta1',
      files: {
        ...config(alpha, plugin({ apiVersion: `${V1}beta1` })),
        plugin: credential({ token: 'plugged' }, `${V1}beta1`),
      },
      plugin: 1,
    },
    {
      name: 'a plugin, and a token in the kubeconfig',
      files: { ...config(alpha, { ...plugin(), token: 't' }), plugin: credential({ token: 'plugged' }) },
      plugin: 0,
    },
    {
      name: 'a plugin, and a user name in the kubeconfig',
      files: {
        ...config(alpha, { ...plugin(), username: 'bob', password: 'p' }),
        plugin: credential({ token: 'plugged' }),
      },
      plugin: 0,
    },
    {
      name: 'a plugin of v1beta1 that says nothing of a terminal',
      files: {
        ...config(alpha, plugin({ apiVersion: `${V1}beta1`, interactiveMode: undefined })),
        plugin: credential({ token: 'plugged' }, `${V1}beta1`),
      },
      plugin: 1,
    },
    {
      name: 'a plugin of v1 that says nothing of a terminal',
      files: { ...config(alpha, plugin({ interactiveMode: undefined })), plugin: credential({ token: 't' }) },
      refused: /interactiveMode must be specified for u to use exec authentication plugin/,
    },
    {
      name: 'a plugin on PATH, whose own PATH is another',
      files: config(alpha, plugin({ command: 'false', env: [{ name: 'PATH', value: '/nowhere' }] })),
      refused: /getting credentials: exec: executable false failed with exit code 1/,
    },
    {
      name: 'a plugin that is told of the cluster',
      files: {
        ...config(
          {
            ...alpha,
            server: `${alpha.server}/p/`,
            'tls-server-name': 'alpha.test',
            'proxy-url': proxy('http'),
            extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'me' } }],
          },
          plugin({ provideClusterInfo: true }),
        ),
        plugin: credential({ token: 'plugged' }),
      },
      plugin: 1,
    },
    {
      name: 'a plugin with a certificate',
      files: {
        ...config(alpha, plugin()),
        plugin: credential({
          clientCertificateData: pki.text('bob.crt'),
          clientKeyData: pki.text('bob.key'),
        }),
      },
      plugin: 1,
    },
    {
      name: 'a plugin, and a certificate in the kubeconfig',
      files: { ...config(alpha, { ...certificate, ...plugin() }), plugin: credential({ token: 'plugged' }) },
      plugin: 0,
    },
    {
      name: 'a plugin with impersonation',
      files: { ...config(alpha, { ...plugin(), as: 'bob' }), plugin: credential({ token: 'plugged' }) },
      plugin: 1,
    },
    {
      name: 'a plugin for a server without TLS',
      files: {
        ...config({ server: `http://127.0.0.1:${ports.plain}` }, plugin()),
        plugin: credential({ token: 'plugged' }),
      },
      plugin: 0,
    },
    {
      name: 'a plugin that is not there',
      files: config(alpha, plugin({ installHint: '\nget it\n\tat example.test\n' })),
      refused: /getting credentials: exec: fork\/exec .*plugin: no such file or directory/,
    },
    {
      name: 'a plugin that is not on PATH',
      files: config(alpha, plugin({ command: 'gkeprof-no-such-plugin' })),
      refused: /getting credentials: exec: executable gkeprof-no-such-plugin not found/,
    },
    {
      name: 'a plugin that fails',
      files: { ...config(alpha, plugin()), plugin: '#!/bin/sh\nexit 3\n' },
      refused: /getting credentials: exec: executable .*plugin failed with exit code 3/,
    },
    {
      name: 'a plugin of a version that is unknown',
      files: {
        ...config(alpha, plugin({ apiVersion: 'client.authentication.k8s.io/v1alpha1' })),
        plugin: credential({}),
      },
      refused: /exec plugin: invalid apiVersion "client.authentication.k8s.io\/v1alpha1"/,
    },
    {
      name: 'a plugin that answers in another version',
      files: { ...config(alpha, plugin()), plugin: credential({ token: 't' }, `${V1}beta1`) },
      refused:
        /exec plugin is configured to use API version client.authentication.k8s.io\/v1, plugin returned version client.authentication.k8s.io\/v1beta1/,
    },
    {
      name: 'a plugin without a status',
      files: { ...config(alpha, plugin()), plugin: credential(undefined) },
      refused: /exec plugin didn't return a status field/,
    },
    {
      name: 'a plugin with half a certificate',
      files: { ...config(alpha, plugin()), plugin: credential({ clientCertificateData: 'x' }) },
      refused: /exec plugin returned only certificate or key, not both/,
    },
    {
      name: 'a plugin that asks, and no terminal',
      files: { ...config(alpha, plugin({ interactiveMode: 'Always' })), plugin: credential({ token: 't' }) },
      refused: /exec plugin cannot support interactive mode: standard input is not a terminal/,
    },
    {
      name: 'a plugin and a provider',
      files: config(alpha, { ...plugin(), ...oidc('both', {}) }),
      refused: /authProvider cannot be provided in combination with an exec plugin for u/,
    },

    { name: 'OpenID', files: config(alpha, oidc('valid', { 'id-token': jwt(LATER) })) },
    {
      name: 'OpenID, and a token',
      files: config(alpha, { ...oidc('token', { 'id-token': jwt(LATER) }), token: 't' }),
    },
    {
      name: 'OpenID, and a certificate',
      files: config(alpha, { ...oidc('certificate', { 'id-token': jwt(LATER) }), ...certificate }),
    },
    {
      name: 'OpenID for a server without TLS',
      files: config(
        { server: `http://127.0.0.1:${ports.plain}` },
        oidc('plain', { 'id-token': jwt(BEFORE) }),
      ),
    },
    {
      name: 'OpenID, expired',
      files: config(alpha, oidc('expired', { 'id-token': jwt(BEFORE), 'refresh-token': 'good' })),
      refreshes: 'expired',
    },
    {
      name: 'OpenID, without a token yet',
      files: config(alpha, { ...oidc('without', { 'refresh-token': 'good' }), as: 'bob' }),
      refreshes: 'without',
    },
    {
      name: 'OpenID, expired for good',
      files: config(alpha, oidc('for good', { 'id-token': jwt(BEFORE) })),
      refused: /No valid id-token, and cannot refresh without refresh-token/,
    },
    {
      name: 'OpenID, whose issuer refuses',
      files: config(alpha, oidc('refused', { 'id-token': jwt(BEFORE), 'refresh-token': 'bad' })),
      refused: /invalid_grant/,
    },
    {
      name: 'a provider that kubectl no longer has',
      files: config(alpha, { 'auth-provider': { name: 'gcp' } }),
      refused: /[Tt]he gcp auth plugin has been removed/,
    },
    {
      name: 'a provider that nobody knows',
      files: config(alpha, { 'auth-provider': { name: 'acme' } }),
      refused: /no Auth Provider found for name "acme"/,
    },

    {
      name: 'no kubeconfig, and KUBERNETES_MASTER',
      env: { KUBERNETES_MASTER: `http://127.0.0.1:${ports.plain}` },
    },
    { name: 'no kubeconfig, and --server', flags: { server: `http://127.0.0.1:${ports.plain}` } },
    {
      name: 'no kubeconfig',
      refused: /connection to the server localhost:8080 was refused|no kubeconfig was found/,
    },
    {
      name: 'a kubeconfig that is no YAML',
      files: { config: 'a: [' },
      refused: /error loading config file ".*": yaml: /,
    },
    {
      name: '--kubeconfig that is missing',
      flags: { kubeconfig: '/nonexistent/k' },
      refused: /stat \/nonexistent\/k: no such file or directory/,
    },
    { name: '--request-timeout with two units', files: config(alpha), flags: { requestTimeout: '1m30s' } },
    { name: '--request-timeout in seconds', files: config(alpha), flags: { requestTimeout: '90' } },
    { name: 'disable-compression', files: config({ ...alpha, 'disable-compression': true }) },
    { name: '--disable-compression', files: config(alpha), flags: { disableCompression: true } },
  ];
  return cases;
}
