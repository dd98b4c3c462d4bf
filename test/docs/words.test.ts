import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FORMER_WORDS, formerWordsIn } from './words.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What people read: the sources with their comments and messages, the help, and the pages. */
const FOLDERS = ['src', 'docs', 'test/goldens/help'];
const TEXT = /\.(?:ts|js|sh|css|bash|zsh|fish|ps1|md|txt|json|yaml)$/;
const FILES = [
  'README.md',
  'CONTRIBUTING.md',
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => TEXT.test(name))
      .map((name) => join(folder, name)),
  ),
];

describe('words that readers did not understand', () => {
  it('are at least forty, each once', () => {
    expect(FORMER_WORDS.length).toBeGreaterThanOrEqual(40);
    expect(new Set(FORMER_WORDS.map(([phrase]) => String(phrase))).size).toBe(FORMER_WORDS.length);
  });

  it('are found in a comment, a message and help, also where a line ends within them', () => {
    const text = [
      '/**',
      ' * The image cannot be',
      ' * had, and the pod takes nothing behind --.',
      ' */',
      "throw usageError('flags go behind the verb');",
      '# ends at Ctrl-C, 5s, whichever',
      '# comes first',
      '  --idle    Keep them',
    ].join('\n');
    expect(formerWordsIn(text).toSorted(([a], [b]) => a - b)).toEqual([
      [2, 'cannot be had'],
      [3, 'takes nothing behind --'],
      [5, 'behind the verb'],
      [6, 'whichever comes first'],
    ]);
    expect(formerWordsIn(`${text}\n`).map(([, phrase]) => phrase)).toContain('Keep them');
  });

  it('do not stand in plain sentences', () => {
    expect(formerWordsIn('node "n" cannot pull the image "x". Keep them in a safe place.')).toEqual([]);
  });

  it.each(FILES)('do not come back in %s', (file) => {
    expect(formerWordsIn(readFileSync(join(ROOT, file), 'utf8'))).toEqual([]);
  });
});
