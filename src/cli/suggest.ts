import { distance } from 'fastest-levenshtein';

/** Up to three names that are similar to one that does not exist, best first: of two that are equally near, the one that begins with the same letter. */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, far: distance(wanted, name) }))
    .filter(({ name, far }) => far <= Math.max(2, Math.ceil(wanted.length / 3)) || name.startsWith(wanted))
    .sort(
      (a, b) =>
        a.far - b.far ||
        Number(b.name[0] === wanted[0]) - Number(a.name[0] === wanted[0]) ||
        (a.name < b.name ? -1 : 1),
    )
    .slice(0, 3)
    .map(({ name }) => name);
}
