import type { Frame, FrameKind } from '../frame.ts';

/** Hues of a kind: from, and how far names spread. Shared objects of a program stand apart from the program itself. */
const HUES: Readonly<Record<FrameKind | 'library', readonly [from: number, spread: number]>> = {
  thread: [0, 1],
  user: [14, 26],
  library: [46, 14],
  kernel: [205, 20],
  jit: [110, 30],
  inlined: [170, 18],
};

/** A colour that stays with its name, within the hue of its kind. The browser half has the same. */
export function colourOf({ name, kind, dso }: Pick<Frame, 'name' | 'kind' | 'dso'>): string {
  if (kind === 'thread') return 'hsl(0 0% 78%)';
  let hash = 2166136261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  const vary = (hash >>> 0) % 1000;
  const [from, spread] = HUES[kind === 'user' && /\.so(?:\.|$| )/.test(dso) ? 'library' : kind];
  return `hsl(${from + ((vary * 7) % spread)} ${62 + (vary % 14)}% ${66 + (vary % 9)}%)`;
}

/** Kinds are told by a pattern too, for those who don't see the hue. */
export const patternOf = (kind: FrameKind): '' | 'hatch' | 'dots' =>
  kind === 'kernel' ? 'hatch' : kind === 'jit' || kind === 'inlined' ? 'dots' : '';

/** More: orange to red; less: blue; lightness goes with it, so that it is told without seeing red or green. */
export function deltaColour(before: number, after: number): string {
  const change = before + after > 0 ? (after - before) / (after + before) : 0;
  const strength = Math.round(Math.abs(change) * 100);
  if (strength === 0) return 'hsl(0 0% 86%)';
  return `hsl(${change > 0 ? 20 : 215} ${40 + Math.round(strength * 0.5)}% ${88 - Math.round(strength * 0.3)}%)`;
}
