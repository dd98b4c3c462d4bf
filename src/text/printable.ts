/**
 * Makes a string that came from a node, a cluster or a capture safe for a terminal: control characters
 * (C0, C1, DEL), bidirectional overrides and line separators become visible escapes, so that a thread name
 * or a label can neither move the cursor, set the title, nor forge a line of ours.
 * Bidirectional controls: Unicode TR36 "Trojan Source", CVE-2021-42574.
 */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu,
    (character) => {
      if (character === '\n') return '\\n';
      if (character === '\t') return '\\t';
      if (character === '\r') return '\\r';
      const code = character.codePointAt(0)!;
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`;
    },
  );
}

/** JSON with the same meaning that is safe for a terminal: control characters that JSON itself does not escape become `\uXXXX`. */
export const printableJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replaceAll(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The same for the output of a program: line feeds and tabs stay, because they only move the cursor right and down. */
export function printableText(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(/[^\n\t]+/g, printable);
}

/** The same for text of several lines: line feeds stay, everything else is escaped. */
export function printableLines(text: string): string {
  return text.replaceAll('\r\n', '\n').split('\n').map(printable).join('\n');
}
