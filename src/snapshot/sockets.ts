import type { Snapshot } from './snapshot.ts';

/** An end of a socket. An IPv4-mapped IPv6 address is shown as IPv4. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** A socket of one of the node's network namespaces, and the processes that hold it open. */
export interface Socket {
  readonly protocol: 'tcp' | 'udp';
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly listening: boolean;
  /** Empty for a connection that no process holds any more, such as one in TIME_WAIT. */
  readonly pids: readonly number[];
}

const LISTEN = '0A';

/** Every socket of the snapshot's `sockets` part: /proc/PID/net/{tcp,udp}[6] (proc(5)), one namespace after the other. */
export function socketsOf({ lines }: Snapshot): Socket[] {
  const holders = new Map<string, number[]>();
  for (const line of lines.get('fd') ?? []) {
    const match = /^\/proc\/(\d+)\/fd\/\d+ socket:\[(\d+)\]$/.exec(line);
    const known = match && holders.get(match[2]!);
    if (known) known.push(Number(match[1]));
    else if (match) holders.set(match[2]!, [Number(match[1])]);
  }
  const sockets: Socket[] = [];
  for (const [where, content] of lines) {
    const protocol = /^\/proc\/\d+\/net\/(tcp|udp)6?$/.exec(where)?.[1] as Socket['protocol'] | undefined;
    if (!protocol) continue;
    for (const line of content) {
      const fields = line.trim().split(/\s+/);
      const local = endpoint(fields[1]);
      const remote = endpoint(fields[2]);
      if (!local || !remote) continue;
      const pids = [...new Set(holders.get(fields[9] ?? '') ?? [])];
      // A UDP socket without a remote end receives from everyone.
      const listening = protocol === 'tcp' ? fields[3] === LISTEN : remote.port === 0;
      sockets.push({ protocol, local, remote, listening, pids });
    }
  }
  return sockets;
}

/** `0100007F:1F90`: words of 32 bits in the node's byte order, which is little-endian wherever GKE runs. */
function endpoint(text = ''): SocketAddress | undefined {
  const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(text);
  if (!match) return undefined;
  const bytes = match[1]!.match(/.{8}/g)!.flatMap((word) =>
    word
      .match(/../g)!
      .map((byte) => Number.parseInt(byte, 16))
      .reverse(),
  );
  return { address: addressText(bytes), port: Number.parseInt(match[2]!, 16) };
}

function addressText(bytes: readonly number[]): string {
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255;
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16),
  );
  return shortIpv6(groups.join(':'));
}

/** An IPv6 address as the platform writes it (RFC 5952). */
const shortIpv6 = (text: string): string => new URL(`http://[${text}]`).hostname.slice(1, -1);

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

/** An address in the form of this file, however it was written; undefined if the text is not an address. */
export function parseAddress(text: string): string | undefined {
  const plain = text.replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (IPV4.test(plain)) return plain;
  return text.includes(':') && URL.canParse(`http://[${text}]`) ? shortIpv6(text) : undefined;
}

/** `10.0.0.1:6379` or `[fd00::1]:6379`; undefined for anything else. */
export function parseEndpoint(text: string): SocketAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const address = parseAddress(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  return address !== undefined && port <= 65_535 ? { address, port } : undefined;
}

export const isSameEndpoint = (a: SocketAddress, b: SocketAddress): boolean =>
  a.port === b.port && a.address === b.address;
