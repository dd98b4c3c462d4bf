import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { withLock } from './lock.ts';

const LOCK = `\0gkeprof-lock-test-${process.pid}`;

describe('withLock', () => {
  it('gives everybody a turn of their own, though no holder ends', async () => {
    const log: string[] = [];
    const turn = (name: string) =>
      withLock(
        () => undefined,
        async () => {
          log.push(`${name} begins`);
          await new Promise((resolve) => setTimeout(resolve, 50));
          log.push(`${name} ends`);
        },
        LOCK,
      );
    await Promise.all(['a', 'b', 'c'].map(turn));
    expect(log).toHaveLength(6);
    for (let i = 0; i < 6; i += 2) expect(log[i]!.split(' ')[0]).toBe(log[i + 1]!.split(' ')[0]);
  });

  it('says who holds it', async () => {
    const holders: string[] = [];
    let waiting: Promise<string> | undefined;
    await withLock(
      () => undefined,
      async () => {
        waiting = withLock(
          (holder) => holders.push(holder),
          async () => 'my turn',
          LOCK,
        );
        await expect.poll(() => holders).toEqual([String(process.pid)]);
      },
      LOCK,
    );
    expect(await waiting).toBe('my turn');
  });

  it('lets go when the work fails, and hands on the error', async () => {
    const fail = async () => {
      throw new Error('no luck');
    };
    await expect(withLock(() => undefined, fail, LOCK)).rejects.toThrow('no luck');
    expect(
      await withLock(
        () => undefined,
        async () => 'free',
        LOCK,
      ),
    ).toBe('free');
  });

  it('is free when its holder was killed', async () => {
    const script = `import(${JSON.stringify(`${import.meta.dirname}/lock.ts`)}).then(({ withLock }) =>
      withLock(() => {}, () => new Promise((resolve) => {
        console.log('held');
        setTimeout(resolve, 60_000);
      }), ${JSON.stringify(LOCK)}))`;
    const holder = spawn(process.execPath, ['-e', script]);
    await once(holder.stdout, 'data');
    const waited = withLock(
      (pid) => process.kill(Number(pid), 'SIGKILL'),
      async () => 'mine',
      LOCK,
    );
    expect(await waited).toBe('mine');
  });
});
