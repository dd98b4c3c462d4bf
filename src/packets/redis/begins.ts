import { isBlank } from './request.ts';

const LF = 10;
const HTTP = / HTTP\/\d(\.\d)?\r?$/;

/** Whether these bytes begin with an inline command, as a person types it; a request of HTTP is not a command. */
export function beginsInline(
  bytes: Uint8Array,
  at: number,
  end: number,
  isKnown: (bytes: Uint8Array, at: number, length: number) => boolean,
): boolean {
  let from = at;
  while (from < end && isBlank(bytes[from]!)) from += 1;
  const feed = bytes.subarray(from, end).indexOf(LF);
  const to = feed < 0 ? end : from + feed;
  let behind = from;
  while (behind < to && !isBlank(bytes[behind]!)) behind += 1;
  if (!isKnown(bytes, from, behind - from)) return false;
  return !HTTP.test(Buffer.from(bytes.subarray(behind, to)).toString('latin1'));
}

/**
 * Whether these bytes begin with a line of text, or are the beginning of one. A request of HTTP does not
 * count as such a line, nor does what a proxy sends first (HAProxy's PROXY protocol, version 1).
 */
export function beginsText(bytes: Uint8Array, at: number, end: number): boolean {
  const feed = bytes.subarray(at, end).indexOf(LF);
  const line = Buffer.from(bytes.subarray(at, feed < 0 ? end : at + feed)).toString('latin1');
  return /^[\t -~\x80-\xff]+\r?$/.test(line) && !HTTP.test(line) && !line.startsWith('PROXY ');
}

/** Whether these bytes may be the incomplete beginning of a command, or of one that was typed. */
export function mayBegin(
  bytes: Uint8Array,
  at: number,
  end: number,
  isKnown: (bytes: Uint8Array, at: number, length: number) => boolean,
): boolean {
  const text = Buffer.from(bytes.subarray(at, Math.min(end, at + 64))).toString('latin1');
  if (/^(\r?\n)*(\*(\d{1,7}(\r(\n(\$(\d{1,2}(\r(\n[\w.-]{0,40})?)?)?)?)?)?)?)?$/.test(text)) return true;
  // A word is not complete until something follows it.
  return beginsInline(bytes, at, end, isKnown) || /^\s*[A-Za-z]{1,20}$/.test(text);
}
