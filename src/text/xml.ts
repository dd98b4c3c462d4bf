import { printableText } from './printable.ts';
/**
 * Text as XML 1.0 allows it: its markup escaped, what would act on a reader or a terminal made visible, and the two
 * characters that then have no place in it replaced (XML 1.0, section 2.2).
 */
export function escapeXml(text: string): string {
  return printableText(text)
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
