/** What is counted of each side of a stream, one behind the other. */
export const TROUBLES = [
  'retransmissions',
  'fastRetransmissions',
  'spuriousRetransmissions',
  'outOfOrder',
  'duplicateAcks',
  'zeroWindows',
  'lostSegments',
  'keepAlives',
  'resets',
  'windowFull',
  'ackedUnseenSegments',
] as const;
export type Trouble = (typeof TROUBLES)[number];

export const TROUBLE_KINDS = TROUBLES.length;

/** A kind's bit among the kinds of a packet. */
export const bit = (kind: number): number => 1 << kind;

/** The bits of the kinds. From the zero window probe on they are listed with the packets but not counted: they are no problem. */
export const KIND = {
  RETRANSMISSION: 1 << 0,
  FAST: 1 << 1,
  SPURIOUS: 1 << 2,
  OUT_OF_ORDER: 1 << 3,
  DUPLICATE_ACK: 1 << 4,
  ZERO_WINDOW: 1 << 5,
  LOST: 1 << 6,
  KEEP_ALIVE: 1 << 7,
  RESET: 1 << 8,
  WINDOW_FULL: 1 << 9,
  ACKED_UNSEEN: 1 << 10,
  ZERO_WINDOW_PROBE: 1 << 11,
  ZERO_WINDOW_PROBE_ACK: 1 << 12,
  KEEP_ALIVE_ACK: 1 << 13,
  PORTS_REUSED: 1 << 14,
  /** A SYN of a client. */
  SYN: 1 << 15,
} as const;

export const RESENT = KIND.RETRANSMISSION | KIND.FAST | KIND.SPURIOUS;
/** Of the kinds that are counted, those that are a problem. */
export const WRONG = (bit(TROUBLE_KINDS) - 1) & ~KIND.KEEP_ALIVE;

/** What each bit of a packet's kinds is called, as Wireshark calls it. */
export const EXPERT_NAMES = [
  'Retransmission',
  'Fast Retransmission',
  'Spurious Retransmission',
  'Out-Of-Order',
  'Dup ACK',
  'Zero Window',
  'Previous segment not captured',
  'Keep-Alive',
  'Reset',
  'Window Full',
  'ACKed unseen segment',
  'Zero Window Probe',
  'Zero Window Probe ACK',
  'Keep-Alive ACK',
  'Port numbers reused',
] as const;
