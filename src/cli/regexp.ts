import { reasonOf, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** A regular expression as a flag gives it. */
export function regularExpression(text: string, flag: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw usageError(`${flag}: ${printable(reasonOf(error))}`, 'regular expressions are those of JavaScript');
  }
}
