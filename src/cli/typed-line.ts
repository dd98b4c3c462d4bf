import { shellQuote } from '../text/shell-quote.ts';
import { PROGRAM } from './help.ts';
import type { OptionTable, RawOptions } from './option-spec.ts';

/** Flags that hold a secret, which no message repeats. */
const SECRET: readonly string[] = ['token', 'password'];

/**
 * The command line as the user typed it, with other values for some flags. A preset stays where it is, because it holds for
 * the next command line too.
 */
export function typedLine(
  verb: string,
  raw: RawOptions,
  options: OptionTable,
  changed: Readonly<Record<string, string>>,
): string {
  const flags = Object.entries(options).flatMap(([name, { type }]) => {
    if (changed[name] !== undefined || !raw.isTyped(name) || SECRET.includes(name)) return [];
    const dashes = name.length === 1 ? `-${name}` : `--${name}`;
    if (type === 'boolean') return [raw.flag(name) ? dashes : `${dashes}=false`];
    return raw.list(name).flatMap((value) => (name.length === 1 ? [dashes, value] : [`${dashes}=${value}`]));
  });
  const words = [...raw.positionals, ...flags].map(shellQuote);
  return [
    PROGRAM,
    verb,
    ...words,
    ...Object.entries(changed).map(([name, value]) => `--${name} ${value}`),
  ].join(' ');
}
