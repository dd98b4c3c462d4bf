import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filled, ROOT, reference } from '../../scripts/reference.ts';
import { toolVersion } from '../../src/version.ts';
import { needing } from '../needing.ts';

const files = reference(toolVersion());

describe('the reference', () => {
  it.each([...files])('%s is what `npm run docs` makes', (path, text) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
  });

  it('has no page of a command that is gone', () => {
    for (const name of readdirSync(join(ROOT, 'docs/commands')))
      expect([...files.keys()]).toContain(`docs/commands/${name}`);
  });

  needing('groff')('is a manual page that man understands', () => {
    const warnings = execFileSync(
      'sh',
      ['-c', 'groff -man -Tutf8 -ww man/kubectl-gkeprof.1 2>&1 >/dev/null'],
      {
        cwd: ROOT,
        encoding: 'utf8',
      },
    );
    expect(warnings).toBe('');
    const shown = execFileSync('groff', ['-man', '-Tutf8', '-P-cbou', '-rLL=100n', 'man/kubectl-gkeprof.1'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(shown).toContain('--image-pull-policy POLICY');
    expect(shown).toContain('$XDG_CONFIG_HOME/gkeprof/config.yaml');
    expect(shown).toMatch(/^EXIT STATUS/m);
  });
});

describe('parts between marks', () => {
  it('are put anew, and the rest is left', () => {
    const page = 'a\n<!-- x: made by `npm run docs` -->\nold\n<!-- end -->\nb\n';
    expect(filled(page, { x: 'new' })).toBe(page.replace('old', 'new'));
    expect(() => filled('a', { x: 'new' })).toThrow('the marks of "x" are missing');
  });
});
