import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { hostOf, portOf } from './go-proxy.ts';

/** The endpoint of a tunnel. */
export interface TunnelTarget {
  readonly host: string;
  readonly port: number;
}

/** Opens a tunnel through a proxy, which resolves the destination's name. `tls` applies to an https proxy. */
export async function openProxyTunnel(
  proxy: URL,
  destination: TunnelTarget,
  tls: ConnectionOptions,
  withinMs: number,
): Promise<Duplex> {
  const socket = await connected(proxy, tls, withinMs);
  try {
    const reader = new Reader(socket);
    if (/^socks5h?:$/.test(proxy.protocol)) await throughSocks(socket, reader, proxy, destination);
    else await throughHttp(socket, reader, proxy, destination);
    reader.release();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function connected(proxy: URL, tls: ConnectionOptions, withinMs: number): Promise<Socket> {
  const place = { host: hostOf(proxy), port: portOf(proxy) };
  return new Promise((resolve, reject) => {
    const isTls = proxy.protocol === 'https:';
    const socket = isTls ? connectTls({ ...tls, ...place }) : connect(place);
    const late = () => socket.destroy(new Error('timed out at the proxy'));
    socket.setTimeout(withinMs, late);
    socket.once('error', reject);
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      socket.off('error', reject);
      socket.setTimeout(0);
      socket.off('timeout', late);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Reads the answer of a proxy and not a byte more, because the following bytes come from the destination. */
class Reader {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #failed: Error | undefined;
  #wake: () => void = () => {};
  readonly #onReadable = () => this.#wake();
  readonly #onError = (error: Error) => {
    this.#failed = error;
    this.#wake();
  };
  readonly #onEnd = () => this.#onError(new Error('the proxy closed the connection'));

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('readable', this.#onReadable).on('error', this.#onError).on('end', this.#onEnd);
  }

  async bytes(count: number): Promise<Buffer> {
    await this.#until(() => this.#bytes.length >= count);
    return this.#take(count);
  }

  async through(mark: string): Promise<string> {
    await this.#until(() => this.#bytes.includes(mark));
    return this.#take(this.#bytes.indexOf(mark) + mark.length).toString('latin1');
  }

  release(): void {
    this.#socket.off('readable', this.#onReadable).off('error', this.#onError).off('end', this.#onEnd);
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes);
  }

  #take(count: number): Buffer {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  async #until(isThere: () => boolean): Promise<void> {
    for (;;) {
      const more = this.#socket.read() as Buffer | null;
      if (more) this.#bytes = Buffer.concat([this.#bytes, more]);
      if (isThere()) return;
      if (this.#failed) throw this.#failed;
      if (this.#bytes.length > 65_536) throw new Error('the answer of the proxy is too long');
      if (more) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const credentialsOf = (proxy: URL): readonly [user: string, password: string] | undefined =>
  proxy.username || proxy.password
    ? [decodeURIComponent(proxy.username), decodeURIComponent(proxy.password)]
    : undefined;

/** The authentication header for an HTTP proxy; empty where the URL has no user. */
export function proxyAuthorization(proxy: URL): Record<string, string> {
  const login = credentialsOf(proxy);
  return login ? { 'Proxy-Authorization': `Basic ${Buffer.from(login.join(':')).toString('base64')}` } : {};
}

/** CONNECT, RFC 9110 9.3.6. */
async function throughHttp(socket: Socket, reader: Reader, proxy: URL, { host, port }: TunnelTarget) {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const headers = Object.entries({ Host: place, ...proxyAuthorization(proxy) });
  socket.write(
    `CONNECT ${place} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
  );
  const head = await reader.through('\r\n\r\n');
  const [, status, words] = /^HTTP\/1\.\d (\d{3}) ?([^\r]*)/.exec(head) ?? [];
  if (status !== '200') throw new Error(`the proxy refused: ${words || status || 'no HTTP'}`);
}

const SOCKS_ERRORS: Readonly<Record<number, string>> = {
  1: 'general SOCKS server failure',
  2: 'connection not allowed by ruleset',
  3: 'network unreachable',
  4: 'host unreachable',
  5: 'connection refused',
  6: 'TTL expired',
  7: 'command not supported',
  8: 'address type not supported',
};

/** SOCKS 5, RFC 1928, with a user name and password where the URL has them, RFC 1929. */
async function throughSocks(socket: Socket, reader: Reader, proxy: URL, { host, port }: TunnelTarget) {
  const login = credentialsOf(proxy);
  socket.write(Buffer.from(login ? [5, 2, 0, 2] : [5, 1, 0]));
  const [version, method] = await reader.bytes(2);
  if (version !== 5) throw new Error('the proxy does not speak SOCKS 5');
  if (method === 2 && login) {
    const parts = login.map((text) => Buffer.from(text));
    socket.write(Buffer.concat([Buffer.from([1]), ...parts.map(withLength)]));
    const [, refused] = await reader.bytes(2);
    if (refused) throw new Error('the proxy refused the user name and password');
  } else if (method !== 0) throw new Error('the proxy offers no supported authentication method');
  const request = Buffer.concat([Buffer.from([5, 1, 0]), addressOf(host), Buffer.alloc(2)]);
  request.writeUInt16BE(port, request.length - 2);
  socket.write(request);
  const [, reply, , kind] = await reader.bytes(4);
  if (reply) throw new Error(`the proxy refused: ${SOCKS_ERRORS[reply] ?? `SOCKS error ${reply}`}`);
  const length = kind === 1 ? 4 : kind === 4 ? 16 : (await reader.bytes(1))[0]!;
  await reader.bytes(length + 2);
}

const withLength = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes]);

/** The SOCKS address: the bytes of an IP address, or a name, which the proxy resolves. */
function addressOf(host: string): Buffer {
  const kind = isIP(host);
  if (kind === 4) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (kind === 6) return Buffer.concat([Buffer.from([4]), bytesOfIpv6(host)]);
  return Buffer.concat([Buffer.from([3]), withLength(Buffer.from(host))]);
}

/** The bytes of an IPv6 address, which in a URL consists of hexadecimal groups only. */
function bytesOfIpv6(address: string): Buffer {
  const [head = [], tail] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...(tail ?? [])];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
