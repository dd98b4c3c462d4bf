import { grown } from './columns.ts';
import type { Addresses } from './decode/addresses.ts';
import { ACK, FIN, type Layers, RST, SYN } from './decode/decode.ts';
import type { PodOfInterface } from './file/packet.ts';

const NONE = -1;
/** Of each row: the chosen interface, and of each direction the furthest sequence and acknowledgement number. */
const WIDTH = 5;

const LOOPBACK6 = new Uint8Array(16).fill(1, 15);

/**
 * Chooses, for each TCP connection between captured pods, the pod whose capture is counted: that of the first packet. Both
 * ends see the same bytes, but not always the same packets, because network cards cut and join segments on the way, so that
 * packets cannot be compared one by one. A connection is then exactly what the capture of that pod alone tells. If this
 * capture ends before the other, the other goes on where it ended.
 */
export class PodViews {
  readonly pods = new Map<number, PodOfInterface>();
  readonly #ended = new Set<number>();
  #state = new Int32Array(WIDTH * 64);
  #rows = 0;
  #isActive = false;
  /** The number of ::1. */
  #loopback6 = NONE;

  add(interfaceNumber: number, pod: PodOfInterface, addresses: Addresses): void {
    this.#loopback6 = addresses.number6(LOOPBACK6, 0);
    this.pods.set(interfaceNumber, pod);
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
    if (row < 0 || row >= this.#rows || (layers.flags & (SYN | ACK)) === SYN || this.#isLoopback(layers))
      return false;
    const at = WIDTH * row;
    const chosen = this.#state[at]!;
    if (chosen === interfaceNumber) return false;
    if (!this.#ended.has(chosen)) return true;
    // The clock of the other node may be behind, so that it still shows what was counted already.
    const from = at + (fromA ? 1 : 3);
    const isOld =
      ((endOf(layers) - this.#state[from]!) | 0) <= 0 && ((layers.ack - this.#state[from + 1]!) | 0) <= 0;
    return isOld && (layers.flags & RST) === 0;
  }

  /** A packet of this row is counted. */
  count(row: number, fromA: boolean, interfaceNumber: number, layers: Layers): void {
    const at = WIDTH * row;
    const isNew = row >= this.#rows;
    if (isNew) {
      this.#state = grown(this.#state, at + WIDTH);
      for (let each = this.#rows; each <= row; each += 1) this.#state[WIDTH * each] = NONE;
      this.#rows = row + 1;
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

  /** Each pod has such addresses of its own. */
  #isLoopback({ version, src, dst }: Layers): boolean {
    if (version === 6) return src === this.#loopback6;
    return src >>> 24 === 127 || dst >>> 24 === 127;
  }
}

/** The sequence number behind a segment. */
const endOf = ({ seq, payload, flags }: Layers): number =>
  (seq + payload + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) | 0;
