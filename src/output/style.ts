import { styleText } from 'node:util';

/** A word that is to be seen among others; as it is where there are no colours. */
export type Style = (word: 'error:' | 'warning:' | 'hint:') => string;

const COLOURS = { 'error:': 'red', 'warning:': 'yellow', 'hint:': 'cyan' } as const;

/** Colours are for terminals that have them, and for people who want them: no-color.org, terminfo's `dumb`. */
export function styleFor(
  isTerminal: () => boolean,
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const hasColours = () => !env.NO_COLOR && env.TERM !== 'dumb' && isTerminal();
  return (word) => (hasColours() ? styleText(COLOURS[word], word, { validateStream: false }) : word);
}
