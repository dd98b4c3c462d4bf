import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fc } from '../properties.ts';
import { filesBelow, keyOf } from './cache.ts';

describe('keyOf', () => {
  it('does not depend on the order of the parts', () => {
    expect(keyOf({ a: '1', b: '2' })).toBe(keyOf({ b: '2', a: '1' }));
  });

  it('changes with every content and every name', () => {
    const keys = [{ a: '1' }, { a: '2' }, { b: '1' }, { a: '1', b: '' }, {}].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('tells parts apart wherever the text is cut', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 2 }), fc.nat(), (text, at) => {
        const cut = 1 + (at % (text.length - 1));
        expect(keyOf({ [text.slice(0, cut)]: text.slice(cut) })).not.toBe(keyOf({ [text]: '' }));
      }),
    );
  });

  it('takes bytes and their text for the same', () => {
    expect(keyOf({ file: Buffer.from('FROM scratch\n') })).toBe(keyOf({ file: 'FROM scratch\n' }));
  });
});

describe('filesBelow', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gkeprof-cache-test-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('finds files at any depth, by their path in the folder', async () => {
    await mkdir(join(folder, 'kubectl'));
    await writeFile(join(folder, 'go.mod'), 'module x\n');
    await writeFile(join(folder, 'kubectl', 'main.go'), 'package main\n');
    const files = await filesBelow(folder);
    expect(Object.keys(files).toSorted()).toEqual(['go.mod', join('kubectl', 'main.go')]);
    expect(Buffer.from(files['go.mod']!).toString()).toBe('module x\n');
  });
});

describe('cached', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'gkeprof-cache-test-'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
  });

  /** The folder of unfinished builds comes from the environment when the module is first loaded. */
  async function load() {
    vi.stubEnv('GKEPROF_TEST_HOME', home);
    vi.resetModules();
    return import('./cache.ts');
  }

  it('makes a thing once', async () => {
    const { cached } = await load();
    const path = join(home, 'cache', 'thing');
    let made = 0;
    const make = async (unfinished: string) => writeFile(unfinished, String(++made));
    expect(await cached(path, make)).toBe(path);
    await cached(path, make);
    expect(await readFile(path, 'utf8')).toBe('1');
  });

  it('leaves nothing when making it fails', async () => {
    const { cached } = await load();
    const path = join(home, 'cache', 'thing');
    const failing = cached(path, async (unfinished) => {
      await writeFile(unfinished, 'half');
      throw new Error('no space left');
    });
    await expect(failing).rejects.toThrow('no space left');
    expect(await readdir(join(home, 'cache'))).toEqual(['unfinished']);
    expect(await readdir(join(home, 'cache', 'unfinished'))).toEqual([]);
  });

  it('sweeps what nobody makes any more, and leaves what another process is at', async () => {
    const { sweepUnfinished } = await load();
    await sweepUnfinished(); // Of nothing.
    const unfinished = join(home, 'cache', 'unfinished');
    const [living, own] = [process.ppid, process.pid].map((pid) => `${pid}-thing-abcdef`);
    for (const name of [living!, own!, '4194305-thing-abcdef', 'thing-abcdef'])
      await mkdir(join(unfinished, name, 'part'), { recursive: true });
    await sweepUnfinished();
    expect(await readdir(unfinished)).toEqual([living]);
  });
});
