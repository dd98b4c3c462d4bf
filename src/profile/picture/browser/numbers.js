// Long lists of numbers lie in the picture's data packed: whole numbers as LEB128 (7 bits a byte, the lowest first, the
// eighth bit set where more follow; DWARF 5, 7.6), in base64. Others, and short ones by hand, are lists as they are.

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

/** The data with its lists as lists. Changes it. */
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
