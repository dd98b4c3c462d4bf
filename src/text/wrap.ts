/** The width of a terminal of the usual size, in characters. */
export const COLUMNS = 80;

/**
 * A line as several lines, broken between words. The lines after the first one are indented by two more characters. A word
 * that is longer than the width stays whole, so that it can be copied.
 */
export function wrap(line: string, width = COLUMNS): string[] {
  const indent = /^ */.exec(line)![0];
  return breakText(line.slice(indent.length), width - indent.length, '  ').map((part) => indent + part);
}

/** A text as lines of at most `width` characters, broken between words; `hanging` stands before all but the first. */
export function breakText(text: string, width: number, hanging = ''): string[] {
  const lines: string[] = [];
  let current: string | undefined;
  for (const word of text.split(' ')) {
    if (current === undefined) current = word;
    else if (lengthOf(current) + 1 + lengthOf(word) > width) {
      lines.push(current);
      current = hanging + word;
    } else current += ` ${word}`;
  }
  return [...lines, current ?? ''];
}

/** A text that is longer than this many characters loses its middle. */
export function shorten(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const characters = [...text];
  if (characters.length <= longest) return text;
  const head = Math.ceil((longest - 1) / 2);
  return `${characters.slice(0, head).join('')}…${characters.slice(head + 1 - longest).join('')}`;
}

const lengthOf = (text: string): number => [...text].length;
