/** What cli-table3 measures text with; its own types leave it out. */
declare module 'cli-table3/src/utils.js' {
  export function strlen(text: string): number;
}
