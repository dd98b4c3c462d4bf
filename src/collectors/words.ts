/** The last lines of a tool's log that say something, on one line: where tools put the reason. */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.slice(-3).join(' · ') || 'it said nothing';
}
