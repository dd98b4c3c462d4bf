import { grown } from './columns.ts';
import type { Addresses } from './decode/addresses.ts';
import { ACK, FIN, type Layers, RST, SYN } from './decode/decode.ts';
import type { PodOfInterface } from './file/packet.ts';

const NONE = -1;
/** Of each row: the chosen interface, and of each direction the furthest sequence and acknowledgement number. */
const WIDTH = 5;

/** The two captures of a connection are at most so many bytes apart; of one that just began, fewer. */
const NEAR = 1 << 22;
const NEAR_BEGIN = 1 << 16;

/** An address and a port as one number; IPv6 addresses by their number. */
const endKey = (version: number, address: number, port: number): number =>
  numberOf(version, address) * 65_536 + port;

const numberOf = (version: number, address: number): number =>
  (address >>> 0) + (version === 6 ? 2 ** 32 : 0);

/** The address of an end: above 32 bits that of IPv6, by its number. */
const addressOf = (end: number): number => Math.floor(end / 65_536);

const LOOPBACK6 = new Uint8Array(16).fill(1, 15);

/**
 * Chooses, for each TCP connection between captured pods, the pod whose capture is counted: that of the first packet. Both
 * ends see the same bytes, but not always the same packets, because network cards cut and join segments on the way, so that
 * packets cannot be compared one by one. A connection is then exactly what the capture of that pod alone tells. If this
 * capture ends before the other, the other goes on where it ended.
 *
 * Of a connection to a Service, the two ends have different addresses of the server, because the client's node translates the
 * Service's. They are the same connection if they have one end in common, and numbers in both directions that fit.
 */
export class PodViews {
  readonly pods = new Map<number, PodOfInterface>();
  readonly #ended = new Set<number>();
  #state = new Int32Array(WIDTH * 64);
  #rows = 0;
  #isActive = false;
  /** Both ends of each row, A's first. */
  #ends = new Float64Array(2 * 64);
  /** The latest row with this end. */
  readonly #rowOfEnd = new Map<number, number>();
  /** The rows that are the same connections as these pairs of ends. */
  readonly #translated = new Map<string, number>();
  readonly #podAddresses = new Set<number>();
  /** Addresses of Services, with the pods' addresses that they were translated to: numbers of `addressOf`. */
  readonly services = new Map<number, Set<number>>();
  /** The number of ::1. */
  #loopback6 = NONE;

  add(interfaceNumber: number, pod: PodOfInterface, addresses: Addresses): void {
    this.#loopback6 = addresses.number6(LOOPBACK6, 0);
    this.pods.set(interfaceNumber, pod);
    for (const bytes of pod.addresses)
      this.#podAddresses.add(
        bytes.length === 4
          ? numberOf(4, new DataView(bytes.buffer, bytes.byteOffset).getInt32(0))
          : numberOf(6, addresses.number6(bytes, 0)),
      );
    // Of one direction only, the two ends together have what each of them has not.
    this.#isActive = this.pods.size > 1 && [...this.pods.values()].every(({ isOneWay }) => !isOneWay);
  }

  /** No more packets of an interface come. */
  end(interfaceNumber: number): void {
    this.#ended.add(interfaceNumber);
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** Whether another pod's capture is counted for this row. A SYN may begin another connection, and never is. */
  isOfOther(row: number, fromA: boolean, interfaceNumber: number, layers: Layers): boolean {
    if (this.#isLoopback(layers)) return false;
    if (row < 0) return this.#isTranslated(interfaceNumber, layers);
    if (row >= this.#rows || (layers.flags & (SYN | ACK)) === SYN) return false;
    const at = WIDTH * row;
    const chosen = this.#state[at]!;
    if (chosen === interfaceNumber) return false;
    if (!this.#ended.has(chosen)) return true;
    return this.#isOld(row, fromA, layers);
  }

  /** A packet of this row is counted. */
  count(row: number, fromA: boolean, interfaceNumber: number, layers: Layers): void {
    const at = WIDTH * row;
    const isNew = row >= this.#rows;
    if (isNew) {
      this.#state = grown(this.#state, at + WIDTH);
      for (let each = this.#rows; each <= row; each += 1) this.#state[WIDTH * each] = NONE;
      this.#rows = row + 1;
      this.#ends = grown(this.#ends, 2 * this.#rows);
      const { version, src, dst, sport, dport } = layers;
      const [source, destination] = [endKey(version, src, sport), endKey(version, dst, dport)];
      this.#ends[2 * row] = fromA ? source : destination;
      this.#ends[2 * row + 1] = fromA ? destination : source;
      this.#rowOfEnd.set(source, row);
      this.#rowOfEnd.set(destination, row);
    }
    const state = this.#state;
    const chosen = state[at]!;
    const from = at + (fromA ? 1 : 3);
    if (chosen === NONE) {
      // What the other direction has sent up to now is what this packet acknowledges.
      const back = at + (fromA ? 3 : 1);
      state[from] = endOf(layers);
      state[from + 1] = layers.ack;
      state[back] = layers.ack;
      state[back + 1] = layers.seq;
    }
    if (chosen === NONE || this.#ended.has(chosen)) state[at] = interfaceNumber;
    if (((endOf(layers) - state[from]!) | 0) > 0) state[from] = endOf(layers);
    // A side that has acknowledged nothing yet has no number to compare with.
    if (layers.flags & ACK && (layers.flags & SYN || ((layers.ack - state[from + 1]!) | 0) > 0))
      state[from + 1] = layers.ack;
    if (layers.flags & SYN) state[from] = endOf(layers);
  }

  /** Whether a segment between ends that have no row belongs to a row with another address of the server. */
  #isTranslated(interfaceNumber: number, layers: Layers): boolean {
    const { version, src, dst, sport, dport, flags } = layers;
    const [source, destination] = [endKey(version, src, sport), endKey(version, dst, dport)];
    const pair = source < destination ? `${source} ${destination}` : `${destination} ${source}`;
    const isFirst = (flags & (SYN | ACK)) === SYN;
    const known = isFirst ? undefined : this.#translated.get(pair);
    for (const [end, other, isSource] of [
      [source, destination, true],
      [destination, source, false],
    ] as const) {
      const row = known ?? this.#rowOfEnd.get(end);
      if (row === undefined) continue;
      const isA = this.#ends[2 * row] === end;
      if (!isA && this.#ends[2 * row + 1] !== end) continue;
      const fromA = isA === isSource;
      const chosen = this.#state[WIDTH * row]!;
      if (chosen === interfaceNumber) continue;
      if (known === undefined && !this.#fits(row, fromA, layers)) continue;
      if (this.#ended.has(chosen) && !this.#isOld(row, fromA, layers)) continue;
      if (known === undefined) {
        this.#translated.set(pair, row);
        this.#learnService(addressOf(this.#ends[2 * row + (isA ? 1 : 0)]!), addressOf(other));
      }
      return true;
    }
    this.#translated.delete(pair);
    return false;
  }

  /**
   * Whether a row has had all that a segment has. The clock of another node may be behind, so that its capture still shows
   * what was counted already.
   */
  #isOld(row: number, fromA: boolean, layers: Layers): boolean {
    const from = WIDTH * row + (fromA ? 1 : 3);
    return (
      ((endOf(layers) - this.#state[from]!) | 0) <= 0 &&
      ((layers.ack - this.#state[from + 1]!) | 0) <= 0 &&
      (layers.flags & RST) === 0
    );
  }

  /** Whether the numbers of a segment continue those of a row. */
  #fits(row: number, fromA: boolean, { seq, ack, flags }: Layers): boolean {
    const from = WIDTH * row + (fromA ? 1 : 3);
    const ahead = (seq - this.#state[from]!) | 0;
    if ((flags & (SYN | ACK)) === SYN) return ahead < 0 && ahead >= -NEAR_BEGIN;
    return Math.abs(ahead) < NEAR && Math.abs((ack - this.#state[from + 1]!) | 0) < NEAR;
  }

  #learnService(one: number, other: number): void {
    if (this.#podAddresses.has(one) === this.#podAddresses.has(other)) return;
    const [pod, service] = this.#podAddresses.has(one) ? [one, other] : [other, one];
    const pods = this.services.get(service) ?? new Set();
    this.services.set(service, pods.add(pod));
  }

  /** Each pod has such addresses of its own. */
  #isLoopback({ version, src, dst }: Layers): boolean {
    if (version === 6) return src === this.#loopback6;
    return src >>> 24 === 127 || dst >>> 24 === 127;
  }
}

/** The sequence number behind a segment. */
const endOf = ({ seq, payload, flags }: Layers): number =>
  (seq + payload + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) | 0;
