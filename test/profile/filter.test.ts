import { describe, expect, it } from 'vitest';
import { fold, folded, read } from './reading.ts';

const at = (time: number, comm: string, ids: string, frames: string) =>
  `${comm} ${ids} [000] ${time.toFixed(6)}: 5 cpu-clock:\n${frames
    .split(';')
    .reverse()
    .map(
      (frame) =>
        `\t1 ${frame.replace(/^k:(.*)/, '$1 ([kernel.kallsyms])').replace(/^([^ ]+)$/, '$1 (/x)')}\n`,
    )
    .join('')}\n`;

const TEXT = [
  at(10, 'swapper', '0/0', 'k:cpu_startup_entry;k:do_idle;k:pv_native_safe_halt'),
  at(10.5, 'swapper', '0/0', 'k:cpu_startup_entry;k:do_idle;k:irq_exit;k:net_rx_action'),
  at(11, 'redis-server', '7/7', 'main;aeMain'),
  at(11.5, 'bio', '7/8', 'main;fsync'),
  at(12, 'redis-server', '7/7', 'main;idleCron'),
].join('');

describe('narrowing', () => {
  it('leaves out what idles, counts it, and keeps interrupts that ran on top of it', async () => {
    const { profile } = await read(TEXT, { noIdle: true });
    expect(profile.idle).toEqual({ samples: 1, leftOut: true });
    expect(profile.samples).toBe(4);
    expect(folded(profile)).toContain('swapper;cpu_startup_entry;do_idle;irq_exit;net_rx_action 1');
    expect(folded(profile)).toContain('redis-server;main;idleCron 1');
    expect((await read(TEXT)).profile).toMatchObject({ samples: 5, idle: { samples: 1, leftOut: false } });
  });

  it('finds the idle task in folded stacks by its name', async () => {
    const text = 'swapper;do_idle;default_idle 9\nswapper;do_idle;irq 1\nswapper/1;mwait_idle 2\napp;f 1\n';
    expect(await fold(text, { noIdle: true })).toBe('app;f 1\nswapper;do_idle;irq 1\n');
  });

  it.each([
    [{ include: /aeMain|fsync/u }, 'bio;main;fsync 1\nredis-server;main;aeMain 1\n'],
    [{ include: /^redis/u, exclude: /Cron/u }, 'redis-server;main;aeMain 1\n'],
    [{ exclude: /swapper|redis/u }, 'bio;main;fsync 1\n'],
    [{ comm: 'bio' }, 'bio;main;fsync 1\n'],
    [{ tid: 7 }, 'redis-server;main;aeMain 1\nredis-server;main;idleCron 1\n'],
    [{ from: 1, to: 1.5 }, 'redis-server;main;aeMain 1\n'],
    [{ from: 1.5 }, 'bio;main;fsync 1\nredis-server;main;idleCron 1\n'],
  ])('%o', async (options, want) => {
    const { profile } = await read(TEXT, options);
    expect(folded(profile)).toBe(want);
    const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
    expect(profile.timeline?.at.length).toBe(profile.samples);
    expect(sum(profile.stacks.samples)).toBe(profile.samples);
    expect(sum(profile.threads.map((thread) => thread.samples))).toBe(profile.samples);
    expect(profile.tree.total[0]).toBe(profile.samples);
  });

  it('says which seconds are looked at', async () => {
    expect((await read(TEXT, { from: 0.5, to: 1.5 })).profile.about.seconds).toBeCloseTo(1, 9);
    expect((await read(TEXT)).profile.about.seconds).toBeCloseTo(2, 9);
  });
});
