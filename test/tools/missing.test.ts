import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FILES_WITH_TOOLS, filesWithoutTools, TOOLS_ARE_REQUIRED } from '../tools.ts';

const leftOut = filesWithoutTools();

// The default reporter shows neither the names of skipped tests nor the reasons.
if (leftOut.length > 0)
  console.warn(
    `left out on this machine:\n${leftOut.map(([file, why]) => `  test/${file} ${why}\n`).join('')}`,
  );

describe('tests that need tools', () => {
  it.each(Object.keys(FILES_WITH_TOOLS))('are in a file that exists: %s', (file) => {
    expect(existsSync(fileURLToPath(new URL(`../${file}`, import.meta.url)))).toBe(true);
  });

  for (const [file, reasons] of leftOut)
    it(`run on this machine: ${file} ${reasons}`, ({ skip }) => {
      if (!TOOLS_ARE_REQUIRED) skip(reasons);
      expect.fail(`${file} ${reasons}`);
    });
});
