/** Wire types of the fields of `Profile` in profile.proto of google/pprof; 9, 10, 12 and 14 are numbers. */
const NUMBERS: ReadonlySet<number> = new Set([7, 8, 9, 10, 12, 14]);

/**
 * Whether these are fields of a profile in pprof's protocol buffers, one behind the other, with a type of samples or a
 * sample; and whether the last one is whole.
 */
export function pprofFields(head: Uint8Array): { arePprof: boolean; areWhole: boolean } {
  const none = { arePprof: false, areWhole: false };
  // Types are numbers of strings, small ones, which no text has.
  if (!head.subarray(0, 64).some((byte) => byte > 0 && byte < 9)) return none;
  let at = 0;
  let fields = 0;
  let hasSample = false;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < head.length && factor < 2 ** 70; factor *= 128) {
      const byte = head[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < head.length) {
    const tag = varint();
    const field = tag >> 3;
    if (field < 1 || field > 15) return none;
    const wire = tag & 7;
    // The list of comments may be packed.
    if (wire !== (NUMBERS.has(field) ? 0 : 2) && !(field === 13 && wire === 0)) return none;
    const value = varint();
    if (Number.isNaN(value)) break;
    if (wire === 2) at += value;
    // What is to be the first field is a message, whose own first field is a number or a list.
    if (field <= 2 && fields === 0 && value > 0 && ![0x08, 0x0a, 0x10, 0x12].includes(head[at - value]!))
      return none;
    hasSample ||= field <= 2;
    fields += 1;
  }
  return { arePprof: hasSample && fields > 1, areWhole: at === head.length };
}
