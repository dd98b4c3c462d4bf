import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NewFile } from '../../src/files/new-file.ts';

describe('a new file', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const finals = () => readdirSync(folder).filter((name) => !name.startsWith('.'));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-new-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(['number', 'refuse', 'replace'] as const)(
    'has its name only when it is whole, so a killed command leaves no part of it there (%s)',
    (ifThere) => {
      const file = new NewFile(at('a.svg'), ifThere);
      file.write(Buffer.alloc(3 << 20, 'x'));
      expect(finals()).toEqual([]);
      // What is there meanwhile is of the kind that the next command removes.
      expect(readdirSync(folder).map((name) => name.slice(0, 9))).toEqual(['.gkeprof-']);
      file.close();
      expect(readdirSync(folder)).toEqual(['a.svg']);
      expect(file.path).toBe(at('a.svg'));
      expect(statSync(file.path).size).toBe(3 << 20);
      expect(statSync(file.path).mode & 0o777).toBe(0o600);
      expect(statSync(file.path).nlink).toBe(1);
    },
  );

  it('gets a number if another file takes its name while it is written', () => {
    const file = new NewFile(at('a.svg'));
    file.write(Buffer.from('mine'));
    writeFileSync(at('a.svg'), 'theirs');
    file.close();
    expect(file.path).toBe(at('a.2.svg'));
    expect([readFileSync(at('a.svg'), 'utf8'), readFileSync(at('a.2.svg'), 'utf8')]).toEqual([
      'theirs',
      'mine',
    ]);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('does not replace a file that takes the chosen name while it is written', () => {
    const file = new NewFile(at('a.svg'), 'refuse');
    file.write(Buffer.from('mine'));
    writeFileSync(at('a.svg'), 'theirs');
    expect(() => file.close()).toThrow(/a\.svg exists already/);
    file.discard();
    expect(readdirSync(folder)).toEqual(['a.svg']);
    expect(readFileSync(at('a.svg'), 'utf8')).toBe('theirs');
  });

  it('replaces a file in one step', () => {
    writeFileSync(at('a.svg'), 'old');
    const file = new NewFile(at('a.svg'), 'replace');
    file.write(Buffer.from('new'));
    expect(readFileSync(at('a.svg'), 'utf8')).toBe('old');
    file.close();
    expect(readFileSync(at('a.svg'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['a.svg']);
  });

  it('leaves nothing when it is discarded', () => {
    for (const ifThere of ['number', 'refuse', 'replace'] as const) {
      const file = new NewFile(at('a.svg'), ifThere);
      file.write(Buffer.from('x'));
      file.discard();
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('writes to a device at once, and leaves it there', () => {
    const file = new NewFile('/dev/null', 'refuse');
    file.write(Buffer.from('x'));
    file.close();
    expect(existsSync('/dev/null')).toBe(true);
  });

  it('says which folder is missing', () => {
    expect(() => new NewFile(at('none/a.svg'))).toThrow(
      `cannot write ${at('none/a.svg')}: there is no folder ${at('none')}`,
    );
  });
});
