/** The array with room for at least `length`, its content kept. */
export function grown<A extends Int32Array | Uint32Array | Float64Array | Uint8Array>(
  array: A,
  length: number,
): A {
  if (length <= array.length) return array;
  const larger = new (array.constructor as new (length: number) => A)(
    Math.max(length, Math.ceil(1.6 * array.length)),
  );
  larger.set(array as never);
  return larger;
}
