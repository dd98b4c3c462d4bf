import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** Compares with test/goldens/NAME; with BLESS=1 in the environment it writes that file anew instead. */
export function golden(name: string, actual: string): void {
  const path = fileURLToPath(new URL(`goldens/${name}`, import.meta.url));
  if (process.env.BLESS) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
  }
  if (!existsSync(path)) throw new Error(`there is no golden ${name}: BLESS=1 makes it`);
  expect(actual).toBe(readFileSync(path, 'utf8'));
}
