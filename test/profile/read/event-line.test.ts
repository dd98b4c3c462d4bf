import { describe, expect, it } from 'vitest';
import {
  EventBytes,
  isOtherRecord,
  parseEventLine,
  parseLost,
  parseWho,
} from '../../../src/profile/read/event-line.ts';

const TAIL = '   101/102   [003]  3967.038416:   10101010 cpu-clock: ';

/** What the fast reader of bytes says of a line; undefined where it leaves it to the slow one. */
function readBytes(line: string) {
  const reader = new EventBytes();
  const bytes = Buffer.from(line);
  if (!reader.read(bytes, 0, bytes.length)) return undefined;
  const text = (from: number, to: number) => bytes.toString('utf8', from, to);
  return {
    who: text(0, reader.whoEnd).trim(),
    event: text(reader.eventStart, reader.eventEnd),
    time: reader.time,
    period: reader.period,
    ...(reader.cgroupEnd > 0 && { cgroup: text(reader.cgroupStart, reader.cgroupEnd) }),
  };
}

const NAMES = [
  'redis-server',
  'x',
  '0',
  '',
  'a;b',
  'worker 3 x',
  'pool-1-thread-2',
  'ET_NET 0]',
  '[ET_NET 0]',
  '([JIT app cache])',
  'V8 WorkerThread',
  'kworker/0:1',
  'a 1/2 [000] 1.0: 5 cycles:',
  '日本語',
  '\x1b[31mred',
  "it's",
  ':123',
  'dead beef',
  '#1',
];

describe('an event line', () => {
  it.each(NAMES)('the thread may be called %j', (comm) => {
    const line = `${comm}${TAIL}`;
    const who = `${comm}   101/102`.trim();
    const facts = { time: 3967.038416, period: 10101010, event: 'cpu-clock' };
    expect(parseEventLine(line)).toEqual({ who, cpu: 3, rest: '', ...facts });
    expect(readBytes(line)).toEqual({ who, ...facts });
    expect(parseWho(who)).toEqual({ comm, pid: 101, tid: 102 });
  });

  const PATH = '/kubepods/burstable/pod430eb98a-8da4-4a68-8aa1-9376d13fd3f0/abc';
  it.each([
    PATH,
    '/',
    'unknown',
    // What a container can call a cgroup below its own: the rest of an event line, blanks, colons.
    `${PATH}/x   1/1   [000]     1.000000:          1 cycles:  /kubepods/other`,
    `${PATH}/x 1/1 [000] 1.0: 1 cycles:`,
    `${PATH}/a b : c:`,
    `${PATH}/ends in a blank `,
  ])('has the cgroup %j behind the event, whatever the thread is called', (cgroup) => {
    for (const comm of [...NAMES, '1 [0] 1.1: 1 a:', '1 1.1: a:  /x', 'x 1.1: 1 a:  /'])
      for (const end of ['', '\r'])
        expect(readBytes(`${comm}${TAIL} ${cgroup}${end}`), comm).toEqual({
          who: `${comm}   101/102`.trim(),
          ...{ time: 3967.038416, period: 10101010, event: 'cpu-clock', cgroup },
        });
  });

  it.each([
    ['the text of a tracepoint', `${TAIL.replace('cpu-clock', 'probe:open')}/etc/passwd`],
    ['no period', 'sh   101/102   [003]  3967.038416: cpu-clock:  /kubepods'],
    ['another column before it', `sh${TAIL}    7f6e2f6ab010 /kubepods`],
    ['a word', `sh${TAIL} unknown word`],
  ])('has no cgroup where there is %s', (_, line) => expect(readBytes(line)).toBeUndefined());

  // Forms of other perf versions and other -F lists: comm, [cpu], time and period may each be missing.
  it.each([
    ['java 25607 4794564.109216: cycles:', 'java 25607', -1, 4794564.109216, Number.NaN, 'cycles'],
    [
      'V8 WorkerThread 24636/25607 [000] 94564.109216: 5 cycles:u: ',
      'V8 WorkerThread 24636/25607',
      0,
      94564.109216,
      5,
      'cycles:u',
    ],
    [
      'swapper     0 [007] 158665.570607: cpu-clock: ',
      'swapper     0',
      7,
      158665.570607,
      Number.NaN,
      'cpu-clock',
    ],
    ['a 1/2 [000] 1.123456789: 1 cpu_core/cycles/P: ', 'a 1/2', 0, 1.123456789, 1, 'cpu_core/cycles/P'],
    ['a 1/2 [000] 250 cycles:', 'a 1/2', 0, Number.NaN, 250, 'cycles'],
    ['node-v011 31912 cpu-clock: ', 'node-v011 31912', -1, Number.NaN, Number.NaN, 'cpu-clock'],
    ['worker 3 x 31912/31913 5 cycles: ', 'worker 3 x 31912/31913', -1, Number.NaN, 5, 'cycles'],
    ['a 1/2 250 cycles:', 'a 1/2', -1, Number.NaN, 250, 'cycles'],
    [':-1    -1/-1    [000]  5.5:     400160 cpu-clock:', ':-1    -1/-1', 0, 5.5, 400160, 'cpu-clock'],
  ])('%j', (line, who, cpu, time, period, event) => {
    expect(parseEventLine(line)).toEqual({ who, cpu, time, period, event, rest: '' });
    const bytes = readBytes(line);
    if (!Number.isNaN(time)) expect(bytes).toEqual({ who, time, period, event });
    else expect(bytes).toBeUndefined();
  });

  it.each([
    [
      'a 1/2 [000] 1.5: 1 sched:sched_switch: prev_comm=a prev_pid=1',
      'sched:sched_switch',
      'prev_comm=a prev_pid=1',
    ],
    ['a 1/2 [000] 1.5: cycles:  ffff f ([k])', 'cycles', 'ffff f ([k])'],
  ])('what stands behind the event is its rest: %j', (line, event, rest) => {
    expect(parseEventLine(line)).toMatchObject({ event, rest });
    expect(readBytes(line)).toBeUndefined();
  });

  // `-F` without event, without time, with misc: perf 6.1 prints these.
  it.each([
    ['rs_v0 24400  1935.689999: ', 'rs_v0 24400', -1, 1935.689999, Number.NaN, 'samples'],
    ['24400  1935.689999: ', '24400', -1, 1935.689999, Number.NaN, 'samples'],
    ['rs_v0 24400 [001]  1935.689999:    2004008 ', 'rs_v0 24400', 1, 1935.689999, 2004008, 'samples'],
    [
      '1/2 [000] 3.4: 21579/21605  1899.378295: ',
      '1/2 [000] 3.4: 21579/21605',
      -1,
      1899.378295,
      Number.NaN,
      'samples',
    ],
    ['rs_v0 24400 [001] ', 'rs_v0 24400', 1, Number.NaN, Number.NaN, 'samples'],
    ['rs_v0 24400 ', 'rs_v0 24400', -1, Number.NaN, Number.NaN, 'samples'],
    [
      'rs_v0 29773 U      2041.326211:    5025125 cpu-clock: ',
      'rs_v0 29773 U',
      -1,
      2041.326211,
      5025125,
      'cpu-clock',
    ],
    [
      '1/2 [000] 3.4: 21605 K  1899.378295: 7 cpu-clock: ',
      '1/2 [000] 3.4: 21605 K',
      -1,
      1899.378295,
      7,
      'cpu-clock',
    ],
  ])('%j', (line, who, cpu, time, period, event) => {
    expect(parseEventLine(line)).toEqual({ who, cpu, time, period, event, rest: '' });
    expect(parseWho(who)?.tid).toBeGreaterThan(21600);
  });

  it.each([
    'swapper     0 [000]     0.000000: PERF_RECORD_MMAP -1/0: [0xffffffff81000000(0x1) @ 0xff]: x [kernel.kallsyms]_text',
    'node-MainThread     0 [000]     0.000000: PERF_RECORD_FORK(27702:27702):(7872:7872)',
    'cpp 21579  1898.925365: PERF_RECORD_COMM exec: cpp:21579/21579',
    'bash     0     0.000000: PERF_RECORD_COMM: bash:21910/21910',
    'PERF_RECORD_FINISHED_ROUND',
  ])('%j is another record, no sample', (line) => {
    expect(parseEventLine(line)).toBeUndefined();
    expect(readBytes(line)).toBeUndefined();
    expect(isOtherRecord(line)).toBe(true);
  });

  it("is not taken in by what a tracepoint's text holds", () => {
    const line = 'a 1/2 [000] 1.5: 1 sched:sched_switch: prev_comm=b 3/4 [000] 2.5: 9 cycles:';
    const facts = { who: 'a 1/2', time: 1.5, period: 1, event: 'sched:sched_switch' };
    expect(parseEventLine(line)).toMatchObject(facts);
    expect(readBytes(line)).toBeUndefined();
  });

  it('counts what perf lost', () => {
    expect(parseLost('a 1/2 [000] 1.5: PERF_RECORD_LOST lost 12')).toBe(12);
    expect(parseLost('a 1/2 [000] 1.5: PERF_RECORD_LOST_SAMPLES lost 3')).toBe(3);
    expect(parseLost('a 1/2 [000] 1.5: 1 cycles:')).toBeUndefined();
  });

  it.each(['', 'nonsense', 'no digits: here:', 'a [000] 1.5: 1 cycles:', '1.5: 1 cycles:'])(
    '%j is none',
    (line) => {
      expect(parseEventLine(line)).toBeUndefined();
      expect(readBytes(line)).toBeUndefined();
    },
  );
});
