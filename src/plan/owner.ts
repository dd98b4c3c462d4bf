/**
 * How a user's name is written at the end of the name of a debug pod: small letters and digits as they are, every
 * other printable character of ASCII as `-` and two hex digits, so that no two names are written alike. The admission
 * policy writes it in the same way and compares: of an exec it is told the pod's name and nothing else of the pod.
 */
const SELF = /^[a-z0-9]$/;

/** Names of Kubernetes objects are 253 characters long at most; the kubelet makes a folder of namespace, name and UID (255). */
const LONGEST = 160;

/** The characters that are written otherwise, with how. */
export const OWNER_ESCAPES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 0x7f - 0x20 }, (_, at) => String.fromCharCode(0x20 + at))
    .filter((character) => !SELF.test(character))
    .map((character) => [character, `-${character.charCodeAt(0).toString(16)}`]),
);

/** The user's name as a part of a pod's name; undefined where it is too long, or holds other characters. */
export function ownerSuffix(user: string): string | undefined {
  const parts = [...user].map((character) => (SELF.test(character) ? character : OWNER_ESCAPES[character]));
  const written = parts.join('');
  return user === '' || parts.includes(undefined) || written.length > LONGEST ? undefined : written;
}
