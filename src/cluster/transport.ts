import {
  type AgentOptions,
  type ClientRequest,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
} from 'node:http';
import { Agent, type RequestOptions, request as tlsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { RequestContext } from '@kubernetes/client-node';
import { clusterError, reasonOf } from '../errors.ts';
import { checkIdentity, systemAuthorities } from './certificates.ts';
import { isTls } from './choose.ts';
import { hostOf, portOf, proxyFromEnvironment } from './go-proxy.ts';
import type { Chosen, UserEntry } from './kubeconfig.ts';
import { bytesOf, type Credentials } from './login.ts';
import { openProxyTunnel, proxyAuthorization, type TunnelTarget } from './tunnel.ts';

/** The options that apply to every call. */
export interface TransportOptions {
  /** The time limit of an answer, which starts when the credentials are known. */
  readonly timeoutMs: number;
  /** Headers in addition to those of the client and the kubeconfig. */
  readonly headers: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called before each call. */
  readonly credentials: () => Promise<Credentials>;
  /** Called when the server rejected the credentials. */
  readonly refused: () => void;
}

/** An answer with any status. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Idle connections are closed before load balancers and NAT gateways drop them (on GCP after at least 30 s). */
const IDLE_MS = 15_000;

/** How long an answer proves that its connection works. An agent reuses the connection that answered last. */
const JUST_MS = 1000;

/** Commands start with six parallel requests; with more connections the handshakes cost more time than they save. */
const AT_ONCE = 3;

const KEPT: AgentOptions = { keepAlive: true, timeout: IDLE_MS, maxSockets: AT_ONCE };

/**
 * Sends the requests of the Kubernetes client to the chosen cluster as kubectl would: with the user's credentials,
 * impersonation, certificates and proxy. It uses node:https, because the client's own transport (undici) is half of the code
 * that would be loaded before the first answer, and opens a connection for every call. Reads share connections. A request
 * that changes something uses a connection that has just answered, or a new one, so that it is neither lost with an idle
 * connection nor sent twice.
 */
export class Transport {
  readonly #chosen: Chosen;
  readonly #options: TransportOptions;
  readonly #proxy: URL | undefined;
  #kept: PlainAgent;
  readonly #fresh: PlainAgent;
  #answered = Number.NEGATIVE_INFINITY;
  readonly #waiting = new Set<ClientRequest>();
  #isClosed = false;
  #authorities: Promise<readonly (string | Buffer)[] | undefined> | undefined;
  #context: { readonly made: SecureContext; readonly of: Credentials } | undefined;

  constructor(chosen: Chosen, options: TransportOptions) {
    this.#chosen = chosen;
    this.#options = options;
    this.#proxy = proxyOf(chosen, options.env);
    this.#kept = this.#agent(KEPT);
    this.#fresh = this.#agent({});
  }

  /** Rejects with Node's error, which has a `code`, if the answer is missing or incomplete. */
  async send(call: RequestContext): Promise<HttpAnswer> {
    const credentials = await this.#options.credentials();
    const method = call.getHttpMethod().toString();
    // A SelfSubject…Review is sent with POST, but changes nothing.
    const isQuestion = method === 'GET' || /\/selfsubject\w*reviews$/.test(new URL(call.getUrl()).pathname);
    const { user, cluster } = this.#chosen;
    const secureContext = await this.#secureContext(credentials);
    const request: RequestOptions = {
      method,
      headers: {
        'Accept-Encoding': cluster['disable-compression'] ? 'identity' : 'gzip',
        ...call.getHeaders(),
        ...impersonation(user),
        ...(credentials.authorization && { Authorization: credentials.authorization }),
        ...this.#options.headers,
      },
      agent: isQuestion || Math.abs(Date.now() - this.#answered) < JUST_MS ? this.#kept : this.#fresh,
      ...(secureContext && { secureContext }),
    };
    const answer = await this.#exchange(call, request, isQuestion);
    this.#answered = Date.now();
    if (answer.status === 401) this.#options.refused();
    return answer;
  }

  /** Gives up every request: one that nobody waits for any more would keep the process until its time limit. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#waiting) request.destroy();
    this.#kept.destroy();
    this.#fresh.destroy();
  }

  #agent(options: AgentOptions): PlainAgent {
    const proxy = this.#proxy;
    const ofServer = { ...options, ...this.#peer(hostOf(new URL(this.#chosen.server))) };
    const secure = isTls(this.#chosen);
    if (!proxy) return secure ? new Agent(ofServer) : new PlainAgent(options);
    const ofProxy = this.#peer(hostOf(proxy));
    // Requests without TLS are sent to an HTTP proxy directly, without a tunnel.
    if (!secure && isHttp(proxy))
      return proxy.protocol === 'https:' ? new Agent({ ...options, ...ofProxy }) : new PlainAgent(options);
    const open: Open = (destination, { secureContext }) => {
      const tls = { ...ofProxy, ...(secureContext && { secureContext }) };
      return openProxyTunnel(proxy, destination, tls, this.#options.timeoutMs);
    };
    return secure ? new TunnelAgent(ofServer, open) : new PlainTunnelAgent(options, open);
  }

  /** The trusted authorities and the client certificate for the first TLS connection: to the server or to the proxy. */
  async #secureContext(credentials: Credentials): Promise<SecureContext | undefined> {
    if (isTls(this.#chosen)) {
      this.#authorities ??= this.#readAuthorities();
      return this.#contextOf(credentials, await this.#authorities);
    }
    return this.#proxy?.protocol === 'https:'
      ? this.#contextOf({}, systemAuthorities(this.#options.env))
      : undefined;
  }

  /**
   * How certificates are checked. These options belong to the agent, because requests with their own check share no
   * connections. A proxy's certificate is checked against the same tls-server-name as the server's, as in Go's net/http.
   */
  #peer(host: string): ConnectionOptions {
    const { cluster } = this.#chosen;
    const name = cluster['tls-server-name'] || host;
    return {
      rejectUnauthorized: !cluster['insecure-skip-tls-verify'],
      // An IP address is not sent as the server name (RFC 6066 3), but the certificate is still checked against it.
      servername: isIP(name) ? '' : name,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkIdentity(name, certificate),
    };
  }

  async #readAuthorities(): Promise<readonly (string | Buffer)[] | undefined> {
    const { cluster } = this.#chosen;
    const own = await bytesOf(cluster['certificate-authority-data'], cluster['certificate-authority']);
    const refused = (reason: string) =>
      clusterError(reason, "check the cluster's certificate-authority in the kubeconfig");
    if (cluster['insecure-skip-tls-verify']) {
      if (own) throw refused('specifying a root certificates file with the insecure flag is not allowed');
      return undefined;
    }
    if (!own) return systemAuthorities(this.#options.env);
    if (!own.includes('-----BEGIN CERTIFICATE-----'))
      throw refused('unable to load root certificates: unable to parse bytes as PEM block');
    return [own];
  }

  /** The context is made once for all connections, because it takes 3 ms, and again when the credentials change. */
  #contextOf(of: Credentials, authorities: readonly (string | Buffer)[] | undefined): SecureContext {
    const { certificate, key } = of;
    if (!this.#context || this.#context.of.certificate !== certificate || this.#context.of.key !== key)
      try {
        // Connections that were authenticated with the old certificate must not be reused.
        if (this.#context) this.#kept = this.#agent(KEPT);
        this.#context = {
          of,
          made: createSecureContext({
            ...(authorities && { ca: [...authorities] }),
            ...(certificate && { cert: certificate, key: key! }),
            // In Go every trusted certificate is a trust anchor, not only self-signed ones.
            allowPartialTrustChain: true,
          }),
        };
      } catch (error) {
        throw clusterError(
          `the certificates of the kubeconfig cannot be used: ${reasonOf(error)}`,
          'check certificate-authority, client-certificate and client-key',
          error,
        );
      }
    return this.#context.made;
  }

  #exchange(call: RequestContext, options: RequestOptions, again: boolean): Promise<HttpAnswer> {
    const { timeoutMs } = this.#options;
    const url = new URL(call.getUrl());
    // A proxy without a tunnel needs the whole URL.
    const by = url.protocol === 'http:' && this.#proxy && isHttp(this.#proxy) ? this.#proxy : undefined;
    const asked =
      by !== undefined
        ? {
            ...options,
            protocol: by.protocol,
            host: hostOf(by),
            port: portOf(by),
            path: url.href,
            headers: { ...options.headers, Host: url.host, ...proxyAuthorization(by) },
          }
        : { ...options, ...placeOf(url) };
    return new Promise<HttpAnswer>((resolve, reject) => {
      const request = (asked.protocol === 'http:' ? plainRequest : tlsRequest)(asked, (response) =>
        read(response).then(resolve, (error: NodeJS.ErrnoException) => reject(withErrorCode(error))),
      );
      const timer = setTimeout(
        () => request.destroy(new Error(`timed out after ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      this.#waiting.add(request);
      request.on('close', () => {
        clearTimeout(timer);
        this.#waiting.delete(request);
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The server has just closed the kept connection: https://nodejs.org/api/http.html#requestreusedsocket
        if (again && request.reusedSocket && error.code === 'ECONNRESET' && !this.#isClosed)
          this.#exchange(call, options, false).then(resolve, reject);
        else reject(withErrorCode(error));
      });
      request.end(call.getBody());
    });
  }
}

/** The proxy to the API server: that of the kubeconfig, else that of the environment. */
export function proxyOf(
  { cluster, server }: Pick<Chosen, 'cluster' | 'server'>,
  env: TransportOptions['env'],
): URL | undefined {
  const configured = cluster['proxy-url'];
  return configured ? new URL(configured) : proxyFromEnvironment(new URL(server), env);
}

const isHttp = (proxy: URL): boolean => /^https?:$/.test(proxy.protocol);

const placeOf = (url: URL) => ({
  protocol: url.protocol,
  host: hostOf(url),
  port: portOf(url),
  path: `${url.pathname}${url.search}`,
});

/** The headers for impersonation, as in client-go (transport/round_trippers.go): none without a user. */
function impersonation(user: UserEntry): Record<string, string | readonly string[]> {
  if (!user.as) return {};
  const extra = Object.entries(user['as-user-extra'] ?? {}).map(([key, values]) => [
    `Impersonate-Extra-${escapedKey(key)}`,
    values,
  ]);
  return {
    'Impersonate-User': user.as,
    ...(user['as-uid'] && { 'Impersonate-Uid': user['as-uid'] }),
    ...(user['as-groups']?.length && { 'Impersonate-Group': user['as-groups'] }),
    ...Object.fromEntries(extra),
  };
}

/** Percent-encodes `%` and the bytes that a header name must not contain. */
const escapedKey = (key: string): string =>
  [...Buffer.from(key)]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[!#$&'*+\-.^_`|~0-9A-Za-z]/.test(letter)
        ? letter
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');

/** Adds the error code to messages such as "socket hang up" and "aborted", which do not state the cause. */
function withErrorCode(error: NodeJS.ErrnoException): Error {
  if (!error.code || error.message.includes(error.code)) return error;
  return new Error(`${error.code}: ${error.message}`, { cause: error.cause });
}

async function read(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const whole = Buffer.concat(chunks);
  return {
    status: response.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: response.headers['content-encoding'] === 'gzip' ? await promisify(gunzip)(whole) : whole,
  };
}

type TunnelOptions = ConnectionOptions & { host?: string | null; port?: number | string | null };
type Open = (destination: TunnelTarget, options: ConnectionOptions) => Promise<Duplex>;
type Done = (error: Error | null, socket: Duplex) => void;

const openBy = (open: Open, options: TunnelOptions) =>
  open({ host: options.host ?? '', port: Number(options.port) }, options);

/** TLS within a tunnel. */
class TunnelAgent extends Agent {
  readonly #open: Open;

  constructor(options: AgentOptions, open: Open) {
    super(options);
    this.#open = open;
  }

  override createConnection(options: TunnelOptions, done?: Done): undefined {
    openBy(this.#open, options).then(
      (socket) => {
        // With these options `connect` would open a connection of its own beside the tunnel.
        const { host, port, path, ...tls } = options as TunnelOptions & { path?: string };
        done?.(null, connectTls({ ...tls, socket }));
      },
      (error: Error) => done?.(error, undefined as never),
    );
  }
}

/** A tunnel to a server without TLS. */
class PlainTunnelAgent extends PlainAgent {
  readonly #open: Open;

  constructor(options: AgentOptions, open: Open) {
    super(options);
    this.#open = open;
  }

  override createConnection(options: TunnelOptions, done?: Done): undefined {
    openBy(this.#open, options).then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as never),
    );
  }
}
