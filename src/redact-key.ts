import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { KEY_BYTES } from './capture/redact/pseudonyms.ts';
import { EXIT, GkeprofError, reasonOf } from './errors.ts';
import { printable } from './printable.ts';

/** The key of a file, made with mode 0600 where there is none; without a file one that is forgotten. */
export function redactKey(path: string | undefined): Uint8Array {
  if (path === undefined) return randomBytes(KEY_BYTES);
  try {
    return parsed(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(KEY_BYTES);
  try {
    writeFileSync(path, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new GkeprofError(EXIT.failed, `cannot write ${printable(path)}: ${printable(reasonOf(error))}`);
  }
  return key;
}

function parsed(text: string, path: string): Uint8Array {
  const hex = text.trim();
  if (!new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i').test(hex))
    throw new GkeprofError(
      EXIT.failed,
      `${printable(path)} is no key: a key is ${2 * KEY_BYTES} hexadecimal digits`,
      'name a file that is not there yet, and one is made',
    );
  return Buffer.from(hex, 'hex');
}
