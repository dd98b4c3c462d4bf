import { reasonOf, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** Compiles the regular expression of a flag. Throws a usage error if it is invalid. */
export function regularExpression(text: string, flag: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw usageError(`${flag}: ${printable(reasonOf(error))}`, 'regular expressions are those of JavaScript');
  }
}
