// How the picture looks, for both of its writers: svg.ts, which draws it without scripts, and the browser half, which
// draws it anew for another width or view. A measure, a colour or a label that both need is only here, so that a picture
// looks the same before and after its script has run.

/** Width of the picture in pixels, and of its viewBox, until the script fits it to the window. */
export const WIDTH = 1200;
/** Height of a row of boxes. The last pixel of a row is the gap to the next one. */
export const ROW = 18;
/** Margins at the left and at the right of everything, and below the boxes. */
export const SIDE = 10;
export const BOTTOM = 12;
/** Where the label of a box begins: from its left edge, and its base line from the upper edge. */
export const LABEL_LEFT = 3;
export const LABEL_DOWN = 13;
/** Base lines of the title, and of the first line below it; distance of the lines that follow. */
export const TITLE_DOWN = 24;
export const FACTS_DOWN = 42;
export const LINE = 15;
/** Width of a letter of the monospaced font, which has 12 px in boxes, 11 px in the lines below the title. */
export const LETTER = 7.2;
export const FACT_LETTER = 6.63;
/** Width of one entry of the legend. */
export const LEGEND_ENTRY = 88;
/** A pattern cannot be recognised in a narrower box. */
export const PATTERN_WIDTH = 3;

/** The name of the root. */
export const ROOT_NAME = 'all';

/**
 * By kind of frame: its letter in the data, how texts and the legend call it, the hue that its colours start from and how
 * far they spread, and the pattern that tells the kind to readers who cannot see the hue.
 */
export const KINDS = {
  thread: { letter: 't', label: 'thread', hue: [0, 1], pattern: '' },
  state: { letter: 'w', label: 'state', hue: [320, 1], pattern: '' },
  user: { letter: 'u', label: 'program', hue: [14, 26], pattern: '' },
  kernel: { letter: 'k', label: 'kernel', hue: [205, 20], pattern: 'hatch' },
  jit: { letter: 'j', label: 'JIT', hue: [110, 30], pattern: 'dots' },
  script: { letter: 's', label: 'script', hue: [275, 30], pattern: 'dots' },
  inlined: { letter: 'i', label: 'inlined', hue: [170, 18], pattern: 'dots' },
};

/** Shared objects of a program have a hue of their own, so that they stand apart from the program itself. */
const LIBRARY_HUE = [46, 14];

/** A state of waiting has its own hue: blue for sleep, magenta for a disk, red for a thread that wants to run. */
const STATE_HUES = { '[sleeping]': 220, '[disk sleep]': 320, '[preempted]': 0 };

/** The same name always has the same colour, within the hue of its kind. */
export function colourOf({ name, kind, dso }) {
  if (kind === 'thread') return 'hsl(0 0% 78%)';
  if (kind === 'state') return `hsl(${STATE_HUES[name] ?? 60} 45% 80%)`;
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  const vary = (hash >>> 0) % 1000;
  const isLibrary = kind === 'user' && /\.so(?:\.|$| )/.test(dso);
  const [from, spread] = isLibrary ? LIBRARY_HUE : KINDS[kind].hue;
  return `hsl(${from + ((vary * 7) % spread)} ${62 + (vary % 14)}% ${66 + (vary % 9)}%)`;
}

/**
 * The colour of a change: orange to red for more, blue for less. The lightness changes with it, so that readers who
 * cannot tell red from green see it too.
 */
export function deltaColour(before, after) {
  const change = before + after > 0 ? (after - before) / (after + before) : 0;
  const strength = Math.round(Math.abs(change) * 100);
  if (strength === 0) return 'hsl(0 0% 86%)';
  return `hsl(${change > 0 ? 20 : 215} ${40 + Math.round(strength * 0.5)}% ${88 - Math.round(strength * 0.3)}%)`;
}

/** The sign before a name, and the colour, of what has changed; `before` is scaled to what `after` can be compared with. */
export function changeMark(before, after, isSignificant) {
  const change = isSignificant ? after - before : 0;
  return {
    sign: change > 0 ? '+' : change < 0 ? '\u2212' : '=',
    fill: change ? deltaColour(before, after) : deltaColour(1, 1),
  };
}

/** `12 samples`, `1.23 s` of CPU time or off the CPU, `1234 events`. */
export function weightText(weight, unit) {
  if (unit === 'nanoseconds') return timeText(weight / 1e6);
  if (unit === 'microseconds') return timeText(weight / 1e3);
  const number = Math.round(weight * 100) / 100;
  const one = unit === 'samples' ? 'sample' : 'event';
  return `${number} ${number === 1 ? one : `${one}s`}`;
}

const timeText = (milliseconds) =>
  milliseconds >= 1e3 ? `${(milliseconds / 1e3).toFixed(2)} s` : `${milliseconds.toFixed(1)} ms`;

export const shareText = (part, all) => `${(all > 0 ? (100 * part) / all : 0).toFixed(2)} %`;

/** One line on a box: name, weight, its shares of the whole and of the zoomed box, its own weight, kind and object. */
export function boxText(frame, total, self, unit, all, zoomedTotal) {
  const zoomed = zoomedTotal === all ? '' : `, ${shareText(total, zoomedTotal)} of the zoomed box`;
  const kind = frame.kind === 'user' ? '' : `, ${KINDS[frame.kind].label}`;
  const where = frame.dso ? ` in ${frame.dso}` : '';
  return `${frame.name} (${weightText(total, unit)}, ${shareText(total, all)}${zoomed}, ${weightText(self, unit)} self${kind})${where}`;
}

/** One line on a box of a comparison: name, weight and share before and after, and the difference in percentage points. */
export function changeText(frame, before, after, unit, beforeAll, afterAll) {
  const word = before === 0 ? ' (new)' : after === 0 ? ' (gone)' : '';
  const ratio = (part, all) => (all > 0 ? part / all : 0);
  const points = 100 * (ratio(after, afterAll) - ratio(before, beforeAll));
  const sign = points < 0 ? '\u2212' : '+';
  return `${frame.name}${word}: before ${weightText(before, unit)} (${shareText(before, beforeAll)}), after ${weightText(after, unit)} (${shareText(after, afterAll)}), ${sign}${Math.abs(points).toFixed(2)} points`;
}

/** The note on boxes that are not drawn because they are narrower than `least`, in words; empty where all are drawn. */
export const thinText = (count, weight, all, least) =>
  count
    ? `${count} ${count === 1 ? 'box' : 'boxes'} narrower than ${least} (${shareText(weight, all)} of the width) ${count === 1 ? 'appears' : 'appear'} when you zoom in`
    : '';

/** How many letters have room in a box. */
export const lettersIn = (width) => Math.floor((width - 6) / LETTER);

/** As much of a name as fits; empty where that would be less than three letters. A letter is a code point. */
export function cut(name, width) {
  const letters = lettersIn(width);
  if (letters < 3) return '';
  if (name.length <= letters) return name;
  const all = [...name];
  return all.length <= letters ? name : `${all.slice(0, letters - 2).join('')}..`;
}
