import { asset } from '../../assets.ts';
import { usageError } from '../../errors.ts';
import { toolVersion } from '../../version.ts';
import { browserScript } from '../picture/script.ts';
import { drawPicture } from '../picture/svg.ts';
import type { Profile } from '../profile.ts';
import { foldedChunks } from './folded.ts';
import { profileJsonPieces } from './json.ts';
import { speedscopePieces } from './speedscope.ts';

type Pieces = Iterable<string | Uint8Array>;

/** A format in which a profile can be written: the ending of its file, and its content in pieces. */
export interface Format {
  readonly ending: string;
  /** The name of its line in the results. */
  readonly label: string;
  readonly pieces: (profile: Profile, drawing: Drawing) => Pieces | Promise<Pieces>;
  /** The format is for people to read: it goes to stdout if no file is given. */
  readonly reading?: true;
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
    pieces: (profile, { title, subtitle }) => drawPicture(profile, { title, subtitle, ...browserHalf() }),
  },
  folded: {
    ending: '.folded',
    label: 'Folded stacks',
    pieces: (profile, { annotate }) => foldedChunks(profile, annotate),
  },
  speedscope: {
    ending: '.speedscope.json',
    label: 'speedscope',
    pieces: (profile) => speedscopePieces(profile, exporter()),
  },
  pprof: {
    ending: '.pb.gz',
    label: 'pprof',
    async pieces(profile) {
      const [{ toPprof }, { gzipSync }] = await Promise.all([import('./pprof.ts'), import('node:zlib')]);
      return [gzipSync(toPprof(profile, exporter()))];
    },
  },
  json: { ending: '.profile.json', label: 'JSON', pieces: profileJsonPieces },
  top: {
    ending: '.top.txt',
    label: 'Tables',
    reading: true,
    async pieces(profile) {
      const { printTop, topOf } = await import('../top.ts');
      return [printTop(topOf(profile))];
    },
  },
} as const satisfies Readonly<Record<string, Format>>;

export type FormatName = keyof typeof FORMATS;

/** The script and the style that make a picture interactive. */
export const browserHalf = (): { script: string; style: string } => ({
  script: browserScript(asset),
  style: asset('profile/picture/picture.css'),
});

const exporter = (): string => `kubectl-gkeprof ${toolVersion()}`;

/** Parses a list such as `svg,folded`; a repeated name counts once. */
export function parseFormats(text: string): readonly FormatName[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  const unknown = names.find((name) => !Object.hasOwn(FORMATS, name));
  if (unknown !== undefined)
    throw usageError(`--format: unknown format "${unknown}"`, `formats: ${Object.keys(FORMATS).join(', ')}`);
  return names as FormatName[];
}
