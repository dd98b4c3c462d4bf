import { type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent, type RequestOptions, request as tlsRequest } from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { KubeConfig, RequestContext } from '@kubernetes/client-node';

/** What is the same for every call. */
export interface TransportOptions {
  /** How long an answer may take, from the moment the credentials are there. */
  readonly timeoutMs: number;
  /** Added to what the client and the kubeconfig set. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What came back, whatever its status. Names of headers are in lower case. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Shorter than what load balancers and NAT gateways forget a silent connection after (GCP: 30 s at the least). */
const IDLE_MS = 15_000;

/** Longer ago than this, an answer says little of its connection. An agent takes the one that answered last. */
const JUST_MS = 1000;

/** Every command begins with six questions at once: more connections cost more in handshakes than they save in waiting. */
const AT_ONCE = 3;

/**
 * Sends what the Kubernetes client made of a call, with the kubeconfig's credentials, certificates and proxy. By
 * node:https, because the client's own transport (undici) is half of what would be loaded before the first answer, and
 * makes a connection for every call. Questions share connections; what changes something takes one that has just answered,
 * or a fresh one, so that it is never lost with an idle connection, and never sent twice.
 */
export class Transport {
  readonly #config: KubeConfig;
  readonly #options: TransportOptions;
  readonly #kept = new Agent({ keepAlive: true, timeout: IDLE_MS, maxSockets: AT_ONCE });
  readonly #fresh = new Agent();
  #answered = Number.NEGATIVE_INFINITY;
  #context: { readonly made: SecureContext; readonly of: string } | undefined;

  constructor(config: KubeConfig, options: TransportOptions) {
    this.#config = config;
    this.#options = options;
  }

  /** Rejects with Node's error (`code` says which) when there is no answer, or not all of it. */
  async send(call: RequestContext): Promise<Answer> {
    const login: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(login);
    const method = call.getHttpMethod().toString();
    // A review of one's rights, or of who one is, is a question that is posted.
    const isQuestion = method === 'GET' || /\/selfsubject\w*reviews$/.test(new URL(call.getUrl()).pathname);
    const request: RequestOptions & { secureContext?: SecureContext } = {
      ...login,
      method,
      headers: {
        'Accept-Encoding': 'gzip',
        ...call.getHeaders(),
        ...login.headers,
        ...this.#options.headers,
      },
    };
    // The kubeconfig's own agent is the one that knows the way through its proxy.
    if (!this.#config.getCurrentCluster()?.proxyUrl)
      request.agent = call.getUrl().startsWith('http:')
        ? undefined
        : isQuestion || Math.abs(Date.now() - this.#answered) < JUST_MS
          ? this.#kept
          : this.#fresh;
    request.secureContext = this.#contextOf(login);
    const answer = await this.#exchange(call, request, isQuestion);
    this.#answered = Date.now();
    return answer;
  }

  /** Certificates and key are read once for all connections, 3 ms each time, and again when the login has others. */
  #contextOf({ ca, cert, key, pfx, passphrase }: RequestOptions): SecureContext {
    const of = [ca, cert, key, pfx, passphrase].map(String).join();
    if (this.#context?.of !== of)
      this.#context = {
        of,
        made: createSecureContext({ ca, cert, key, pfx, passphrase } as SecureContextOptions),
      };
    return this.#context.made;
  }

  #exchange(call: RequestContext, options: RequestOptions, again: boolean): Promise<Answer> {
    const { timeoutMs } = this.#options;
    const url = new URL(call.getUrl());
    return new Promise<Answer>((resolve, reject) => {
      const request = (url.protocol === 'http:' ? plainRequest : tlsRequest)(url, options, (response) =>
        read(response).then(resolve, (error: NodeJS.ErrnoException) => reject(named(error))),
      );
      const timer = setTimeout(
        () => request.destroy(new Error(`timed out after ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      request.on('close', () => clearTimeout(timer));
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed the kept connection just then: https://nodejs.org/api/http.html#requestreusedsocket
        if (again && request.reusedSocket && error.code === 'ECONNRESET')
          this.#exchange(call, options, false).then(resolve, reject);
        else reject(named(error));
      });
      request.end(call.getBody());
    });
  }
}

/** Node says "socket hang up" and "aborted", and has what it means as a code. */
function named(error: NodeJS.ErrnoException): Error {
  if (!error.code || error.message.includes(error.code)) return error;
  return new Error(`${error.code}: ${error.message}`, { cause: error.cause });
}

async function read(response: IncomingMessage): Promise<Answer> {
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
