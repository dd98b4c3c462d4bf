import { expect, it } from 'vitest';
import type { Connection } from '../../src/cluster/connection.ts';
import { Doors } from '../../src/cluster/doors.ts';
import { fakeCluster } from '../fake-cluster.ts';

it('opens one door for each way to reach a cluster, and closes all that did open without waiting for the others', async () => {
  const log: string[] = [];
  const doors = new Doors(async ({ context = '' }: Connection, isFirst) => {
    log.push(`open ${context}${isFirst ? ' first' : ''}`);
    if (context === 'broken') throw new Error('no');
    if (context === 'waiting') await new Promise(() => {});
    return fakeCluster({ close: async () => void log.push(`close ${context}`) });
  });
  const [a, again] = await Promise.all([
    doors.open({ context: 'a', as: 'bob' }),
    doors.open({ as: 'bob', context: 'a' }),
  ]);
  expect(again).toBe(a);
  expect(await doors.open({ context: 'b' })).not.toBe(a);
  await expect(doors.open({ context: 'broken' })).rejects.toThrow('no');
  void doors.open({ context: 'waiting' });
  await doors.close();
  expect(log).toEqual(['open a first', 'open b', 'open broken', 'open waiting', 'close a', 'close b']);
});
