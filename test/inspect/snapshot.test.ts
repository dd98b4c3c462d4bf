import { describe, expect, it } from 'vitest';
import { forest } from '../../src/inspect/forest.ts';
import {
  commandText,
  cpuPercent,
  memoryPercent,
  startText,
  stateText,
  timeText,
  ttyText,
} from '../../src/inspect/procps.ts';
import { parseSnapshot } from '../../src/inspect/snapshot.ts';
import { type Given, processLines, snapshotText } from './scene.ts';

const one = (given: Partial<Given>) => {
  const snapshot = parseSnapshot(snapshotText({ pid: 7, ...given }));
  return { snapshot, proc: snapshot.processes[0]! };
};

describe('parseSnapshot', () => {
  it('reads processes with names and arguments that are traps', () => {
    const { proc } = one({
      comm: 'a) R 1 (b\nc',
      argv: ['x', '/proc/1/cgroup:0::/kubepods', 'line\n/proc/1/stat:1 (init) S 0', 'ü'],
      nsPids: [7, 1],
      uid: 999,
    });
    expect(proc).toMatchObject({
      pid: 7,
      comm: 'a) R 1 (b\nc',
      argv: ['x', '/proc/1/cgroup:0::/kubepods', 'line\n/proc/1/stat:1 (init) S 0', 'ü'],
      nsPids: [7, 1],
      uid: 999,
      cgroups: ['0::/'],
    });
  });

  it('does not take a reused pid for the process that was there before, nor one that ended meanwhile', () => {
    expect(parseSnapshot(snapshotText({ pid: 7, start: 5, startAgain: 6 })).processes).toEqual([]);
    const ended = processLines({ pid: 7 }).slice(0, -1).join('\n');
    expect(parseSnapshot(ended).processes).toEqual([]);
  });

  it('names users by the passwd of their own mount namespace', () => {
    const text = [
      snapshotText({ pid: 7, uid: 999 }, { pid: 8, uid: 999 }, { pid: 9, uid: 5 }),
      'mnt:/proc/7/ns/mnt mnt:[1]',
      'mnt:/proc/8/ns/mnt mnt:[2]',
      'mnt:/proc/9/ns/mnt mnt:[1]',
      '/proc/7/root/etc/passwd:redis:x:999:999::/:/bin/sh',
      '/proc/8/root/etc/passwd:mysql:x:999:999::/:/bin/sh',
    ].join('\n');
    const snapshot = parseSnapshot(text);
    expect(snapshot.processes.map((proc) => snapshot.userName(proc))).toEqual(['redis', 'mysql', '5']);
  });

  it('says why there is no runtime, and what it said', () => {
    expect(parseSnapshot('crictl:no socket').runtimeProblem).toMatch(/socket was not found/);
    expect(parseSnapshot('crictl:none').runtimeProblem).toMatch(/no crictl/);
    expect(parseSnapshot('crictl-ps:FATA[0] connect: refused\ncrictl-pods:x').runtimeProblem).toBe(
      'crictl on the node said: FATA[0] connect: refused',
    );
    expect(parseSnapshot('').runtimeProblem).toBeUndefined();
  });
});

describe('the columns of ps', () => {
  // What procps-ng 4 prints of the same figures (src/ps/output.c); the end-to-end suite asks it itself.
  it.each<[Partial<Given>, string, string, string]>([
    [{ start: 0, ticks: 0 }, '0.0', '0:00', 'S'],
    [{ start: 9_990_000, ticks: 9950 }, '99.5', '1:39', 'S'],
    [{ start: 9_990_000, ticks: 30_000 }, '300', '5:00', 'S'],
    [{ start: 10_000_000, ticks: 50 }, '0.0', '0:00', 'S'],
    [{ nice: -5, threads: 3, session: 7, group: 9, foreground: 9, state: 'R' }, '0.0', '0:00', 'R<sl+'],
    [{ nice: 5, state: 'D' }, '0.0', '0:00', 'DN'],
  ])('%j', (given, cpu, time, stat) => {
    const { snapshot, proc } = one(given);
    expect([cpuPercent(proc, snapshot), timeText(proc, snapshot), stateText(proc)]).toEqual([
      cpu,
      time,
      stat,
    ]);
  });

  it('never has more than all of the memory', () => {
    const { snapshot, proc } = one({ rss: 500 });
    expect(memoryPercent(proc, snapshot)).toBe('50.0');
    const all = one({ rss: 4000 });
    expect(memoryPercent(all.proc, all.snapshot)).toBe('99.9');
  });

  it.each([
    ['the same minute', '2026-11-26T10:50', '2026-11-26T10:50', '10:50'],
    ['the last minute of its day', '2026-11-26T10:50', '2026-11-26T23:59', '10:50'],
    ['midnight, minutes later', '2026-11-26T23:58', '2026-11-27T00:01', 'Nov26'],
    ['the same hour of another day', '2026-11-06T09:05', '2026-11-07T09:05', 'Nov06'],
    ['another year, minutes later', '2025-12-31T23:58', '2026-01-01T00:01', '2025'],
    ['the same day of another year', '2025-11-26T10:50', '2026-11-26T10:50', '2025'],
  ])('START in %s', (_, started, taken, text) => {
    const { snapshot, proc } = one({ start: 0 });
    const bootSeconds = new Date(started).getTime() / 1000;
    expect(startText(proc, { ...snapshot, bootSeconds, takenMs: new Date(taken).getTime() })).toBe(text);
  });

  it.each([
    [0, '?'],
    [(136 << 8) | 3, 'pts/3'],
    [(137 << 8) | 4, 'pts/260'],
    [(4 << 8) | 1, 'tty1'],
    [(4 << 8) | 64, 'ttyS0'],
    [(5 << 8) | 1, 'console'],
  ])('terminal %d is %s', (device, text) => expect(ttyText(device)).toBe(text));

  it('prints the name in brackets where there is no command line', () => {
    expect(commandText(one({ argv: [], comm: 'kworker/0:1' }).proc)).toBe('[kworker/0:1]');
    expect(commandText(one({ argv: [], comm: 'sh', state: 'Z' }).proc)).toBe('[sh] <defunct>');
    expect(commandText(one({ argv: ['redis-server *:6379', '', '', ''] }).proc)).toMatch(
      /^redis-server \*:6379/,
    );
  });
});

describe('forest', () => {
  it('draws relatives as ps f does', () => {
    const { processes } = parseSnapshot(
      snapshotText(
        { pid: 10, ppid: 1 },
        { pid: 11, ppid: 10 },
        { pid: 12, ppid: 11 },
        { pid: 13, ppid: 10 },
        { pid: 14, ppid: 13 },
        { pid: 20, ppid: 99 },
      ),
    );
    expect(forest(processes).map(({ proc, drawn }) => `${proc.pid}${drawn}`)).toEqual([
      '10',
      '11 \\_ ',
      '12 |   \\_ ',
      '13 \\_ ',
      '14     \\_ ',
      '20',
    ]);
  });
});
