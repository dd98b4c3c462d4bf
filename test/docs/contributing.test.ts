import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';

const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

describe('CONTRIBUTING.md', () => {
  it('names files and folders that exist, and for those that are to be made the folder', () => {
    const paths = [...page.matchAll(/`((?:src|test|docs|plugin)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const kept = path.includes('NAME') ? path.slice(0, path.indexOf('NAME')) : path;
      expect(existsSync(join(ROOT, kept)), path).toBe(true);
    }
  });

  it('names commands that package.json has', () => {
    for (const [, name] of page.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([name!]);
  });
});
