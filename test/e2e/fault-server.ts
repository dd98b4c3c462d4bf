import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { execa } from 'execa';

/** An answer instead of the API server's own. */
export interface Refusal {
  readonly status: 401 | 429 | 500;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What becomes of the stream of a file after so many of its bytes. */
export interface FileFault {
  readonly after: number;
  readonly becomes: 'broken' | 'ended well' | 'silent';
}

/** Credentials of a user for the API server, which the client does not show to the server here. */
interface Upstream {
  readonly url: URL;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
}

/** The channels of `v5.channel.k8s.io`, in the first byte of each frame. */
const STDOUT = 1;
const STATUS = 3;

/**
 * An HTTPS server between a client and the API server: it reads the requests, so it can answer some of them itself, and end
 * a stream as if all had gone well.
 */
export class FaultServer {
  readonly #upstream: Upstream;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #streams = new Set<ServerResponse>();
  readonly #sockets = new Set<Duplex>();
  readonly #files = new Set<FileStream>();
  #refusal: Refusal | undefined;
  /** What is sent of files waits for this. */
  #let: Promise<void> = Promise.resolve();
  #goOn = () => {};
  #next: FileFault | undefined;
  /** What the client sends on the streams of files that are opened from now on waits for it: their remote ends are not told to begin. */
  mayAsk: Promise<void> = Promise.resolve();

  constructor(upstream: Upstream, identity: { readonly cert: Buffer; readonly key: Buffer }) {
    this.#upstream = upstream;
    this.#agent = new Agent({ keepAlive: true, ...upstream.tls });
    this.#server = createServer({ ...identity, ALPNProtocols: ['http/1.1'] }, (asked, answer) =>
      this.#forward(asked, answer),
    );
    this.#server.on('upgrade', (asked: IncomingMessage, client: Duplex, head: Buffer) =>
      this.#upgrade(asked, client, head),
    );
    this.#server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** While it is set, every request is answered with it. The streams of files that are open break. */
  set refusal(refusal: Refusal | undefined) {
    this.#refusal = refusal;
    if (refusal) for (const file of this.#files) file.break();
  }

  /** From now on no byte of a file is handed on, so that a copy is met. */
  holdFiles(): void {
    this.#let = new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  /** Hands on what was held. */
  handOnFiles(): void {
    this.#goOn();
  }

  /** Makes a fault for the stream of a file that is open, or else for the next one. */
  failFile(fault: FileFault): void {
    for (const file of this.#files) file.fault = fault;
    if (this.#files.size === 0) this.#next = fault;
  }

  /** Ends every log that is being followed, in the way that a server does which has nothing more to say. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await closed;
  }

  #forward(asked: IncomingMessage, answer: ServerResponse): void {
    if (this.refusal) {
      refuse(answer, this.refusal);
      return;
    }
    const { url, tls } = this.#upstream;
    const { method, headers, url: path } = asked;
    const forwarded = request(
      {
        host: url.hostname,
        port: url.port,
        method,
        path,
        headers: { ...headers, host: url.host },
        agent: this.#agent,
        ...tls,
      },
      (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        answer.flushHeaders();
        if (/[?&]follow=true/.test(path ?? '')) {
          this.#streams.add(answer);
          answer.on('close', () => this.#streams.delete(answer));
        }
        got.pipe(answer);
        got.on('error', () => answer.destroy());
      },
    );
    forwarded.on('error', () => answer.destroy());
    answer.on('close', () => forwarded.destroy());
    asked.pipe(forwarded);
  }

  #upgrade(asked: IncomingMessage, client: Duplex, head: Buffer): void {
    if (this.refusal) {
      const { status, reason, headers } = this.refusal;
      const body = statusText(this.refusal);
      const lines = Object.entries({
        ...headers,
        'content-type': 'application/json',
        'content-length': body.length,
      });
      client.end(
        `HTTP/1.1 ${status} ${reason}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}connection: close\r\n\r\n${body}`,
      );
      return;
    }
    const { url, tls } = this.#upstream;
    const server = connect({ host: url.hostname, port: Number(url.port), servername: 'kubernetes', ...tls });
    const { rawHeaders } = asked;
    const lines = rawHeaders
      .flatMap((name, at) =>
        at % 2 ? [] : [`${name}: ${/^host$/i.test(name) ? url.host : rawHeaders[at + 1]}`],
      )
      .join('\r\n');
    server.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${lines}\r\n\r\n`);
    server.write(head);
    if (/command=(?:tar|take|range)\b/.test(asked.url ?? '')) {
      void this.mayAsk.then(() => client.pipe(server));
      const file = new FileStream(server, client, () => this.#let);
      file.fault = this.#next;
      this.#next = undefined;
      this.#files.add(file);
      client.on('close', () => this.#files.delete(file));
    } else {
      client.pipe(server);
      server.pipe(client);
    }
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }
}

const statusText = ({ status, reason }: Refusal): string =>
  JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: reason,
    reason: reason.replaceAll(' ', ''),
    code: status,
  });

function refuse(answer: ServerResponse, refusal: Refusal): void {
  answer.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers });
  answer.end(statusText(refusal));
}

/** The stream of a file, which hands on the frames of a WebSocket (RFC 6455, 5.2) and can make a fault of it. */
class FileStream {
  readonly #server: Duplex;
  readonly #client: Duplex;
  fault: FileFault | undefined;

  constructor(server: Duplex, client: Duplex, mayGoOn: () => Promise<void>) {
    this.#server = server;
    this.#client = client;
    void this.#handOn(mayGoOn).catch(() => this.break());
  }

  /** Both ends see a connection that was closed. */
  break(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  async #handOn(mayGoOn: () => Promise<void>): Promise<void> {
    let waiting = Buffer.alloc(0);
    let isOpen = false;
    let got = 0;
    for await (const chunk of this.#server as AsyncIterable<Buffer>) {
      waiting = Buffer.concat([waiting, chunk]);
      if (!isOpen) {
        const end = waiting.indexOf('\r\n\r\n');
        if (end < 0) continue;
        this.#client.write(waiting.subarray(0, end + 4));
        waiting = waiting.subarray(end + 4);
        isOpen = true;
      }
      for (let frame = firstFrame(waiting); frame; frame = firstFrame(waiting)) {
        const { whole, payload } = frame;
        waiting = waiting.subarray(whole.length);
        // The line feed with which an early copy begins is not of the file.
        if (payload[0] === STDOUT && payload.length > 2) {
          await mayGoOn();
          const { after = Number.POSITIVE_INFINITY, becomes } = this.fault ?? {};
          const left = Math.max(0, after - got);
          got += payload.length - 1;
          if (payload.length - 1 > left) {
            if (left > 0)
              await new Promise((resolve) =>
                this.#client.write(frameOf(0x2, payload.subarray(0, 1 + left)), resolve),
              );
            if (becomes === 'ended well') this.#endWell();
            else if (becomes === 'broken') this.break();
            else await new Promise((resolve) => this.#client.once('close', resolve));
            return;
          }
        }
        this.#client.write(whole);
      }
    }
    this.#client.end();
  }

  /** Says that the command has succeeded, and closes: what kubectl sees when the end of a stream is lost. */
  #endWell(): void {
    const success = Buffer.from(`${String.fromCharCode(STATUS)}{"metadata":{},"status":"Success"}`);
    this.#client.write(frameOf(0x2, success));
    this.#client.end(frameOf(0x8, Buffer.from([0x03, 0xe8])), () => this.#server.destroy());
  }
}

/** The first frame of a server, which never masks; undefined if it is not complete yet. */
function firstFrame(bytes: Buffer): { readonly whole: Buffer; readonly payload: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const header = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < header) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < header + length) return undefined;
  return { whole: bytes.subarray(0, header + length), payload: bytes.subarray(header, header + length) };
}

function frameOf(opcode: number, payload: Buffer): Buffer {
  const length = payload.length;
  const header =
    length < 126
      ? Buffer.from([0x80 | opcode, length])
      : length < 2 ** 16
        ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, 127, 0, 0, 0, 0]), uint32(length)]);
  return Buffer.concat([header, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

let identity: Promise<{ readonly cert: Buffer; readonly key: Buffer }> | undefined;

/** A certificate for 127.0.0.1, made once. */
async function makeIdentity(): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-e2e-tls-'));
  try {
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const names = ['-subj', '/CN=kubernetes', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await execa('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...names,
      ...['-keyout', key, '-out', cert],
    ]);
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A server that shows the credentials of a kubeconfig to the API server, and a kubeconfig that leads to it. */
export async function throughServer(kubeconfig: string, path: string): Promise<FaultServer> {
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8'));
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const bytes = (base64: string) => Buffer.from(base64, 'base64');
  identity ??= makeIdentity();
  const own = await identity;
  const server = new FaultServer(
    {
      url: new URL(cluster.server),
      tls: {
        ca: bytes(cluster['certificate-authority-data']),
        cert: bytes(user['client-certificate-data']),
        key: bytes(user['client-key-data']),
      },
    },
    own,
  );
  cluster.server = `https://127.0.0.1:${await server.listen()}`;
  cluster['certificate-authority-data'] = own.cert.toString('base64');
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return server;
}
