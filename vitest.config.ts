import { defineConfig } from 'vitest/config';
import { FILES_WITH_TOOLS, filesWithoutTools, TOOLS_ARE_REQUIRED } from './test/tools.ts';

const inTest = (files: readonly string[]): string[] => files.map((file) => `test/${file}`);
const withTools = inTest(Object.keys(FILES_WITH_TOOLS));
const leftOut = TOOLS_ARE_REQUIRED ? [] : inTest(filesWithoutTools().map(([file]) => file));

/** A condition that is polled may take a minute on a busy machine; by default vitest gives it a second. */
const expected = { poll: { timeout: 60_000 } };

/**
 * `unit` needs Node and sh. `tools` needs programs, Linux or root: test/tools.ts says which file needs what. `browser` needs
 * Chromium; `release` builds and tests the release; `e2e` needs the cluster of test/cluster, or one of your own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/e2e/**',
            'test/browser/**',
            'test/release/**',
            'test/tools/**',
            'node_modules/**',
            ...withTools,
          ],
          // By default vitest leaves one processor free, and of two that is half of them.
          maxWorkers: '100%',
          expect: expected,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'tools',
          include: ['test/tools/**/*.test.ts', ...withTools],
          exclude: leftOut,
          expect: expected,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'release',
          include: ['test/release/**/*.test.ts'],
          expect: expected,
          testTimeout: 900_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          expect: expected,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          globalSetup: ['test/e2e/setup.ts'],
          expect: expected,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
