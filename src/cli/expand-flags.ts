import type { OptionSpec, OptionTable } from './option-spec.ts';

/**
 * The words of a command line as the parser takes them: short flags apart from each other and from what follows them
 * (`-ojson`, `-wv`), and flags that may stand without a value with one (`-v`, `-vv`, `-v=2`, `-v 2`), all as kubectl has
 * it. What is a flag's value is left alone.
 */
export function separated(words: readonly string[], options: OptionTable): string[] {
  const out: string[] = [];
  const bare = new Map<string, number>();
  const count = (name: string, spec: OptionSpec) => {
    bare.set(name, (bare.get(name) ?? 0) + spec.valueIfOmitted!);
    return `--${name}=${bare.get(name)}`;
  };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const long = /^--([^=]+)$/.exec(word);
    if (long) {
      const [name, spec] = named(long[1]!, options);
      if (spec?.valueIfOmitted !== undefined)
        out.push(isLevel(words[at + 1]) ? `--${name}=${words[++at]}` : count(name, spec));
      else {
        out.push(word);
        if (takesValue(spec) && at + 1 < words.length) out.push(words[++at]!);
      }
      continue;
    }
    const letters = /^-([A-Za-z]+.*)$/s.exec(word)?.[1];
    const short =
      letters === undefined ? undefined : shortFlags(letters, options, count, isLevel(words[at + 1]));
    out.push(...(short?.words ?? [word]));
    if (short?.isOpen && at + 1 < words.length) out.push(words[++at]!);
  }
  return out;
}

/**
 * A level of `-v`: a number behind it is never a file or a target, because kubectl's `-v 2` is a level. A file of that name
 * can be written as `./2`.
 */
export const isLevel = (word: string | undefined): boolean => word !== undefined && /^(?:\d|10)$/.test(word);

/**
 * The flags of `-abc`; undefined where one of them is unknown. Open: its value is the next word. `level`: the next word
 * would be a level.
 */
function shortFlags(
  letters: string,
  options: OptionTable,
  count: (name: string, spec: OptionSpec) => string,
  level: boolean,
): { readonly words: string[]; readonly isOpen: boolean } | undefined {
  const words: string[] = [];
  for (let at = 0; at < letters.length; at += 1) {
    const [name, spec] = named(letters[at]!, options);
    if (!spec) return undefined;
    const rest = letters.slice(at + 1);
    const value = rest.startsWith('=') ? rest.slice(1) : undefined;
    if (spec.type === 'boolean' && value === undefined) words.push(`--${name}`);
    else if (
      spec.valueIfOmitted !== undefined &&
      value === undefined &&
      !/^\d/.test(rest) &&
      !(rest === '' && level)
    )
      words.push(count(name, spec));
    else if (value === undefined && rest === '')
      return { words: [...words, `-${letters[at]}`], isOpen: true };
    else return { words: [...words, `--${name}=${value ?? rest}`], isOpen: false };
  }
  return { words, isOpen: false };
}

const takesValue = (spec: OptionSpec | undefined): boolean => spec !== undefined && spec.type !== 'boolean';

function named(text: string, options: OptionTable): readonly [name: string, spec: OptionSpec | undefined] {
  const own = Object.hasOwn(options, text) ? options[text] : undefined;
  if (own) return [text, own];
  const [name, spec] = Object.entries(options).find(([, { alias }]) => alias === text) ?? [text, undefined];
  return [name, spec];
}
