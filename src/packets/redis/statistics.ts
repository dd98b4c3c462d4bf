import { Durations } from '../durations.ts';
import { Combinations } from './combinations.ts';
import { errorKind, isKnownKind } from './error-kind.ts';

/** What is known of a group of commands. */
export class Group {
  /** Commands with a reply. */
  calls = 0;
  errors = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly latency = new Durations();

  merge({ calls, errors, bytesIn, bytesOut, latency }: Group): void {
    this.calls += calls;
    this.errors += errors;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    this.latency.merge(latency);
  }
}

/** A client by its address, with a number in order of appearance. */
export type ClientGroup = Group & {
  readonly address: number;
  readonly six: boolean;
  readonly number: number;
};

/** A server by its address and port. */
export type ServerGroup = Group & {
  readonly address: number;
  readonly six: boolean;
  readonly port: number;
  connections: number;
};

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
const MOST_OWN_KINDS = 10;

/** The largest of many, in order. */
export class Largest {
  readonly all: Notable[] = [];
  /** Smaller ones are not asked for. */
  least = 0;

  add(notable: Notable): void {
    let at = this.all.length;
    while (at > 0 && this.all[at - 1]!.value < notable.value) at -= 1;
    this.all.splice(at, 0, notable);
    if (this.all.length > NOTABLE) this.all.pop();
    if (this.all.length === NOTABLE) this.least = this.all[NOTABLE - 1]!.value;
  }
}

/** A cluster node's "ask there". */
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
  'unasked',
  'replication',
  'behindCut',
] as const;

function absorbGroups<Of extends Group>(
  groups: Map<number, Of>,
  others: ReadonlyMap<number, Of>,
  make: (other: Of) => Of,
): void {
  for (const [key, other] of others) {
    let group = groups.get(key);
    if (!group) {
      group = make(other);
      groups.set(key, group);
    }
    group.merge(other);
  }
}

/** Everything that is told of Redis in a capture. */
export class RedisStatistics {
  readonly commands = new Map<number, Group>();
  readonly patterns = new Map<number, Group>();
  /** By address; IPv6 ones behind all IPv4 ones. */
  readonly clients = new Map<number, ClientGroup>();
  /** By address and port. */
  readonly servers = new Map<number, ServerGroup>();
  readonly combinations = new Combinations();
  readonly errors = new Map<string, number>();
  readonly #ownKinds = new Set<string>();
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
  /** Taken up in the middle: what was before them is not known. */
  joined = 0;
  /** Bytes that are missing in the capture, and how often that cost the thread. */
  gaps = 0;
  desyncs = 0;
  /** Commands without a reply, and replies without a command. */
  unanswered = 0;
  unasked = 0;
  replication = 0;
  /** Packets that were cut off within a command and contained more commands after it. */
  behindCut = 0;
  /** The most commands of one connection that waited for their replies at once. */
  deepest = 0;

  /** Of all commands that do not block: each is counted with its own kind already. */
  get latency(): Durations {
    const all = new Durations();
    for (const { latency } of this.commands.values()) all.merge(latency);
    return all;
  }

  /** Takes over what another one has counted. */
  merge(other: RedisStatistics): void {
    absorbGroups(this.commands, other.commands, () => new Group());
    absorbGroups(this.patterns, other.patterns, () => new Group());
    absorbGroups(this.clients, other.clients, ({ address, six }) =>
      Object.assign(new Group(), { address, six, number: this.clients.size }),
    );
    absorbGroups(this.servers, other.servers, ({ address, six, port }) =>
      Object.assign(new Group(), { address, six, port, connections: 0 }),
    );
    for (const [key, { connections }] of other.servers) this.servers.get(key)!.connections += connections;
    const keys = [...other.clients.keys()];
    for (const { client, command, pattern, calls } of other.combinations)
      this.combinations.add(this.clients.get(keys[client]!)!.number, command, pattern, calls);
    this.combinations.left += other.combinations.left;
    for (const [kind, count] of other.errors) {
      const shown = isKnownKind(kind) || kind === '(others)' || this.#isOwn(kind) ? kind : '(others)';
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

  error(line: string): void {
    const kind = errorKind(line);
    const shown = kind !== undefined && (isKnownKind(kind) || this.#isOwn(kind)) ? kind : '(others)';
    this.errors.set(shown, (this.errors.get(shown) ?? 0) + 1);
    if (kind !== 'MOVED' && kind !== 'ASK') return;
    const to = /^\S+ \d+ ([\w.:[\]-]{0,80}:\d{1,5})$/.exec(line)?.[1] ?? '?';
    const known = this.redirects.get(`${kind} ${to}`);
    if (known) known.count += 1;
    else if (this.redirects.size < 1000) this.redirects.set(`${kind} ${to}`, { kind, to, count: 1 });
  }

  /** Whether it may be a kind of a script or a module: if there are more and more of them, they are data and not kinds. */
  #isOwn(kind: string): boolean {
    if (this.#ownKinds.has(kind)) return true;
    if (this.#ownKinds.size >= MOST_OWN_KINDS) return false;
    this.#ownKinds.add(kind);
    return true;
  }
}
