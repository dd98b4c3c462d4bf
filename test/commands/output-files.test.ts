import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { framed, pcap, records, tcp } from '../packets/packets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-output-'));
  writeFileSync(join(folder, 'in.folded'), 'main;foo 3\n');
  writeFileSync(join(folder, 'in.pcap'), pcap('ethernet', records([framed('ethernet', tcp())])));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]): string => join(folder, ...names);

/** Every verb that writes a file which the user named, without the file's name. */
const WRITERS: ReadonlyArray<readonly [what: string, words: (given: string) => readonly string[]]> = [
  ['render --output', (file) => ['render', at('in.folded'), '--format', 'folded', '--output', file]],
  [
    'diff --output',
    (file) => ['diff', at('in.folded'), at('in.folded'), '--format', 'folded', '--output', file],
  ],
  ['analyze --html', (file) => ['analyze', at('in.pcap'), '--html', file]],
  ['analyze --write', (file) => ['analyze', at('in.pcap'), '--conversation', '10.0.0.1', '--write', file]],
  ['analyze --redact', (file) => ['analyze', at('in.pcap'), '--redact', file]],
];

describe('a file that the user named', () => {
  it.each(WRITERS)(
    '%s: is not renamed where it exists: refused, or written over with --force',
    async (_, words) => {
      writeFileSync(at('out'), 'of before');
      const refused = await gkeprof(words(at('out')));
      expect(refused.stderr).toBe(`error: ${at('out')} exists already\nhint: --force overwrites it\n`);
      expect(refused.code).toBe(2);
      expect(readFileSync(at('out'), 'utf8')).toBe('of before');
      const forced = await gkeprof([...words(at('out')), '--force']);
      expect(forced.code, forced.stderr).toBe(0);
      expect(readFileSync(at('out'), 'utf8')).not.toBe('of before');
      expect(statSync(at('out')).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder).sort()).toEqual(['in.folded', 'in.pcap', 'out']);
    },
  );

  it.each(WRITERS)(
    '%s: a folder that is missing, or given for a file, is no bug of ours',
    async (_, words) => {
      const missing = await gkeprof(words(at('no', 'x')));
      expect(missing.stderr).toBe(
        `error: cannot write ${at('no', 'x')}: there is no folder ${at('no')}\nhint: make it first: mkdir -p ${at('no')}\n`,
      );
      expect(missing.code).toBe(2);
      const slash = await gkeprof(words(`${at('no')}/`));
      expect(slash.stderr).toContain(`error: cannot write ${at('no')}/: there is no folder ${at('no')}\n`);
      expect(slash.code).toBe(2);
      const isFolder = await gkeprof(words(folder));
      expect(isFolder.stderr).toContain(`error: cannot write ${folder}: it is a folder\n`);
      const notOne = await gkeprof(words(at('in.folded', 'x')));
      expect(notOne.stderr).toMatch(/^error: cannot write .*in\.folded\/x: /);
      expect(notOne.stderr).not.toContain('bug');
    },
  );

  it('has a name that the file system takes', async () => {
    const long = `${'x'.repeat(300)}.svg`;
    const run = await gkeprof(['render', at('in.folded'), '--output', at(long)]);
    expect(run.stderr).toMatch(/^error: cannot write .*: ENAMETOOLONG/);
    expect(run.stderr).not.toContain('bug');
    expect(run.code).toBe(1);
  });

  it('stays as it was where nothing could be made in its place', async () => {
    writeFileSync(at('out'), 'of before');
    writeFileSync(at('bad'), '');
    const run = await gkeprof(['render', at('bad'), '--output', at('out'), '--force']);
    expect(run.code).toBe(4);
    expect(readFileSync(at('out'), 'utf8')).toBe('of before');
  });

  it('is stdout itself by its name, too', async () => {
    const run = await gkeprof(['render', at('in.folded'), '--format', 'folded', '--output', '/dev/stdout']);
    expect(run.stdout.toString()).toBe('main;foo 3\n');
  });

  it('may be a device, and the target of a link is written over, not the link', async () => {
    const device = await gkeprof(['render', at('in.folded'), '--format', 'folded', '--output', '/dev/null']);
    expect(device.code, device.stderr).toBe(0);
    writeFileSync(at('real'), 'of before');
    symlinkSync(at('real'), at('link'));
    const words = ['render', at('in.folded'), '--format', 'folded', '--output', at('link')];
    expect((await gkeprof(words)).code).toBe(2);
    expect((await gkeprof([...words, '--force'])).code).toBe(0);
    expect(readFileSync(at('real'), 'utf8')).toBe('main;foo 3\n');
  });
});

describe('--output-dir', () => {
  it('makes the folder where its parent exists, and no more than that', async () => {
    const run = await gkeprof(['render', at('in.folded'), '--output-dir', at('new')]);
    expect(run.code, run.stderr).toBe(0);
    expect(readdirSync(at('new'))).toEqual(['in.flamegraph.svg']);
    const deep = await gkeprof(['render', at('in.folded'), '--output-dir', at('a', 'b')]);
    expect(deep.stderr).toContain(
      `--output-dir: cannot write to "${at('a', 'b')}": there is no folder ${at('a')}\n`,
    );
    expect(deep.code).toBe(2);
  });

  it('is not made by a command line that is wrong', async () => {
    expect(
      (await gkeprof(['render', at('in.folded'), '--output-dir', at('new'), '--format', 'png'])).code,
    ).toBe(2);
    expect(readdirSync(folder).sort()).toEqual(['in.folded', 'in.pcap']);
  });
});
