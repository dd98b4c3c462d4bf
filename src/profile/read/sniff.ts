import { encodingOf } from '../../text/file-signature.ts';
import { inputKindOf, type Kind, SNIFFED } from './input-kind.ts';

/** The input in UTF-8: its beginning, and the rest. */
export interface Sniffed {
  readonly head: Buffer;
  readonly kind: Kind;
  readonly rest: AsyncIterator<Uint8Array>;
  /** How many bytes of the input the head was; Infinity if the input has another encoding, so that they cannot be counted. */
  readonly taken: number;
}

/** Takes enough from the beginning to recognise the input and its encoding: PowerShell writes UTF-16. */
export async function sniff(iterator: AsyncIterator<Uint8Array>): Promise<Sniffed> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  while (size < SNIFFED && !ended) {
    const next = await iterator.next();
    if (next.done) ended = true;
    else {
      // A copy: the source may read its next piece into the same memory.
      parts.push(Uint8Array.from(next.value));
      size += next.value.length;
    }
  }
  const all = Buffer.concat(parts);
  const { name, mark } = encodingOf(all);
  if (name === 'utf-8') {
    const head = all.subarray(mark);
    return {
      head,
      kind: inputKindOf(head.subarray(0, SNIFFED), ended && size <= SNIFFED),
      rest: iterator,
      taken: size,
    };
  }
  const recode = recoder(name);
  const head = Buffer.from(recode(all.subarray(mark)));
  const rest = { next: async () => recoded(await iterator.next(), recode) };
  return { head, kind: inputKindOf(head.subarray(0, SNIFFED), ended), rest, taken: Infinity };
}

/** Pieces of UTF-16, cut anywhere, in UTF-8. */
function recoder(name: 'utf-16le' | 'utf-16be'): (piece: Uint8Array) => Uint8Array {
  const decoder = new TextDecoder(name);
  const encoder = new TextEncoder();
  return (piece) => encoder.encode(decoder.decode(piece, { stream: true }));
}

const recoded = (
  next: IteratorResult<Uint8Array>,
  recode: (piece: Uint8Array) => Uint8Array,
): IteratorResult<Uint8Array> => (next.done ? next : { done: false, value: recode(next.value) });
