import { FIN, type Layers, RST, SYN } from '../decode.ts';
import type { Streams } from '../streams.ts';
import { RedisConnection } from './connection.ts';
import { type Client, Ledger } from './ledger.ts';
import type { PatternRule } from './pattern.ts';
import { beginsCommand } from './request.ts';
import { Group } from './statistics.ts';

/** Redis, its TLS port by custom, Sentinel. */
const PORTS = new Set([6379, 6380, 26379]);

/** What is known of a stream; 0: nothing yet. */
const NOT = 1;
const TLS = 2;
const FOUND = 3;
const BEGAN = 4;

/** Segments that are looked at before a stream on any other port is left alone. */
const TRIES = 8;

export interface RedisOptions {
  readonly rules: readonly PatternRule[];
  readonly showKeys: boolean;
}

/** A TLS port, with its connections. */
export interface TlsServer {
  readonly address: number;
  readonly six: boolean;
  readonly port: number;
  connections: number;
}

/** Finds the connections that speak RESP, whatever their port, and has them read. */
export class Redis {
  readonly ledger: Ledger;
  /** TLS on ports of Redis: what is in it can't be read. */
  readonly tls = new Map<string, TlsServer>();
  readonly #streams: Streams;
  #state = new Uint8Array(256);
  #tries = new Uint8Array(256);
  /** By stream. */
  #connections: Array<RedisConnection | undefined> = [];
  /** Ended ones, to be used again. */
  readonly #free: RedisConnection[] = [];
  readonly #isKnown = (bytes: Uint8Array, at: number, length: number) =>
    this.ledger.commands.isKnown(bytes, at, length);

  constructor(
    { rules, showKeys }: RedisOptions,
    streams: Streams,
    answered: (at: number, latency: number | undefined) => void,
  ) {
    this.#streams = streams;
    this.ledger = new Ledger(rules, showKeys, answered);
  }

  /** Takes a segment of stream `row`; `now` in nanoseconds since the first packet. */
  add(row: number, fromA: boolean, layers: Layers, now: number): void {
    if (row >= this.#state.length) this.#room(row);
    const state = this.#state[row]!;
    if (state === NOT || state === TLS) return;
    const { flags, payload } = layers;
    if (state !== FOUND) {
      if (flags & SYN) this.#state[row] = BEGAN;
      if (payload <= 0) return;
      if (!this.#recognise(row, fromA, layers)) return;
    }
    const connection = this.#connections[row]!;
    // A reset carries no commands, and an acknowledgment only where it says so (RFC 9293, section 3.10.7.1).
    if (flags & RST) {
      this.#close(row, connection);
      return;
    }
    const { seq, ack, bytes, payloadAt, captured } = layers;
    const to = payloadAt + captured;
    const closes = (flags & FIN) !== 0;
    if (fromA === connection.clientIsA)
      connection.exchange.fromClient(seq, ack, bytes, payloadAt, to, payload, now, closes);
    else connection.exchange.fromServer(seq, ack, bytes, payloadAt, to, payload, now, closes);
    if (closes) connection.closed |= fromA ? 1 : 2;
    const isLast =
      closes && fromA === connection.clientIsA && connection.isDone((seq + payload + 1) | 0, ack);
    // Both sides are done, or the client is, with all its answers; and nothing is waiting for what came late.
    if (isLast || (connection.closed === 3 && connection.exchange.settled)) this.#close(row, connection);
  }

  end(): void {
    for (const connection of this.#connections) connection?.end();
    this.#connections = [];
  }

  #close(row: number, connection: RedisConnection): void {
    connection.end();
    this.#connections[row] = undefined;
    this.#free.push(connection);
    this.#state[row] = NOT;
  }

  #recognise(row: number, fromA: boolean, layers: Layers): boolean {
    const { bytes, payloadAt: at, captured, sport, dport } = layers;
    const end = at + captured;
    const customary = PORTS.has(sport) !== PORTS.has(dport);
    if (customary && isTls(bytes, at, end)) {
      this.#state[row] = TLS;
      this.#tlsServer(layers);
      return false;
    }
    const whole = this.#state[row] === BEGAN;
    // A began with a SYN, or has the port that is not the server's.
    const clientIsA = whole ? true : customary ? PORTS.has(fromA ? dport : sport) : fromA;
    const fromClient = fromA === clientIsA;
    const begins = fromClient && beginsCommand(bytes, at, end, this.#isKnown);
    if (!begins && !(whole && customary && fromClient)) {
      // In the middle of something, or a server that greets: the next ones will tell.
      this.#tries[row]! += 1;
      if (!customary && this.#tries[row]! >= TRIES) this.#state[row] = NOT;
      if (this.#tries[row] === 255) this.#state[row] = NOT;
      return false;
    }
    const client = this.#client(layers, fromClient);
    const connection = this.#free.pop() ?? new RedisConnection(this.ledger);
    const first = (ofA: boolean) => this.#streams.first(row, ofA);
    connection.open(client, clientIsA, whole && this.#tries[row] === 0, first(clientIsA), first(!clientIsA));
    // Without holes, which would make it a table of hashes.
    while (this.#connections.length < row) this.#connections.push(undefined);
    this.#connections[row] = connection;
    this.#state[row] = FOUND;
    return true;
  }

  #client({ version, src, dst, sport, dport }: Layers, fromClient: boolean): Client {
    const address = fromClient ? src : dst;
    const key = version === 6 ? address + 2 ** 32 : address;
    const { clients } = this.ledger.statistics;
    let group = clients.get(key);
    if (!group) {
      group = Object.assign(new Group(), { address, six: version === 6, number: clients.size });
      clients.set(key, group);
    }
    return { address, six: version === 6, port: fromClient ? sport : dport, number: group.number, group };
  }

  #tlsServer({ version, src, dst, sport, dport }: Layers): void {
    const toServer = PORTS.has(dport);
    const [address, port] = toServer ? [dst, dport] : [src, sport];
    const key = `${version} ${address} ${port}`;
    const server = this.tls.get(key);
    if (server) server.connections += 1;
    else this.tls.set(key, { address, six: version === 6, port, connections: 1 });
  }

  #room(row: number): void {
    const state = new Uint8Array(2 * Math.max(row, this.#state.length));
    state.set(this.#state);
    this.#state = state;
    const tries = new Uint8Array(state.length);
    tries.set(this.#tries);
    this.#tries = tries;
  }
}

/** A TLS record: handshake, application data or an alert, of version 3.x (RFC 8446, section 5.1). */
const isTls = (bytes: Uint8Array, at: number, end: number): boolean =>
  end - at >= 5 && bytes[at]! >= 20 && bytes[at]! <= 23 && bytes[at + 1] === 3 && bytes[at + 2]! <= 4;
