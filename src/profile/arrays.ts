/** The same numbers in an array of twice the length, or as often twice as holds `least`. */
export function enlarged(array: Int32Array, least = 0): Int32Array<ArrayBuffer> {
  let length = array.length * 2;
  while (length < least) length *= 2;
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}

/** A copy, which `slice` of a Buffer is not: the memory of a chunk is its sender's again after `push`. */
export const copyOf = (bytes: Uint8Array, from: number, to: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(bytes.subarray(from, to));

export function joinBytes(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
