import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { getuid } from 'node:process';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { KEY_BYTES } from '../packets/redact/pseudonyms.ts';
import { printable } from '../text/printable.ts';

/** The key in the file, which is created with mode 0600 if it is missing; without a path, a key that is not stored. */
export function storedKey(path: string | undefined): Uint8Array {
  if (path === undefined) return randomBytes(KEY_BYTES);
  try {
    return parsed(readSecret(path), path);
  } catch (error) {
    if (error instanceof GkeprofError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new GkeprofError(EXIT.failed, `cannot read ${printable(path)}: ${printable(reasonOf(error))}`);
  }
  const key = randomBytes(KEY_BYTES);
  try {
    writeFileSync(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new GkeprofError(EXIT.failed, `cannot write ${printable(path)}: ${printable(reasonOf(error))}`);
  }
  return key;
}

const LONGEST_KEY = 1024;

/**
 * Whoever knows the key can undo made-up addresses, or approve recordings, so a file that another user owns or can read is refused, as ssh
 * refuses such keys. Windows has no such modes.
 */
function readSecret(path: string): string {
  const { O_RDONLY, O_NONBLOCK = 0 } = constants;
  const file = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const status = fstatSync(file);
    if (!status.isFile() || status.size > LONGEST_KEY) throw notAKey(path);
    if (getuid && status.uid !== getuid())
      throw new GkeprofError(EXIT.failed, `${printable(path)} belongs to another user, who may know the key`);
    if (getuid && status.mode & 0o077)
      throw new GkeprofError(
        EXIT.failed,
        `other users of this machine can read or change the key file ${printable(path)}`,
        `chmod 600 ${printable(path)}`,
      );
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

const notAKey = (path: string): GkeprofError =>
  new GkeprofError(
    EXIT.failed,
    `${printable(path)} is not a key file, which contains ${2 * KEY_BYTES} hexadecimal digits`,
    'name a file that does not exist yet, and a new key is written to it',
  );

function parsed(text: string, path: string): Uint8Array {
  const hex = text.trim();
  if (!new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i').test(hex)) throw notAKey(path);
  return Buffer.from(hex, 'hex');
}
