import { it, type TestAPI } from 'vitest';
import { reasonMissing, TOOLS_ARE_REQUIRED, type Tool } from './tools.ts';

/**
 * `it` for single tests of the project `unit` that need tools: where one is missing, the test is skipped, and the reason is
 * printed. In `npm test` it is never skipped. A file with many such tests belongs into the table of test/tools.ts.
 */
export function needing(...tools: readonly Tool[]): TestAPI {
  const reasons = TOOLS_ARE_REQUIRED ? [] : tools.flatMap((tool) => reasonMissing(tool) ?? []);
  if (reasons.length === 0) return it;
  console.warn(`a test is skipped: it ${reasons.join(', ')}`);
  return it.skip as unknown as TestAPI;
}
