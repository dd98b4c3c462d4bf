import { ETHERTYPE } from './link.ts';

/** Where the packet inside begins. Written over by the next one. */
export interface Tunnel {
  ethertype: number;
  at: number;
}

const IPIP = 4;
const IP6IP = 41;
const GRE = 47;
const VXLAN_PORTS = [4789, 8472];
const GENEVE_PORT = 6081;

/** As much of the outer packet as tells what it carries. */
interface Outer {
  readonly version: number;
  readonly protocol: number;
  readonly fragment: boolean;
  readonly transport: number;
  readonly dport: number;
  readonly payloadAt: number;
  readonly bytes: Uint8Array;
  /** Where the protocol's own bytes begin; for what is neither TCP nor UDP. */
  readonly bodyAt: number;
}

/** Finds the packet inside IP-in-IP, GRE, VXLAN (also flannel's port) and Geneve. False where there is none. */
export function openTunnel(outer: Outer, bytes: Uint8Array, end: number, tunnel: Tunnel): boolean {
  if (outer.version === 0 || outer.fragment) return false;
  const { protocol, bodyAt } = outer;
  if (protocol === IPIP || protocol === IP6IP) {
    tunnel.ethertype = protocol === IPIP ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6;
    tunnel.at = bodyAt;
    return true;
  }
  if (protocol === GRE) return gre(bytes, bodyAt, end, tunnel);
  // Reassembled ones lie elsewhere and hold headers only.
  if (protocol !== 17 || outer.transport !== 17 || outer.bytes !== bytes) return false;
  const at = outer.payloadAt;
  if (VXLAN_PORTS.includes(outer.dport) && end - at >= 8 && bytes[at]! & 8)
    return ethernet(bytes, at + 8, end, tunnel);
  if (outer.dport !== GENEVE_PORT || end - at < 8 || bytes[at]! >>> 6 !== 0) return false;
  // RFC 8926: options in words of four, then what the protocol type says.
  const inside = at + 8 + ((bytes[at]! & 0x3f) << 2);
  return carried(bytes, (bytes[at + 2]! << 8) | bytes[at + 3]!, inside, end, tunnel);
}

/** RFC 2784 and 2890: checksum, key and sequence number are there where their bits are set. */
function gre(bytes: Uint8Array, at: number, end: number, tunnel: Tunnel): boolean {
  if (end - at < 4 || (bytes[at + 1]! & 7) !== 0) return false;
  const bits = bytes[at]!;
  const options = (bits & 0x80 ? 4 : 0) + (bits & 0x20 ? 4 : 0) + (bits & 0x10 ? 4 : 0);
  return carried(bytes, (bytes[at + 2]! << 8) | bytes[at + 3]!, at + 4 + options, end, tunnel);
}

function carried(bytes: Uint8Array, type: number, at: number, end: number, tunnel: Tunnel): boolean {
  // Transparent Ethernet bridging; ERSPAN adds a header of its own and is not looked into.
  if (type === 0x6558) return ethernet(bytes, at, end, tunnel);
  tunnel.ethertype = type;
  tunnel.at = at;
  return type === ETHERTYPE.ipv4 || type === ETHERTYPE.ipv6;
}

function ethernet(bytes: Uint8Array, at: number, end: number, tunnel: Tunnel): boolean {
  if (end - at < 14) return false;
  let from = at + 12;
  let type = (bytes[from]! << 8) | bytes[from + 1]!;
  while ((type === 0x8100 || type === 0x88a8) && end - from >= 6) {
    from += 4;
    type = (bytes[from]! << 8) | bytes[from + 1]!;
  }
  tunnel.ethertype = type;
  tunnel.at = from + 2;
  return type === ETHERTYPE.ipv4 || type === ETHERTYPE.ipv6;
}
