import { distance } from 'fastest-levenshtein';

/** Up to three names that are similar to one that does not exist, best first. */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, far: distance(wanted, name) }))
    .filter(({ name, far }) => far <= Math.max(2, Math.ceil(wanted.length / 3)) || name.startsWith(wanted))
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}
