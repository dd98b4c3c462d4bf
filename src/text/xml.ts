import { printableText } from './printable.ts';

/**
 * Escapes a text for XML 1.0: its markup is escaped, control characters are made visible, and the characters that XML does not
 * allow are replaced (XML 1.0, section 2.2).
 */
export function escapeXml(text: string): string {
  return printableText(text)
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
