import { FLAG, type Framed, framed, START, tcp } from '../packets.ts';

export type Turn = readonly ['>' | '<', string | Uint8Array, number?];

interface Choice {
  /** With SYN, SYN-ACK and ACK before it. */
  readonly handshake?: boolean;
  readonly client?: string;
  readonly server?: string;
  readonly port?: number;
  readonly clientPort?: number;
  /** Cuts payloads into segments of so many bytes. */
  readonly segment?: number;
}

/** A conversation of a client (`>`) and a server (`<`), each turn a millisecond after the one before, or as it says. */
export function talk(turns: readonly Turn[], choice: Choice = {}): Framed[] {
  const {
    handshake = true,
    client = '10.0.0.1',
    server = '10.0.0.2',
    port = 6379,
    clientPort = 40000,
  } = choice;
  const there = { src: client, dst: server, sport: clientPort, dport: port };
  const back = { src: server, dst: client, sport: port, dport: clientPort };
  let at = START;
  let asked = 1001;
  let answered = 5001;
  let id = 0;
  const packets: Framed[] = [];
  const send = (packet: Buffer) => packets.push({ frame: framed('ethernet', packet), at });
  if (handshake) {
    send(tcp({ ...there, flags: FLAG.syn, seq: asked - 1 }));
    send(tcp({ ...back, flags: FLAG.syn | FLAG.ack, seq: answered - 1, ack: asked }));
    send(tcp({ ...there, seq: asked, ack: answered }));
  }
  for (const [way, text, millis = 1] of turns) {
    at += BigInt(Math.round(millis * 1e6));
    const bytes = Buffer.from(text as string);
    const size = choice.segment ?? 1400;
    for (let from = 0; from < bytes.length; from += size) {
      const payload = bytes.subarray(from, from + size);
      id += 1;
      if (way === '>') {
        send(tcp({ ...there, flags: 24, seq: asked, ack: answered, payload, id }));
        asked += payload.length;
      } else {
        send(tcp({ ...back, flags: 24, seq: answered, ack: asked, payload, id }));
        answered += payload.length;
      }
    }
  }
  return packets;
}

/** A command as clients send it. */
export const command = (...words: readonly (string | Uint8Array)[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.from(word as string).length}\r\n${Buffer.from(word as string).toString('latin1')}\r\n`).join('')}`;
