/** One word as a POSIX shell reads it back. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * One word as cmd.exe and PowerShell both hand it to a program: backslashes are themselves, quotes are doubled. What
 * PowerShell would fill in (`$`, a backtick) has one before it; file names of ours hold none of them.
 */
export function windowsQuote(word: string): string {
  return /^[A-Za-z0-9_@+=:,./\\-]+$/.test(word)
    ? word
    : `"${word.replaceAll('"', '""').replaceAll(/[`$]/g, '`$&')}"`;
}

/** A word of a command that is shown, for the shell that is usual there. */
export const quoteFor = (windows: boolean): ((word: string) => string) =>
  windows ? windowsQuote : shellQuote;

/** The line that deletes a file: `del` is there in cmd.exe and PowerShell. */
export const deleteLine = (path: string, windows: boolean): string =>
  `${windows ? 'del' : 'rm'} ${quoteFor(windows)(path)}`;
