import { behindHeader, isExtension } from './extension-headers.ts';

const TCP = 6;
const FRAGMENT = 44;
const MOBILITY = 135;
const SOURCE_QUENCH = 4;

/** What quotes a packet. Redirects do, but less of it than TCP's flags. */
const ERRORS = [3, SOURCE_QUENCH, 11, 12];
const ERRORS_6 = [1, 2, 3, 4];

/**
 * Where the TCP header begins that an ICMP error at `at` quotes (RFC 792, RFC 4443), 16 bytes of it at least; -1 where
 * it quotes none. `end` is behind what was captured, `limit` behind what was sent.
 */
export function quotedTcp(bytes: Uint8Array, at: number, end: number, limit: number, six: boolean): number {
  if (end - at < 8 + 20 || !(six ? ERRORS_6 : ERRORS).includes(bytes[at]!)) return -1;
  const body = bytes[at + 8]! >>> 4 === 4 ? behindIp4(bytes, at, end, limit) : behindIp6(bytes, at + 8, end);
  return body >= 0 && bytes[body + 12]! >>> 4 >= 5 ? body : -1;
}

function behindIp4(bytes: Uint8Array, at: number, end: number, limit: number): number {
  const from = at + 8;
  const length = (bytes[from + 2]! << 8) | bytes[from + 3]!;
  const body = from + ((bytes[from]! & 15) << 2);
  if (body < from + 20 || (length !== 0 && length < body - from)) return -1;
  // Of a piece that is not the first there is no header.
  if ((((bytes[from + 6]! << 8) | bytes[from + 7]!) & 0x1fff) !== 0) return -1;
  let behind = length === 0 ? end : Math.min(end, from + length);
  // How much is quoted, where something stands behind it (RFC 4884).
  const quoted = bytes[at] === SOURCE_QUENCH ? 0 : bytes[at + 5]! << 2;
  if (quoted > 0 && limit - at > 8 + quoted && length > quoted) behind = Math.min(behind, body + quoted);
  return behindHeaders(bytes[from + 9]!, bytes, body, behind);
}

function behindIp6(bytes: Uint8Array, from: number, end: number): number {
  if (bytes[from]! >>> 4 !== 6 || end - from < 40) return -1;
  const length = (bytes[from + 4]! << 8) | bytes[from + 5]!;
  return behindHeaders(bytes[from + 6]!, bytes, from + 40, Math.min(end, from + 40 + length));
}

function behindHeaders(protocol: number, bytes: Uint8Array, at: number, end: number): number {
  let next = protocol;
  let body = at;
  while (isExtension(next)) {
    const own = body;
    body = behindHeader(next, bytes, own, end);
    if (body < 0 || next === MOBILITY) return -1;
    if (next === FRAGMENT && (((bytes[own + 2]! << 8) | bytes[own + 3]!) & 0xfff8) !== 0) return -1;
    next = bytes[own]!;
  }
  return next === TCP && end - body >= 16 ? body : -1;
}
