import { describe, expect, it } from 'vitest';
import { outOf } from '../../src/node/folders.ts';
import { request } from '../../src/node/requests.ts';
import { PERF, planOf } from '../plans.ts';

describe('the folder of a recorder', () => {
  it('is that of the pod if it has only one, and else one of its own', () => {
    expect(outOf(planOf(PERF))).toBe('/gkeprof/out');
    expect(outOf({ ...planOf(PERF), recorder: 12, recorders: 20 })).toBe('/gkeprof/out/12');
  });

  it.each(['/gkeprof/out', '/gkeprof/out/1', '/gkeprof/out/100'])(
    '%s is where requests may read',
    (folder) => {
      expect(request('events', `${folder}/events.jsonl`)).toEqual(['cat', `${folder}/events.jsonl`]);
      for (const name of ['log', 'copy', 'salvage'] as const)
        expect(request(name, `${folder}/perf.log`).at(-1)).toBe(`${folder}/perf.log`);
      expect(request('range', `${folder}/capture.pcap`, '1', '5').slice(-3)).toEqual([
        `${folder}/capture.pcap`,
        '1',
        '5',
      ]);
    },
  );

  it.each([
    '/gkeprof/out/0',
    '/gkeprof/out/01',
    '/gkeprof/out/1000',
    '/gkeprof/out/1/2',
    '/gkeprof/out/..',
    '/gkeprof/out/1/..',
    '/gkeprof/work',
    '/gkeprof',
    '',
  ])('%j is where they may not', (folder) => {
    expect(() => request('events', `${folder}/events.jsonl`)).toThrow(/not a value/);
    expect(() => request('log', `${folder}/perf.log`)).toThrow(/not a value/);
  });

  it('has events in no other file', () => {
    for (const name of ['perf.log', 'events-jsonl', 'events.jsonl.gz', 'xevents.jsonl'])
      expect(() => request('events', `/gkeprof/out/${name}`)).toThrow(/not a value/);
  });
});
