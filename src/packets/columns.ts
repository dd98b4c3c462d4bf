/**
 * The array with room for at least `length`, its content kept. The given array is empty from then on: its memory is freed at
 * once and not when the garbage collector runs, because the columns of many conversations are most of all memory.
 */
export function grown<A extends Int32Array | Uint32Array | Float64Array | Uint8Array>(
  array: A,
  length: number,
): A {
  if (length <= array.length) return array;
  // Memory that nothing was written to costs nothing, so that there may be much of it.
  const larger = new (array.constructor as new (length: number) => A)(Math.max(length, 2 * array.length));
  larger.set(array as never);
  (array.buffer as ArrayBuffer).transfer(0);
  return larger;
}
