import { createServer as createPlain, type IncomingMessage, request, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcp,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Pki } from './pki.ts';

/** What a server saw of one request: everything that says where it went, and as whom. */
export interface Seen {
  readonly server: string;
  readonly path: string;
  readonly authorization?: string;
  /** The common name of the client's certificate. */
  readonly certificate?: string;
  readonly impersonation: Readonly<Record<string, readonly string[]>>;
  /** Through which proxy, and what that was asked for. */
  readonly via?: string;
  readonly gzip: boolean;
}

export interface World {
  readonly ports: Readonly<
    Record<'alpha' | 'beta' | 'gamma' | 'plain' | 'http' | 'https' | 'socks' | 'issuer', number>
  >;
  /** All requests with this word in their path. */
  seen(word: string): Seen[];
  /** How often the issuer was asked for a token of this client. */
  refreshes(client: string): number;
  close(): void;
}

/** A token that is good until 2100, or was until 2001. */
export const jwt = (exp: number, about = ''): string =>
  ['{"alg":"none"}', JSON.stringify({ exp, about }), 'x']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');

export const LATER = 4_102_444_800;
export const BEFORE = 1_000_000_000;

/** Names that only proxies know: that they are looked up there is what counts. */
const KNOWN = ['alpha.test', 'beta.test', '0.0.0.0', '127.0.0.1', 'localhost'];

export async function startWorld(pki: Pki): Promise<World> {
  const all: Seen[] = [];
  const refreshed: string[] = [];
  /** By the ports of a proxy's connection to a server, for as long as it stands: ports are used again. */
  const proxied = new Map<string, string>();
  const ends = (from: number | undefined, to: number | undefined) => `${from} ${to}`;
  const open: Array<{ close(): unknown }> = [];
  const sockets = new Set<Socket>();

  const listening = async (server: Server | TcpServer): Promise<number> => {
    open.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const keys = (name: string) => ({ key: pki.text(`${name}.key`), cert: pki.text(`${name}.crt`) });

  const api = (server: string) => (asked: IncomingMessage, answer: import('node:http').ServerResponse) => {
    const peer = (asked.socket as TLSSocket).getPeerCertificate?.();
    const via = proxied.get(ends(asked.socket.remotePort, asked.socket.localPort)) ?? asked.headers['x-via'];
    const certificate = peer?.subject?.CN;
    all.push({
      server,
      path: asked.url!.replace(/^https?:\/\/[^/]+/, ''),
      ...(asked.headers.authorization && { authorization: asked.headers.authorization }),
      ...(certificate && { certificate: String(certificate) }),
      impersonation: impersonationOf(asked.rawHeaders),
      ...(via && { via: String(via) }),
      gzip: String(asked.headers['accept-encoding']).includes('gzip'),
    });
    asked.resume();
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 };
    answer
      .writeHead(404, { 'Content-Type': 'application/json' })
      .end(JSON.stringify({ ...status, message: 'reached' }));
  };
  const secure = (name: string) =>
    listening(
      createSecure(
        { ...keys(name), requestCert: true, rejectUnauthorized: false },
        api(name),
      ) as unknown as Server,
    );

  const onward = (port: number, name: string, ready: (upstream: Socket) => void): Socket => {
    const upstream = connect(port, '127.0.0.1', () => {
      const key = ends(upstream.localPort, port);
      proxied.set(key, name);
      upstream.on('close', () => proxied.delete(key));
      ready(upstream);
    });
    sockets.add(upstream);
    return upstream;
  };
  const joined = (a: Duplex, b: Duplex): void => {
    a.pipe(b).pipe(a);
    a.on('error', () => b.destroy()).on('close', () => b.destroy());
    b.on('error', () => a.destroy()).on('close', () => a.destroy());
  };

  /** A proxy of HTTP: CONNECT, and whole URLs. The user `nobody` is refused. */
  const asProxy = (name: string) => (server: Server) =>
    server
      .on('connect', (asked: IncomingMessage, socket: Duplex, head: Buffer) => {
        const { hostname, port } = new URL(`http://${asked.url}`);
        const login = asked.headers['proxy-authorization'] ?? '';
        if (login === `Basic ${Buffer.from('nobody:x').toString('base64')}`)
          return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
        if (!KNOWN.includes(hostname))
          return void socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
        const upstream = onward(Number(port), `${name} CONNECT ${asked.url} ${login}`, () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          upstream.write(head);
          joined(socket, upstream);
        });
        upstream.on('error', () => socket.destroy());
      })
      .on('request', (asked: IncomingMessage, answer: import('node:http').ServerResponse) => {
        const url = new URL(asked.url!);
        const headers = { ...asked.headers, host: url.host, 'x-via': `${name} ${asked.method} ${url.host}` };
        request({ host: '127.0.0.1', port: url.port, path: url.pathname, headers }, (real) => {
          answer.writeHead(real.statusCode!, real.headers);
          real.pipe(answer);
        }).end();
      });

  const socks = createTcp((socket) => {
    void (async () => {
      const take = reader(socket);
      const [, count] = await take(2);
      const methods = await take(count!);
      let login = '';
      if (methods.includes(2)) {
        socket.write(Buffer.from([5, 2]));
        const [, nameLength] = await take(2);
        const user = (await take(nameLength!)).toString();
        const password = (await take((await take(1))[0]!)).toString();
        login = `${user}:${password}`;
        socket.write(Buffer.from([1, user === 'nobody' ? 1 : 0]));
        if (user === 'nobody') return void socket.end();
      } else socket.write(Buffer.from([5, 0]));
      const [, , , kind] = await take(4);
      const host =
        kind === 3
          ? (await take((await take(1))[0]!)).toString()
          : [...(await take(kind === 1 ? 4 : 16))].join('.');
      const port = (await take(2)).readUInt16BE();
      const answer = (code: number) => socket.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
      if (!KNOWN.includes(host)) {
        answer(4);
        return void socket.end();
      }
      // As a name or as an address: a name that came as an address was not looked up here.
      const what = `socks ${kind === 3 ? 'name' : 'address'} ${host}:${port} ${login}`;
      const upstream = onward(port, what, () => {
        answer(0);
        joined(socket, upstream);
      });
    })().catch(() => socket.destroy());
  });

  const issuer = createSecure(keys('alpha'), (asked, answer) => {
    const url = `https://${asked.headers.host}`;
    const say = (status: number, body: object) =>
      answer.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    if (asked.method === 'GET') return void say(200, { issuer: url, token_endpoint: `${url}/token` });
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const basic = /^Basic (.*)$/.exec(asked.headers.authorization ?? '')?.[1];
      const client =
        form.get('client_id') ??
        Buffer.from(basic ?? '', 'base64')
          .toString()
          .split(':')[0]!;
      refreshed.push(client);
      if (form.get('refresh_token') !== 'good') return void say(400, { error: 'invalid_grant' });
      say(200, {
        access_token: 'a',
        token_type: 'bearer',
        id_token: jwt(LATER, 'refreshed'),
        refresh_token: 'next',
        expires_in: 3600,
      });
    });
  });

  const ports = {
    alpha: await secure('alpha'),
    beta: await secure('beta'),
    gamma: await secure('gamma'),
    plain: await listening(createPlain(api('plain'))),
    http: await listening(asProxy('http')(createPlain())),
    https: await listening(asProxy('https')(createSecure(keys('proxy')) as unknown as Server)),
    socks: await listening(socks),
    issuer: await listening(issuer as unknown as Server),
  };
  return {
    ports,
    seen: (word) => all.filter(({ path }) => path.includes(word)),
    refreshes: (client) => refreshed.filter((each) => each === client).length,
    close: () => {
      for (const server of open) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function impersonationOf(raw: readonly string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (name.startsWith('impersonate-')) found[name] = [...(found[name] ?? []), raw[at + 1]!];
  }
  return Object.fromEntries(Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Reads so many bytes of a socket, and leaves the rest. */
function reader(socket: Socket): (count: number) => Promise<Buffer> {
  return async (count) => {
    for (;;) {
      const chunk = socket.read(count) as Buffer | null;
      if (chunk) return chunk;
      if (socket.destroyed || socket.readableEnded) throw new Error('closed');
      await new Promise<void>((resolve) => {
        const done = () => {
          for (const event of ['readable', 'end', 'close']) socket.off(event, done);
          resolve();
        };
        for (const event of ['readable', 'end', 'close']) socket.once(event, done);
      });
    }
  };
}
