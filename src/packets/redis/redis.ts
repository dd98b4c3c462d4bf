import { FIN, type Layers, RST, SYN } from '../decode/decode.ts';
import type { Streams } from '../tcp/streams.ts';
import { Commands } from './commands.ts';
import { RedisConnection } from './connection.ts';
import { Opening, type Segment } from './opening.ts';
import { type PatternRule, Patterns } from './pattern.ts';
import { CommandRecorder, type ConnectionEnds } from './recorder.ts';
import { beginsCommand } from './request.ts';
import { type TlsPort, TlsPorts } from './tls.ts';

/** Memorystore with encryption, Redis, its usual TLS port, Sentinel. */
const PORTS = new Set([6378, 6379, 6380, 26379]);
/** Further ports on which TLS is assumed to be Redis: the usual port of a second server, and of a cluster's bus. */
const TLS_PORTS = new Set([...PORTS, 6381, 6382, 6383, 6384, 16379]);

/** What is known about a stream; 0: nothing yet. */
const NOT = 1;
const TLS = 2;
const FOUND = 3;
const BEGAN = 4;
const HELD = 5;

/** Segments that are looked at before a stream on any other port is left alone. */
const TRIES = 8;
/** How many bytes all streams together may hold back until it is known what they are. */
const MOST_HELD = 16 << 20;

export interface RedisOptions {
  readonly rules: readonly PatternRule[];
  readonly showKeys: boolean;
  /** Whether the user asked for Redis by name: then TLS on any port is reported, and also that no Redis was found. */
  readonly isRequested?: boolean;
}

/** Finds the connections that speak RESP on any port, and reads their commands and replies. */
export class Redis {
  readonly recorder: CommandRecorder;
  readonly isRequested: boolean;
  readonly #tls = new TlsPorts();
  readonly #streams: Streams;
  #state = new Uint8Array(256);
  #tries = new Uint8Array(256);
  /** By stream. */
  #connections: Array<RedisConnection | undefined> = [];
  /** Objects of connections that have ended, to be used again. */
  readonly #free: RedisConnection[] = [];
  /** Streams that may be Redis, with their segments until now. */
  readonly #openings = new Map<number, Opening>();
  #held = 0;
  readonly #isKnown = (bytes: Uint8Array, at: number, length: number) =>
    this.recorder.commands.isKnown(bytes, at, length);

  constructor(
    { rules, showKeys, isRequested = false }: RedisOptions,
    streams: Streams,
    answered: (at: number, latency: number | undefined) => void,
  ) {
    this.#streams = streams;
    this.isRequested = isRequested;
    this.recorder = new CommandRecorder(new Commands(), new Patterns(rules, showKeys), answered);
  }

  /** Ports with TLS, whose content can't be read. */
  get tls(): readonly TlsPort[] {
    return this.#tls.all;
  }

  /** Takes a segment of stream `row`; `now` in nanoseconds since the first packet. */
  add(row: number, fromA: boolean, layers: Layers, now: number): void {
    if (row >= this.#state.length) this.#room(row);
    const state = this.#state[row]!;
    if (state === NOT || state === TLS) return;
    if (state === HELD) {
      this.#extendHeld(row, fromA, layers, now);
      return;
    }
    if (state !== FOUND) {
      if (layers.flags & SYN) this.#state[row] = BEGAN;
      if (layers.payload <= 0) return;
      if (!this.#recognise(row, fromA, layers, now)) return;
    }
    this.#feed(row, fromA, layers, layers.payloadAt, layers.captured, now);
  }

  end(): void {
    for (const [row, opening] of this.#openings)
      if (this.#isServer(opening.ends)) this.#openHeld(row, opening);
    this.#openings.clear();
    for (const connection of this.#connections) connection?.end();
    this.#connections = [];
  }

  #feed(
    row: number,
    fromA: boolean,
    { flags, seq, ack, bytes, payload }: Pick<Segment, 'flags' | 'seq' | 'ack' | 'bytes' | 'payload'>,
    at: number,
    captured: number,
    now: number,
  ): void {
    const connection = this.#connections[row];
    if (!connection) return;
    // A reset carries no commands, and an acknowledgment only where it says so (RFC 9293, section 3.10.7.1).
    if (flags & RST) {
      this.#close(row, connection);
      return;
    }
    const to = at + captured;
    const closes = (flags & FIN) !== 0;
    if (fromA === connection.clientIsA)
      connection.exchange.fromClient(seq, ack, bytes, at, to, payload, now, closes);
    else connection.exchange.fromServer(seq, ack, bytes, at, to, payload, now, closes);
    if (closes) connection.closed |= fromA ? 1 : 2;
    const isLast =
      closes && fromA === connection.clientIsA && connection.isDone((seq + payload + 1) | 0, ack);
    if (connection.account.disproved) this.#disproved(row, connection);
    // Both sides have finished, or the client has and got all its replies; and nothing waits for a late segment.
    else if (isLast || (connection.closed === 3 && connection.exchange.settled)) this.#close(row, connection);
  }

  /** The supposed commands were part of a value. On a port that is not Redis's, the value may even be the server's. */
  #disproved(row: number, connection: RedisConnection): void {
    const { account } = connection;
    const { ends } = account;
    account.disproved = false;
    if (PORTS.has(ends.serverPort) || this.#isServer(ends)) return;
    this.#connections[row] = undefined;
    this.#free.push(connection);
    this.#state[row] = 0;
  }

  #close(row: number, connection: RedisConnection): void {
    connection.end();
    this.#connections[row] = undefined;
    this.#free.push(connection);
    this.#state[row] = NOT;
  }

  #recognise(row: number, fromA: boolean, layers: Layers, now: number): boolean {
    const { bytes, payloadAt: at, captured, sport, dport } = layers;
    const end = at + captured;
    const isUsualPort = PORTS.has(sport) !== PORTS.has(dport);
    if (this.#isTls(row, fromA, layers)) {
      this.#state[row] = TLS;
      return false;
    }
    const whole = this.#state[row] === BEGAN;
    // A began with a SYN, or has the port that is not the server's.
    const clientIsA = whole ? true : isUsualPort ? PORTS.has(fromA ? dport : sport) : fromA;
    const fromClient = fromA === clientIsA;
    const begins = fromClient && beginsCommand(bytes, at, end, this.#isKnown);
    const ends = endsOf(layers, fromClient);
    if (!begins && !(whole && fromClient && (isUsualPort || this.#isServer(ends)))) {
      if (whole && fromClient && this.#tries[row] === 0) {
        const opening = new Opening(ends, this.#isKnown);
        if (opening.add(fromA, layers, now) && this.#held + opening.size <= MOST_HELD) {
          this.#held += opening.size;
          this.#openings.set(row, opening);
          this.#state[row] = HELD;
          return false;
        }
      }
      // It is the middle of a message or a greeting of the server: the next segments will tell.
      this.#tries[row]! += 1;
      if (!isUsualPort && this.#tries[row]! >= TRIES) this.#state[row] = NOT;
      if (this.#tries[row] === 255) this.#state[row] = NOT;
      return false;
    }
    this.#open(row, ends, clientIsA, whole, whole && this.#tries[row] === 0);
    return true;
  }

  /** `began`: the SYN is in the capture; `whole`: no data was sent before this. */
  #open(row: number, ends: ConnectionEnds, clientIsA: boolean, began: boolean, whole: boolean): void {
    const connection = this.#free.pop() ?? new RedisConnection(this.recorder);
    const first = (ofA: boolean) => this.#streams.first(row, ofA);
    connection.open(ends, clientIsA, began, whole, first(clientIsA), first(!clientIsA));
    // An array with holes would become a slow dictionary in V8.
    while (this.#connections.length < row) this.#connections.push(undefined);
    this.#connections[row] = connection;
    this.#state[row] = FOUND;
  }

  /** One more segment of a stream that may be Redis. */
  #extendHeld(row: number, fromA: boolean, layers: Layers, now: number): void {
    const opening = this.#openings.get(row)!;
    const before = opening.size;
    const goesOn = opening.add(fromA, layers, now);
    this.#held += opening.size - before;
    if (opening.isRedis || this.#isServer(opening.ends)) {
      this.#openHeld(row, opening);
      this.#openings.delete(row);
    } else if (!goesOn || this.#held > MOST_HELD) {
      this.#held -= opening.size;
      this.#openings.delete(row);
      // A stream may begin with a greeting, as from a proxy, and be Redis after that.
      this.#state[row] = BEGAN;
      this.#tries[row] = 1;
    }
  }

  #openHeld(row: number, { ends, segments, size }: Opening): void {
    this.#held -= size;
    this.#open(row, ends, true, true, true);
    for (const segment of segments)
      this.#feed(row, segment.fromA, segment, 0, segment.bytes.length, segment.now);
  }

  #isServer({ server, six, serverPort }: ConnectionEnds): boolean {
    return this.recorder.isServer(server, six, serverPort);
  }

  #isTls(row: number, fromA: boolean, layers: Layers): boolean {
    const { bytes, payloadAt: at, captured, sport, dport } = layers;
    if (!isTlsRecord(bytes, at, at + captured)) return false;
    const ofRedis = TLS_PORTS.has(sport) !== TLS_PORTS.has(dport);
    if (!ofRedis && !this.isRequested) return false;
    // A hello is the client's; without one the server is the one with the port of Redis, or the lower one.
    const fromClient =
      this.#state[row] === BEGAN
        ? fromA
        : ofRedis
          ? TLS_PORTS.has(dport)
          : isHello(bytes, at) || dport < sport;
    this.#tls.add(endsOf(layers, fromClient), ofRedis);
    return true;
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

const endsOf = ({ version, src, dst, sport, dport }: Layers, fromClient: boolean): ConnectionEnds => ({
  six: version === 6,
  client: fromClient ? src : dst,
  clientPort: fromClient ? sport : dport,
  server: fromClient ? dst : src,
  serverPort: fromClient ? dport : sport,
});

/** A TLS record: handshake, application data or an alert, of version 3.x (RFC 8446, section 5.1). */
const isTlsRecord = (bytes: Uint8Array, at: number, end: number): boolean =>
  end - at >= 5 && bytes[at]! >= 20 && bytes[at]! <= 23 && bytes[at + 1] === 3 && bytes[at + 2]! <= 4;

/** The first record of a client: a handshake that begins with a ClientHello (RFC 8446, section 4). */
const isHello = (bytes: Uint8Array, at: number): boolean => bytes[at] === 22 && bytes[at + 5] === 1;
