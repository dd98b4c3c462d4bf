/**
 * The name of a debug pod ends in its user's name: small letters and digits stay as they are, every other printable
 * character of ASCII becomes `-` and two hex digits, so that two users never get the same ending. The admission policy
 * computes the same ending and compares, because for an exec it knows nothing of the pod but its name.
 */
const SELF = /^[a-z0-9]$/;

/** Names of Kubernetes objects are 253 characters long at most; the kubelet makes a folder of namespace, name and UID (255). */
const LONGEST = 160;

/** The characters that are escaped, with their escapes. */
export const OWNER_ESCAPES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 0x7f - 0x20 }, (_, at) => String.fromCharCode(0x20 + at))
    .filter((character) => !SELF.test(character))
    .map((character) => [character, `-${character.charCodeAt(0).toString(16)}`]),
);

/** The user's name as a part of a pod's name; undefined if it is too long, or contains a character that is not printable ASCII. */
export function ownerSuffix(user: string): string | undefined {
  const parts = [...user].map((character) => (SELF.test(character) ? character : OWNER_ESCAPES[character]));
  const written = parts.join('');
  return user === '' || parts.includes(undefined) || written.length > LONGEST ? undefined : written;
}

/** The user whose name was written like that; undefined for what `ownerSuffix` does not write. */
export function ownerOfSuffix(suffix: string): string | undefined {
  const user = suffix.replace(/-([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return ownerSuffix(user) === suffix ? user : undefined;
}
