import { describe, expect, it } from 'vitest';
import { forest } from '../../src/snapshot/process-tree.ts';
import {
  commandText,
  cpuPercent,
  memoryPercent,
  startText,
  stateText,
  timeText,
  ttyText,
} from '../../src/snapshot/procps.ts';
import { parseSnapshot } from '../../src/snapshot/snapshot.ts';
import { fc } from '../properties.ts';
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

  // The kubelet gives each pod a range of its own from 65536 on (KEP-127); uid_map as the node sees it (user_namespaces(7)).
  it('names users of a pod with a user namespace by their numbers there', () => {
    const text = [
      snapshotText(
        { pid: 7, uid: 131_072 },
        { pid: 8, uid: 132_071 },
        { pid: 9, uid: 131_077 },
        { pid: 10, uid: 132_071 },
        { pid: 11, uid: 132_071 },
        { pid: 12, uid: 999 },
      ),
      ...[7, 8, 9, 10].map((pid) => `mnt:/proc/${pid}/ns/mnt mnt:[1]`),
      ...[7, 8, 9].map((pid) => `user:/proc/${pid}/ns/user user:[1]`),
      // One that a container made for itself: the pod's numbers count, not that it calls itself root there.
      'user:/proc/10/ns/user user:[2]',
      // The node's own, which happens to have such a number.
      ...[11, 12].map((pid) => `user:/proc/${pid}/ns/user user:[3]`),
      '/proc/7/uid_map:         0     131072      65536',
      '/proc/10/uid_map:         0     132071          1',
      '/proc/11/uid_map:         0          0 4294967295',
      '/proc/7/root/etc/passwd:redis:x:999:',
      '/proc/7/root/etc/passwd:daemon:x:1:',
    ].join('\n');
    const snapshot = parseSnapshot(text);
    expect(snapshot.processes.map((proc) => snapshot.userName(proc))).toEqual([
      'root',
      'redis',
      '5',
      'redis',
      '132071',
      '999',
    ]);
  });

  it('says whose name may be behind what was read of a passwd', () => {
    const text = [
      snapshotText({ pid: 7, uid: 999 }, { pid: 8, uid: 5 }, { pid: 9, uid: 5 }),
      'mnt:/proc/7/ns/mnt mnt:[1]',
      'mnt:/proc/8/ns/mnt mnt:[1]',
      'mnt:/proc/9/ns/mnt mnt:[2]',
      '/proc/7/root/etc/passwd:redis:x:999:',
      'passwd-cut:7',
    ].join('\n');
    const snapshot = parseSnapshot(text);
    expect(snapshot.processes.map((proc) => snapshot.isUserCut(proc))).toEqual([false, true, false]);
  });

  it('says which command lines are not whole, and whether the answer is', () => {
    const processes = [7, 8, 9].map((pid) => ({ pid, argv: pid === 9 ? [] : ['x'] }));
    const text = `${snapshotText(...processes)}\ncommand-bytes 8:4096`;
    const cut = (snapshot: ReturnType<typeof parseSnapshot>) =>
      snapshot.processes.map((proc) => proc.argvCut);
    expect(cut(parseSnapshot(text))).toEqual([false, true, false]);
    expect(cut(parseSnapshot(`${text}\ncommands:cut`))).toEqual([false, true, true]);
    expect(parseSnapshot(text).isCut).toBe(false);
    expect(parseSnapshot(text.replace('whole:yes', '')).isCut).toBe(true);
    // A process cannot say it: its lines have their path before them.
    expect(parseSnapshot(text.replace('whole:yes', '/proc/8/cmdline:whole:yes')).isCut).toBe(true);
  });

  it('takes every hostile name for what it is', () => {
    const piece = fc.constantFrom(
      'a',
      ' ',
      '\n',
      ':',
      '(',
      ') ',
      ') R 1 1 1',
      '/proc/1/stat:',
      'whole:yes',
      'ü',
      '\u001b[2J',
    );
    const word = fc.array(piece, { maxLength: 6 }).map((all) => all.join(''));
    // A name has at most 15 bytes, and none of these a NUL; an empty last argument is not told from none.
    const given = fc.record({
      comm: word.map((text) => text.slice(0, 15)),
      argv: fc.array(word, { maxLength: 4 }).map((words) => ['first', ...words, 'last']),
      cgroup: word.map((text) => `0::/kubepods/${text.replaceAll('\n', '')}x`),
    });
    fc.assert(
      fc.property(fc.array(given, { minLength: 1, maxLength: 4 }), (all) => {
        const snapshot = parseSnapshot(snapshotText(...all.map((each, at) => ({ pid: at + 7, ...each }))));
        expect(snapshot.processes.map(({ pid, comm, argv }) => ({ pid, comm, argv }))).toEqual(
          all.map(({ comm, argv }, at) => ({ pid: at + 7, comm, argv })),
        );
        expect(snapshot.processes.map(({ cgroups }) => cgroups)).toEqual(all.map(({ cgroup }) => [cgroup]));
        expect(snapshot.isCut).toBe(false);
      }),
    );
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
  // Any process can have a child, and that one another: ten thousand deep ended in a stack overflow.
  it('draws a line of children however long it is', () => {
    const deep = Array.from({ length: 20_000 }, (_, at) => ({ pid: at + 10, ppid: at + 9 }));
    const { processes } = parseSnapshot(snapshotText(...deep));
    const drawn = forest(processes);
    expect(drawn.map(({ proc }) => proc.pid)).toEqual(deep.map(({ pid }) => pid));
    expect(Math.max(...drawn.map((each) => each.drawn.length))).toBeLessThan(500);
  });

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
