// Long lists of numbers are packed in the picture's data: whole numbers as LEB128 (7 bits in each byte, the lowest first,
// with the eighth bit set if more bytes follow; DWARF 5, 7.6), in base64. Lists of other numbers are plain JSON.

const LISTS = [
  'dso',
  'up',
  'frame',
  'node',
  'thread',
  'samples',
  'weight',
  'squares',
  'beforeSelf',
  'afterSelf',
  'later',
  'stack',
];

/** Unpacks the lists of the data, in place. */
export function unpacked(data) {
  for (const name of LISTS) if (typeof data[name] === 'string') data[name] = numbersOf(data[name]);
  if (data.timeline) unpacked(data.timeline);
  return data;
}

function numbersOf(packed) {
  const bytes = atob(packed);
  const numbers = [];
  let number = 0;
  let worth = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes.charCodeAt(at);
    number += (byte & 127) * worth;
    worth *= 128;
    if (byte < 128) {
      numbers.push(number);
      number = 0;
      worth = 1;
    }
  }
  return numbers;
}
