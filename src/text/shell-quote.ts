/** Quotes a word for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Quotes a word for both cmd.exe and PowerShell: quotes are doubled, and backslashes need no escape. `$` and the backtick get a
 * backtick before them for PowerShell; names of our own files contain neither.
 */
export function windowsQuote(word: string): string {
  return /^[A-Za-z0-9_@+=:,./\\-]+$/.test(word)
    ? word
    : `"${word.replaceAll('"', '""').replaceAll(/[`$]/g, '`$&')}"`;
}

/** The function that quotes a word of a printed command for the usual shell of the system. */
export const quoteFor = (windows: boolean): ((word: string) => string) =>
  windows ? windowsQuote : shellQuote;

/** The command that deletes a file. Both cmd.exe and PowerShell have `del`. */
export const deleteLine = (path: string, windows: boolean): string =>
  `${windows ? 'del' : 'rm'} ${quoteFor(windows)(path)}`;
