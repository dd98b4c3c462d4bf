// What is said of a box.

const KINDS = { t: 'thread', u: 'user', k: 'kernel', j: 'JIT', i: 'inlined' };

export function weightText(weight, unit) {
  if (unit === 'nanoseconds')
    return weight >= 1e9 ? `${(weight / 1e9).toFixed(2)} s` : `${(weight / 1e6).toFixed(1)} ms`;
  const number = Math.round(weight * 100) / 100;
  return `${number} ${unit === 'samples' ? (number === 1 ? 'sample' : 'samples') : 'events'}`;
}

export const shareText = (part, all) => `${(all > 0 ? (100 * part) / all : 0).toFixed(2)} %`;

/** One line on a box: name, weight, shares of all and of what is zoomed into, self, kind and object. */
export function describe(frame, total, self, unit, all, zoomedTotal) {
  const zoomed = zoomedTotal === all ? '' : `, ${shareText(total, zoomedTotal)} of the zoomed box`;
  const kind = frame.kind === 'u' ? '' : `, ${KINDS[frame.kind]}`;
  const where = frame.dso ? ` in ${frame.dso}` : '';
  return `${frame.name} (${weightText(total, unit)}, ${shareText(total, all)}${zoomed}, ${weightText(self, unit)} self${kind})${where}`;
}

/** One line on a box of a comparison. */
export function describeChange(frame, before, after, unit, beforeAll, afterAll) {
  const word = before === 0 ? ' (new)' : after === 0 ? ' (gone)' : '';
  const points = 100 * (after / (afterAll || 1) - before / (beforeAll || 1));
  const sign = points < 0 ? '\u2212' : '+';
  return `${frame.name}${word}: before ${weightText(before, unit)} (${shareText(before, beforeAll)}), after ${weightText(after, unit)} (${shareText(after, afterAll)}), ${sign}${Math.abs(points).toFixed(2)} points`;
}

/** As much of a name as fits; letters are counted by code point, a monospaced font has them all alike. */
export function cut(name, width) {
  const letters = Math.floor((width - 6) / 7.2);
  if (letters < 3) return '';
  if (name.length <= letters) return name;
  const all = [...name];
  return all.length <= letters ? name : `${all.slice(0, letters - 2).join('')}..`;
}

const HUES = { u: [14, 26], l: [46, 14], k: [205, 20], j: [110, 30], i: [170, 18] };

/** As colourOf in colour.ts. */
export function colourOf({ name, kind, dso }) {
  if (kind === 't') return 'hsl(0 0% 78%)';
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  const vary = (hash >>> 0) % 1000;
  const [from, spread] = HUES[kind === 'u' && /\.so(?:\.|$| )/.test(dso) ? 'l' : kind];
  return `hsl(${from + ((vary * 7) % spread)} ${62 + (vary % 14)}% ${66 + (vary % 9)}%)`;
}

/** As deltaColour in colour.ts. */
export function deltaColour(before, after) {
  const change = before + after > 0 ? (after - before) / (after + before) : 0;
  const strength = Math.round(Math.abs(change) * 100);
  if (strength === 0) return 'hsl(0 0% 86%)';
  return `hsl(${change > 0 ? 20 : 215} ${40 + Math.round(strength * 0.5)}% ${88 - Math.round(strength * 0.3)}%)`;
}

/** The stack of a box as a folded line. */
export const foldedLine = (names, weight) => `${names.join(';')} ${Math.round(weight * 100) / 100}`;
