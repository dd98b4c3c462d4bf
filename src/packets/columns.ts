/**
 * The array with room for at least `length`, its content kept. The memory of the given one is let go at once, not when the
 * garbage collector comes by: of a million rows that is half of all memory. So the given array is empty from then on.
 */
export function grown<A extends Int32Array | Uint32Array | Float64Array | Uint8Array>(
  array: A,
  length: number,
): A {
  if (length <= array.length) return array;
  const room = Math.max(length, Math.ceil(1.6 * array.length));
  const buffer = (array.buffer as ArrayBuffer).transfer(room * array.BYTES_PER_ELEMENT);
  return new (array.constructor as new (buffer: ArrayBuffer) => A)(buffer);
}
