/** Text as XML 1.0 allows it: its markup escaped, characters it has no place for replaced (XML 1.0, section 2.2). */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

export const cdata = (text: string): string => text.replaceAll(']]>', ']]]]><![CDATA[>');

/** JSON that may stand in XML as it is: every character outside plain ASCII text, and XML's own, as `\uXXXX`. */
export const jsonForXml = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
