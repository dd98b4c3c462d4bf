import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** How often a slow connection hands on what it may, in milliseconds. */
const TICK_MS = 100;
/** What a slow connection hands on at full speed: kubectl gives up a handshake that takes more than ten seconds. */
const FAST_BYTES = 30_000;
/** The same of a connection that shares its speed with others: not much more than a handshake. */
const FAST_BYTES_SHARED = 8000;

/** One connection through the proxy: what came from either side and was not handed on yet. */
class Pair {
  readonly #proxy: FaultProxy;
  readonly #sides: readonly [Socket, Socket];
  #handedOn = 0;

  constructor(proxy: FaultProxy, client: Socket, server: Socket) {
    this.#proxy = proxy;
    this.#sides = [client, server];
    this.#handOn(client, server, () => Number.POSITIVE_INFINITY);
    this.#handOn(server, client, () => this.#allowed());
  }

  /** Both ends see a reset connection. */
  reset(): void {
    for (const side of this.#sides) side.resetAndDestroy();
  }

  /** How many bytes may go to the client at full speed, of a connection that shares its speed. */
  get #fastBytes(): number {
    return this.#proxy.isShared ? Math.max(0, FAST_BYTES_SHARED - this.#handedOn) : 0;
  }

  /** How many bytes may go to the client in one tick. */
  #allowed(): number {
    if (this.#fastBytes > 0) return this.#fastBytes;
    const { bytesPerSecond, isShared } = this.#proxy;
    return !isShared && this.#handedOn < FAST_BYTES ? FAST_BYTES : (bytesPerSecond * TICK_MS) / 1000;
  }

  #handOn(from: Socket, to: Socket, allowed: () => number): void {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    const closed = new Promise((resolve) => to.once('close', resolve));
    void (async () => {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < chunk.length; ) {
          await this.#proxy.open();
          const isFast = this.#fastBytes > 0;
          const most = Math.max(1, Math.floor(allowed()));
          const part = chunk.subarray(at, at + most);
          at += part.length;
          this.#handedOn += part.length;
          if (!to.write(part))
            await Promise.race([new Promise((resolve) => to.once('drain', resolve)), closed]);
          if (to.destroyed) return;
          if (isFast) continue;
          if (most < FAST_BYTES && this.#proxy.isShared) await this.#proxy.turn(part.length);
          else if (most < FAST_BYTES) {
            if (at < chunk.length) await delay(TICK_MS);
          } else if (Number.isFinite(most) && most !== FAST_BYTES)
            await delay((part.length / most) * TICK_MS);
        }
      }
      await this.#proxy.open();
      to.end();
    })().catch(() => to.destroy());
  }
}

/**
 * A TCP proxy between a client and the API server, which makes faults on command. TLS goes through it untouched, so it
 * cannot read or change anything.
 */
export class FaultProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  readonly #server: Server;
  #port = 0;
  #isHole = false;
  #filled: () => void = () => {};
  #hole: Promise<void> = Promise.resolve();
  /** The speed towards the client, of each connection. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  /** Whether all connections have that speed together. */
  isShared = false;
  /** When all bytes that were handed on so far have had their time, in milliseconds since the epoch. */
  #due = 0;
  /** How long a new connection waits until the server hears of it, in milliseconds. */
  openAfterMs = 0;

  constructor(url: URL) {
    this.#target = { host: url.hostname, port: Number(url.port) };
    this.#server = createServer({ allowHalfOpen: false }, async (client) => {
      client.on('error', () => {});
      if (this.openAfterMs > 0) await delay(this.openAfterMs);
      if (client.destroyed) return;
      const server = connect(this.#target);
      client.setNoDelay(true);
      server.setNoDelay(true);
      const pair = new Pair(this, client, server);
      this.#pairs.add(pair);
      client.on('close', () => this.#pairs.delete(pair));
    });
  }

  /** The port on 127.0.0.1: the same one each time. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return this.#port;
  }

  /** Resets every connection; new ones are taken. */
  reset(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  /** Resets every connection, and refuses new ones for so many milliseconds: an API server that restarts. */
  async away(ms: number): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
    await delay(ms);
    await this.listen();
  }

  /** Hands nothing on any more, in either direction, and says nothing about it: a network that is lost. */
  hole(): void {
    this.#isHole = true;
    this.#hole = new Promise((resolve) => {
      this.#filled = resolve;
    });
  }

  /** Hands on again, first what waited in the hole. */
  fill(): void {
    this.#isHole = false;
    this.#filled();
  }

  /** Resolves when the line has had the time that so many bytes take, after all those that came before them. */
  async turn(bytes: number): Promise<void> {
    // What a busy machine was late for is made up for.
    this.#due = Math.max(this.#due, Date.now() - 10 * TICK_MS) + (1000 * bytes) / this.bytesPerSecond;
    await delay(this.#due - Date.now());
  }

  /** Resolves when bytes may be handed on. */
  async open(): Promise<void> {
    while (this.#isHole) await this.#hole;
  }

  async close(): Promise<void> {
    this.fill();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }
}

/** A proxy, and a kubeconfig that leads through it with the credentials of another. */
export async function throughProxy(kubeconfig: string, path: string): Promise<FaultProxy> {
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8'));
  const [{ cluster }] = config.clusters;
  const proxy = new FaultProxy(new URL(cluster.server));
  cluster.server = `https://127.0.0.1:${await proxy.listen()}`;
  cluster['tls-server-name'] = 'kubernetes';
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return proxy;
}
