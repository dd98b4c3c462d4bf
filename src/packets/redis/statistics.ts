import { Durations } from '../durations.ts';
import { Combinations } from './combinations.ts';
import { errorKind, isKnownKind } from './error-kind.ts';
import { GroupTable } from './group-table.ts';

/** One command that stands out. */
export interface Notable {
  /** Bytes, or nanoseconds. */
  readonly value: number;
  readonly command: string;
  /** The pattern of its first key; empty where it has none. */
  readonly key: string;
  /** Numbers of Addresses. */
  readonly client: number;
  readonly six: boolean;
  readonly clientPort: number;
  /** Nanoseconds since the first packet. */
  readonly at: number;
}

const NOTABLE = 20;
/** At most this many kinds of errors that Redis itself does not have are counted separately. */
const MOST_CUSTOM_KINDS = 10;

/** The largest of many, in order. */
export class Largest {
  readonly all: Notable[] = [];
  /** The smallest value that is still listed, once the list is full. */
  least = 0;

  add(notable: Notable): void {
    let at = this.all.length;
    while (at > 0 && this.all[at - 1]!.value < notable.value) at -= 1;
    this.all.splice(at, 0, notable);
    if (this.all.length > NOTABLE) this.all.pop();
    if (this.all.length === NOTABLE) this.least = this.all[NOTABLE - 1]!.value;
  }
}

/** A redirection by a cluster node to another node. */
export interface Redirect {
  readonly kind: 'MOVED' | 'ASK';
  readonly to: string;
  count: number;
}

const COUNTERS = [
  'connections',
  'joined',
  'gaps',
  'desyncs',
  'unanswered',
  'unmatchedReplies',
  'replication',
  'behindCut',
] as const;

/** Everything that is counted about Redis in a capture. */
export class RedisStatistics {
  /** By the number of the command, and of the pattern. */
  readonly commands = new GroupTable();
  readonly patterns = new GroupTable();
  /** By `clientKey`. */
  readonly clients = new GroupTable();
  /** By `serverKey`, and by row how many connections each had. */
  readonly servers = new GroupTable();
  readonly serverConnections: number[] = [];
  readonly combinations = new Combinations();
  readonly errors = new Map<string, number>();
  readonly #customKinds = new Set<string>();
  readonly redirects = new Map<string, Redirect>();
  readonly slowest = new Largest();
  readonly biggestRequests = new Largest();
  readonly biggestReplies = new Largest();
  /** Times of blocking commands, which wait by their nature. */
  readonly blocking = new Durations();
  /** MULTI … EXEC that ran, were discarded, or were refused. */
  readonly transactions = { executed: 0, discarded: 0, aborted: 0, commands: 0 };
  readonly pubsub = { messages: 0, messageBytes: 0, published: 0, subscriptions: 0 };
  connections = 0;
  /** Connections that began before the capture. */
  joined = 0;
  /** Bytes that are missing in the capture, and how often the position of commands or replies was lost because of that. */
  gaps = 0;
  desyncs = 0;
  /** Commands without a reply, and replies without a command. */
  unanswered = 0;
  unmatchedReplies = 0;
  replication = 0;
  /** Packets that were cut off within a command and contained more commands after it. */
  behindCut = 0;
  /** The most commands of one connection that waited for their replies at once. */
  deepest = 0;

  /** Of all commands that do not block: each is counted with its own kind already. */
  get latency(): Durations {
    const all = new Durations();
    for (const { latency } of this.commands) all.merge(latency);
    return all;
  }

  /** Takes over what another one has counted. */
  merge(other: RedisStatistics): void {
    this.commands.merge(other.commands);
    this.patterns.merge(other.patterns);
    this.clients.merge(other.clients);
    this.servers.merge(other.servers);
    for (const [row, key] of other.servers.keys.entries())
      this.addConnections(this.servers.rowOf(key), other.serverConnections[row]!);
    const clients = other.clients.keys.map((key) => this.clients.rowOf(key));
    for (const { client, command, pattern, calls } of other.combinations)
      this.combinations.add(clients[client]!, command, pattern, calls);
    this.combinations.left += other.combinations.left;
    for (const [kind, count] of other.errors) {
      const shown = isKnownKind(kind) || kind === '(others)' || this.#isCustomKind(kind) ? kind : '(others)';
      this.errors.set(shown, (this.errors.get(shown) ?? 0) + count);
    }
    for (const [key, redirect] of other.redirects) {
      const known = this.redirects.get(key);
      if (known) known.count += redirect.count;
      else this.redirects.set(key, redirect);
    }
    for (const list of ['slowest', 'biggestRequests', 'biggestReplies'] as const)
      for (const each of other[list].all) if (each.value > this[list].least) this[list].add(each);
    this.blocking.merge(other.blocking);
    for (const name of ['executed', 'discarded', 'aborted', 'commands'] as const)
      this.transactions[name] += other.transactions[name];
    for (const name of ['messages', 'messageBytes', 'published', 'subscriptions'] as const)
      this.pubsub[name] += other.pubsub[name];
    for (const name of COUNTERS) this[name] += other[name];
    this.deepest = Math.max(this.deepest, other.deepest);
  }

  /** `server` is a row of `servers`. */
  addConnections(server: number, count: number): void {
    this.serverConnections[server] = (this.serverConnections[server] ?? 0) + count;
  }

  error(line: string): void {
    const kind = errorKind(line);
    const shown = kind !== undefined && (isKnownKind(kind) || this.#isCustomKind(kind)) ? kind : '(others)';
    this.errors.set(shown, (this.errors.get(shown) ?? 0) + 1);
    if (kind !== 'MOVED' && kind !== 'ASK') return;
    const to = /^\S+ \d+ ([\w.:[\]-]{0,80}:\d{1,5})$/.exec(line)?.[1] ?? '?';
    const known = this.redirects.get(`${kind} ${to}`);
    if (known) known.count += 1;
    else if (this.redirects.size < 1000) this.redirects.set(`${kind} ${to}`, { kind, to, count: 1 });
  }

  /** Whether it may be an error kind of a script or a module. If there are too many of them, they are data and not kinds. */
  #isCustomKind(kind: string): boolean {
    if (this.#customKinds.has(kind)) return true;
    if (this.#customKinds.size >= MOST_CUSTOM_KINDS) return false;
    this.#customKinds.add(kind);
    return true;
  }
}

/** An address as a number: IPv6 ones are behind all IPv4 ones. */
export const clientKey = (address: number, six: boolean): number => (six ? address + 2 ** 32 : address);

export const clientOf = (key: number): { readonly address: number; readonly six: boolean } =>
  key >= 2 ** 32 ? { address: key - 2 ** 32, six: true } : { address: key, six: false };

/** An address and a port as a number. */
export const serverKey = (address: number, six: boolean, port: number): number =>
  clientKey(address, six) * 2 ** 16 + port;

export const serverOf = (key: number) => {
  const client = Math.floor(key / 2 ** 16);
  return { ...clientOf(client), port: key - client * 2 ** 16 };
};
