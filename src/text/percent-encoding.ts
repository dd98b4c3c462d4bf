/**
 * Decodes %XX as UTF-8, as the programs on the node write names into lines whose fields are words. Invalid bytes become U+FFFD; a
 * `%` without two digits stays, and a lone `%` is the empty string.
 */
export function decodedWord(word: string): string {
  if (!word.includes('%')) return word;
  if (word === '%') return '';
  return word.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
