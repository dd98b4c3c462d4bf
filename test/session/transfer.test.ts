import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CopyPace, FirstByte, firstByteOf, type Transfer, watched } from '../../src/session/transfer.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

describe('the limit for the first byte of a stream', () => {
  it.each<[string, readonly number[], number]>([
    ['nothing is known yet', [], 90],
    ['a fast line', [0.3], 10],
    ['a fast line, where the last stream was slower', [0.3, 4], 12],
    ['a fast line, where the last stream was faster', [4, 0.3], 12],
    ['a line with a long way', [8], 24],
    ['the slowest line that is accepted', [73], 90],
    ['a fast line whose second stream was lost', [0.3, 10], 30],
    ['a fast line whose second and third streams were lost', [0.3, 10, 30], 90],
    ['a fast line that became slow', [0.3, 10, 30, 73], 90],
    ['a first stream that was lost', [90], 90],
  ])('%s: %j s until the first byte of those before → %d s', (_what, before, limit) => {
    const first = new FirstByte();
    for (const seconds of before) first.took(seconds * 1000);
    expect(first.limitMs).toBe(limit * 1000);
  });

  it('is known for all files that come through the same connection', () => {
    const cluster = fakeCluster();
    firstByteOf(contextOf(cluster)).took(1);
    expect(firstByteOf(contextOf(cluster)).limitMs).toBe(10_000);
    expect(firstByteOf(contextOf(fakeCluster())).limitMs).toBe(90_000);
  });
});

describe('a stream that is watched', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const transferWith = (firstByte: FirstByte): Transfer => {
    const context = contextOf(fakeCluster());
    return {
      announced: { file: 'f', bytes: 1 << 20, sha256: '' },
      from: { namespace: 'n', pod: 'p', container: 'c', folder: '/gkeprof/out', lease: '/gkeprof/ctl/lease' },
      arrived: { bytes: 0 },
      pace: new CopyPace(),
      firstByte,
      context,
      signal: context.interrupts.abandon,
    };
  };

  /** A stream that brings a byte at each of these seconds: when it was ended, by the clock of the test. */
  async function endOf(bytesAt: readonly number[], transfer: Transfer): Promise<number> {
    const began = Date.now();
    const own = () => bytesAt.filter((at) => Date.now() - began >= at * 1000).length;
    const ended = watched(
      async () => own(),
      transfer,
      ({ signal }) =>
        new Promise<number>((resolve) =>
          signal.addEventListener('abort', () => resolve(Math.round((Date.now() - began) / 1000))),
        ),
    );
    await vi.runAllTimersAsync();
    return ended;
  }

  it.each<[string, readonly number[] | undefined, readonly number[], number]>([
    ['the first one, of which nothing comes', undefined, [], 90],
    ['the first one, which is lost after its first byte', undefined, [40], 70],
    ['one of which nothing comes, after a fast one', [0.2], [], 10],
    ['one of which nothing comes, after one that took 20 s', [20], [], 60],
    ['one that is lost after its first byte, after a fast one', [0.2], [1], 31],
  ])('%s is ended when it has brought nothing for too long', async (_what, before, bytesAt, seconds) => {
    const first = new FirstByte();
    if (before) await endOf(before, transferWith(first));
    expect(await endOf(bytesAt, transferWith(first))).toBe(seconds);
  });

  it('has more patience after a stream that it ended, because the line may have become slow', async () => {
    const first = new FirstByte();
    await endOf([0.2], transferWith(first));
    const ends: number[] = [];
    for (let at = 0; at < 4; at += 1) ends.push(await endOf([], transferWith(first)));
    expect(ends).toEqual([10, 30, 90, 90]);
  });

  it('is noticed to be lost while the others of the same file bring bytes', async () => {
    const transfer = transferWith(new FirstByte());
    const [, lost] = await Promise.all([endOf([0.2], transfer), endOf([], transfer)]);
    expect(lost).toBe(10);
  });
});
