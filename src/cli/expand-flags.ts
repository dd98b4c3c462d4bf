import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { OptionSpec, OptionTable } from './option-spec.ts';

/**
 * Prepares a command line for the parser, as kubectl reads it: separates grouped short flags and attached values
 * (`-ojson`, `-wv`), and adds omitted values (`-v`, `-vv`, `-v=2`, `-v 2`, `--dry-run`). A switch gets one too, so that no word
 * after it is taken for its value. Values of flags are not changed.
 */
export function separated(words: readonly string[], options: OptionTable): string[] {
  const out: string[] = [];
  const levels = new Map<string, number>();
  const withDefault = (name: string, spec: OptionSpec) => {
    const value = spec.valueIfOmitted!;
    if (typeof value === 'string') return `--${name}=${value}`;
    levels.set(name, (levels.get(name) ?? 0) + value);
    return `--${name}=${levels.get(name)}`;
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const next = words[at + 1];
    const long = /^--([^=]+)$/.exec(word);
    if (long) {
      const [name, spec] = findFlag(long[1]!, options);
      if (spec?.type === 'boolean') out.push(`--${name}=true`);
      else if (spec?.valueIfOmitted !== undefined)
        out.push(isValueOf(spec, next, word) ? `--${name}=${words[++at]}` : withDefault(name, spec));
      else {
        out.push(word);
        if (takesValue(spec) && next !== undefined) out.push(words[++at]!);
      }
      continue;
    }
    const letters = /^-([A-Za-z]+.*)$/s.exec(word)?.[1];
    const short = letters === undefined ? undefined : shortFlags(letters, options, withDefault, next);
    out.push(...(short?.words ?? [word]));
    if (short?.isOpen && next !== undefined) out.push(words[++at]!);
  }
  return out;
}

/** The index of the first word that is neither a flag nor the value of one; -1 if there is none before `--`. */
export function firstArgument(words: readonly string[], options: OptionTable): number {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '--') return -1;
    if (!word.startsWith('-') || word === '-') return at;
    if (takesNext(word, words[at + 1], options)) at += 1;
  }
  return -1;
}

/** Whether the word after a flag is its value. */
function takesNext(flag: string, next: string | undefined, options: OptionTable): boolean {
  const long = /^--([^=]+)$/.exec(flag);
  if (long) {
    const [, spec] = findFlag(long[1]!, options);
    return spec?.valueIfOmitted === undefined ? takesValue(spec) : isChoiceOf(spec, next);
  }
  const letters = /^-([A-Za-z]+)$/.exec(flag)?.[1] ?? '';
  for (const [at, letter] of [...letters].entries()) {
    const [, spec] = findFlag(letter, options);
    if (!spec) return false;
    const isLast = at === letters.length - 1;
    if (spec.valueIfOmitted !== undefined) {
      if (isLast) return isChoiceOf(spec, next);
    } else if (takesValue(spec)) return isLast;
  }
  return false;
}

/** A level of `-v`, which is a number: `-v 2`. A file of that name can be written as `./2`. */
export const isLevel = (word: string | undefined): boolean => word !== undefined && /^(?:\d|10)$/.test(word);

/** Whether a word can be the value of a flag whose value may be omitted. */
const isChoiceOf = (
  { valueIfOmitted, choices, valuePattern }: OptionSpec,
  word: string | undefined,
): boolean =>
  typeof valueIfOmitted === 'number'
    ? isLevel(word)
    : (choices?.includes(word ?? '') ?? valuePattern!.test(word ?? ''));

/**
 * The same for the word that follows such a flag. As in kubectl, `-v` takes a number: a following word that is
 * neither a number nor a flag is refused, because it could be meant as the level or as the target.
 */
function isValueOf(spec: OptionSpec, word: string | undefined, flag: string): boolean {
  if (isChoiceOf(spec, word)) return true;
  if (typeof spec.valueIfOmitted === 'number' && word !== undefined && !word.startsWith('-'))
    throw usageError(
      `${flag}: "${printable(word)}" is not a level from 0 to 10`,
      `write ${flag}=1, or put ${flag} at the end`,
    );
  return false;
}

/** Splits `-abc`; undefined if one of the flags is unknown. `isOpen`: the next word is the value of the last one. */
function shortFlags(
  letters: string,
  options: OptionTable,
  withDefault: (name: string, spec: OptionSpec) => string,
  next: string | undefined,
): { readonly words: string[]; readonly isOpen: boolean } | undefined {
  const words: string[] = [];
  let repeated = false;
  for (let at = 0; at < letters.length; at += 1) {
    const [name, spec] = findFlag(letters[at]!, options);
    if (!spec) return undefined;
    const rest = letters.slice(at + 1);
    const value = rest.startsWith('=') ? rest.slice(1) : undefined;
    if (spec.type === 'boolean' && value === undefined) words.push(`--${name}=true`);
    else if (
      spec.valueIfOmitted !== undefined &&
      value === undefined &&
      !/^\d/.test(rest) &&
      // In `-vv x` the level is complete, so x is an argument.
      !(rest === '' && (repeated ? isChoiceOf(spec, next) : isValueOf(spec, next, `-${letters[at]}`)))
    ) {
      words.push(withDefault(name, spec));
      repeated = true;
    } else if (value === undefined && rest === '')
      return { words: [...words, `-${letters[at]}`], isOpen: true };
    else return { words: [...words, `--${name}=${value ?? rest}`], isOpen: false };
  }
  return { words, isOpen: false };
}

const takesValue = (spec: OptionSpec | undefined): boolean => spec !== undefined && spec.type !== 'boolean';

function findFlag(text: string, options: OptionTable): readonly [name: string, spec: OptionSpec | undefined] {
  const own = Object.hasOwn(options, text) ? options[text] : undefined;
  if (own) return [text, own];
  const [name, spec] = Object.entries(options).find(([, { alias }]) => alias === text) ?? [text, undefined];
  return [name, spec];
}
