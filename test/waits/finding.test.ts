import { describe, expect, it } from 'vitest';
import { CATEGORIES } from '../../src/waits/categories.ts';
import type { GroupFacts, WaitFacts, WaitsFacts } from '../../src/waits/facts.ts';
import { findingOf } from '../../src/waits/finding.ts';
import { noteLines } from '../../src/waits/tables.ts';

type Shares = Partial<GroupFacts['shares']>;

const group = (name: string, shares: Shares, waits: readonly WaitFacts[] = [], threads = 1): GroupFacts => ({
  name,
  process: 'app',
  container: 'app',
  threads,
  seconds: 30 * threads,
  shares: { ...(Object.fromEntries(CATEGORIES.map((each) => [each, 0])) as GroupFacts['shares']), ...shares },
  waits,
});

const facts = (groups: readonly GroupFacts[], more: Partial<WaitsFacts> = {}): WaitsFacts => ({
  isWhole: true,
  damagedLines: 0,
  seconds: 30,
  threads: groups.length,
  looksPerSecond: { asked: 50, lowest: 50 },
  groups,
  throttling: [],
  ranInstead: [],
  samplerCpuSeconds: 0.1,
  ...more,
});

const THROTTLING = [
  { container: 'app', limitCores: 0.2, throttledSeconds: 12, periods: 300, throttledPeriods: 180 },
];
const peer = (share: number, name: string): WaitFacts => ({
  category: 'network',
  share,
  peer: { name, address: '10.0.0.9', port: 5432, protocol: 'tcp', direction: 'out' },
});

describe('findingOf', () => {
  it.each<[string, WaitsFacts, string]>([
    [
      'throttled and a peer',
      facts(
        [
          group('worker', { running: 0.2, throttled: 0.4, network: 0.3, sleep: 0.1 }, [
            peer(0.28, 'pod/db-0'),
            peer(0.02, 'pod/db-1'),
          ]),
        ],
        { throttling: THROTTLING },
      ),
      'What stands out: the thread worker spent 40.0 % throttled by the CPU limit of 200m (in 180 of 300 periods) and 28.0 % waiting for pod/db-0:5432 (network).',
    ],
    [
      'queued, with who ran',
      facts([group('victim', { running: 0.5, queued: 0.5 })], {
        ranInstead: [
          { name: 'victim', pod: 'pod/a', container: 'app', share: 0.95 },
          { name: 'greedy', pod: 'pod/batch-0', share: 0.9 },
        ],
      }),
      'What stands out: the thread victim spent 50.0 % in the queue of a CPU (for 90.0 % of it greedy of pod/batch-0 ran there).',
    ],
    [
      'a lock of a pool, beside threads that are idle',
      facts([
        group(
          'pool-N-thread-N',
          { lock: 0.9, running: 0.1 },
          [{ category: 'lock', share: 0.9, what: '0x7f' }],
          50,
        ),
        group('timer', { sleep: 1 }),
      ]),
      'What stands out: the 50 threads pool-N-thread-N spent 90.0 % waiting for the lock 0x7f.',
    ],
    [
      'an unknown peer, and a client of the pod',
      facts([
        group('w', { network: 0.6, idle: 0.4 }, [
          {
            category: 'network',
            share: 0.4,
            peer: { name: 'pod/web-1', port: 80, protocol: 'tcp', direction: 'in' },
          },
        ]),
      ]),
      'What stands out: the thread w spent 40.0 % waiting for its client pod/web-1 on port 80 (network) and 20.0 % waiting for an unknown peer (network).',
    ],
    [
      'a disk',
      facts([group('w', { disk: 0.5, idle: 0.5 }, [{ category: 'disk', share: 0.45, what: '/data/file' }])]),
      'What stands out: the thread w spent 50.0 % waiting for the disk (/data/file).',
    ],
    [
      'idle: the waits of a healthy server do not stand out',
      facts([group('redis-server', { idle: 0.97, running: 0.03 }), group('bio', { condition: 1 })]),
      'No wait stands out: for 98.5 % of the time the threads were idle, asleep by their own choice, or waiting for each other.',
    ],
    [
      'busy',
      facts([group('main', { running: 0.97, queued: 0.03 })]),
      'No wait stands out: the thread main ran on a CPU for 97.0 % of the time; kubectl gkeprof flamegraph shows in which functions.',
    ],
    [
      'a bit of everything',
      facts([group('main', { running: 0.4, idle: 0.57, network: 0.03 })]),
      'No wait stands out: none took 5 % of the time of a group of threads.',
    ],
  ])('%s', (_name, given, sentence) => expect(findingOf(given)).toBe(sentence));
});

describe('noteLines', () => {
  it('says what limits did, who ran, and what is missing', () =>
    expect(
      noteLines(
        facts([group('w', { queued: 0.2, running: 0.8 })], {
          throttling: [
            ...THROTTLING,
            { limitCores: 2, throttledSeconds: 0, periods: 300, throttledPeriods: 0 },
          ],
          ranInstead: [
            { name: 'a', pod: 'pod/x', share: 0.6 },
            { container: 'abc', share: 0.3 },
            { name: 'c', share: 0.1 },
          ],
          missedThreads: 3,
          stealShare: 0.05,
        }),
      ),
    ).toEqual([
      'The CPU limit of 200m of the container app throttled it in 180 of 300 periods, for 12s summed over CPUs.',
      'The CPU limit of 2 of the pod or of a cgroup above it did not throttle it.',
      'On the CPUs that threads waited for ran: a of pod/x 60.0 %, a process of container abc 30.0 %, c of the node 10.0 %.',
      "The hypervisor took 5.0 % of the time of the node's CPUs.",
      '3 threads came and went between two looks, or were too many to look at: their time is not in the tables.',
    ]));

  it('speaks of one thread as of one', () =>
    expect(noteLines(facts([group('w', { running: 1 })], { missedThreads: 1 }))).toEqual([
      '1 thread came and went between two looks, or was one too many to look at: its time is not in the tables.',
    ]));
});

describe('names that a pod chose', () => {
  const EVIL = 'e\u001b[31m\u202e\nvil';
  const file: WaitFacts = { category: 'disk', share: 0.5, what: `/d/${EVIL}` };

  it.each([
    [
      'a thread, a peer and a file',
      facts([group(EVIL, { network: 0.3, disk: 0.5 }, [peer(0.3, EVIL), file])]),
    ],
    ['a busy thread', facts([group(EVIL, { running: 0.9 })])],
    ['a neighbour', facts([group('a', { queued: 0.5 })], { ranInstead: [{ name: EVIL, share: 1 }] })],
    ['a container', facts([group('a', {})], { throttling: [{ ...THROTTLING[0]!, container: EVIL }] })],
  ])('reach a terminal as visible escapes: %s', (_, all) => {
    for (const line of [findingOf(all), ...noteLines(all)])
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  });
});
