import { asset } from './assets.ts';
import { usageError } from './errors.ts';
import { drawFlamegraph } from './profile/flamegraph.ts';
import { foldedChunks } from './profile/folded.ts';
import type { Profile } from './profile/profile.ts';

/** What a profile can be made into: how its file ends, and its content in pieces. */
export interface Format {
  readonly ending: string;
  /** What its line in the results is called. */
  readonly label: string;
  readonly pieces: (profile: Profile, drawing: Drawing) => Iterable<string | Uint8Array>;
}

export interface Drawing {
  readonly title: string;
  readonly subtitle: readonly string[];
  /** FlameGraph's suffixes behind kernel, JIT and inlined frames in folded text. */
  readonly annotate: boolean;
}

export const FORMATS = {
  svg: {
    ending: '.flamegraph.svg',
    label: 'Flamegraph',
    pieces: (profile, { title, subtitle }) => [
      drawFlamegraph(profile, {
        title,
        subtitle,
        script: asset('profile/flamegraph.browser.js'),
        style: asset('profile/flamegraph.css'),
      }),
    ],
  },
  folded: {
    ending: '.folded',
    label: 'Folded stacks',
    pieces: (profile, { annotate }) => foldedChunks(profile, annotate),
  },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

/** `svg,folded` as a list, each once. */
export function parseFormats(text: string): readonly FormatName[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  const unknown = names.find((name) => !Object.hasOwn(FORMATS, name));
  if (unknown !== undefined)
    throw usageError(`--format: "${unknown}" is none`, `formats: ${Object.keys(FORMATS).join(', ')}`);
  return names as FormatName[];
}
