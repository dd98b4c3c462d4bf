import { Profile as Pprof } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { profileJsonPieces } from '../../../src/profile/export/json.ts';
import { toPprof } from '../../../src/profile/export/pprof.ts';
import { speedscopePieces } from '../../../src/profile/export/speedscope.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { read } from '../reading.ts';
import { pprof as goPprof, pprofIsBuilt } from './go-pprof.ts';

const HOSTILE = ['<script>x</script>', ']]>', '"quoted"', '日本語', '\x1b[31mred', 'a 12', '_[k]', '\\'];

const sample = (time: number, comm: string, ids: string, frames: readonly string[]) =>
  `${comm} ${ids} [000] ${time.toFixed(6)}: 10000000 cpu-clock:\n${frames.map((frame) => `\t1 ${frame}\n`).join('')}\n`;

const TEXT = [
  ...Array.from({ length: 30 }, (_, at) =>
    sample(1 + at / 10, 'redis-server', '7/7', [
      'call+0x1 (/usr/bin/redis)',
      'aeMain (/usr/bin/redis)',
      'main (/usr/bin/redis)',
    ]),
  ),
  ...Array.from({ length: 12 }, (_, at) =>
    sample(1.05 + at / 10, 'bio', '7/8', [
      'vfs_read ([kernel.kallsyms])',
      '[unknown] (/usr/lib/libc.so.6)',
      'main (/usr/bin/redis)',
    ]),
  ),
  // The same function twice on a stack counts once.
  ...Array.from({ length: 8 }, (_, at) =>
    sample(5 + at / 10, 'bio', '7/8', [
      'call (/usr/bin/redis)',
      'call (/usr/bin/redis)',
      'main (/usr/bin/redis)',
    ]),
  ),
  ...HOSTILE.map((name, at) => sample(9 + at, name, '9/9', [`${name} (/x)`])),
].join('');

const ABOUT = {
  target: 'default/redis-0',
  node: 'node-a',
  namespace: 'default',
  pod: 'redis-0',
  startedAt: '2026-11-23T13:00:00.000Z',
  seconds: 10,
  frequencyHz: 99,
};

const profileOf = async (weight: 'samples' | 'period'): Promise<Profile> => ({
  ...(await read(TEXT, { weight })).profile,
  about: ABOUT,
});

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

describe.each(['samples', 'period'] as const)('exports by %s', (weight) => {
  pprofIsBuilt();
  it('JSON holds everything', async () => {
    const profile = await profileOf(weight);
    const json = JSON.parse([...profileJsonPieces(profile)].join(''));
    expect(json).toMatchObject({
      version: 1,
      about: ABOUT,
      event: 'cpu-clock',
      unit: profile.unit,
      samples: 58,
    });
    expect(json.frames).toEqual(profile.frames);
    expect(sum(json.stacks.map((stack: { weight: number }) => stack.weight))).toBe(profile.tree.total[0]);
    const names = json.stacks.map(({ frames }: { frames: number[] }) =>
      frames.map((frame) => json.frames[frame].name),
    );
    expect(names).toContainEqual(['redis-server', 'main', 'aeMain', 'call']);
    for (const name of HOSTILE) expect(names).toContainEqual([name, name]);
  });

  it('speedscope gets each thread in time order, with weights', async () => {
    const profile = await profileOf(weight);
    const json = JSON.parse([...speedscopePieces(profile, 'test')].join(''));
    expect(json.profiles.map((each: { name: string }) => each.name).slice(0, 2)).toEqual([
      'redis-server 7/7',
      'bio 7/8',
    ]);
    expect(json.profiles[0].unit).toBe(weight === 'period' ? 'nanoseconds' : 'none');
    const all = json.profiles.flatMap((each: { weights: number[] }) => each.weights);
    expect(sum(all)).toBe(profile.tree.total[0]);
    for (const each of json.profiles) {
      expect(each.weights.length).toBe(each.samples.length);
      expect(each.endValue).toBe(sum(each.weights));
    }
    expect(json.profiles[1].samples).toHaveLength(20);
    const last = json.profiles[1].samples.at(-1).map((frame: number) => json.shared.frames[frame].name);
    expect(last).toEqual(['bio', 'main', 'call', 'call']);
  });

  it('pprof reads functions, weights and labels', async () => {
    const profile = await profileOf(weight);
    const bytes = toPprof(profile, 'test');
    const decoded = Pprof.decode(bytes);
    expect(decoded.sample.length).toBe(profile.stacks.node.length);
    const pprof = (...words: string[]) => goPprof(bytes, '-symbolize=none', ...words);
    const unit = weight === 'period' ? ['-sample_index=cpu', '-unit=ms'] : ['-sample_index=samples'];
    const of = (count: number) => (weight === 'period' ? `${count * 10}ms` : `${count}`);
    const top = pprof('-top', '-nodecount=1000', ...unit);
    const rows = new Map(
      top
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .map((cells) => [cells.slice(5).join(' '), cells]),
    );
    expect(rows.get('call')).toMatchObject({ 0: of(38), 3: of(38) });
    expect(rows.get('main')).toMatchObject({ 0: '0', 3: of(50) });
    expect(rows.get('vfs_read')).toMatchObject({ 0: of(12) });
    expect(rows.get('<script>x</script>')).toMatchObject({ 0: of(1) });
    expect(top).toContain(`of ${of(58)} total`);
    const tags = pprof('-tags', ...unit);
    expect(tags).toMatch(/pod: Total .*\n.*: redis-0/);
    expect(tags).toMatch(/thread: Total[\s\S]*: redis-server/);
    expect(tags).toMatch(/tid: Total[\s\S]*: 8/);
  });
});
