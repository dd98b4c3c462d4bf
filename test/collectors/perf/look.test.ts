import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asset } from '../../../src/assets.ts';
import { ThreadLooks } from '../../../src/profile/read/looks.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-look-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const MACHINE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

const CONTAINER = 'c'.repeat(64);
const SANDBOX = 'd'.repeat(64);

/** A cgroup of plain files with these processes, in place of the kernel's. */
function cgroup(path: string, ...pids: number[]): string {
  const place = join(folder, 'cgroup', path);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'cgroup.procs'), pids.map((pid) => `${pid}\n`).join(''));
  return place;
}

/** A thread in a folder in place of /proc: the text of its files. */
function thread(pid: number, tid: number, files: Readonly<Record<string, string>>): void {
  const place = join(folder, 'proc', `${pid}/task/${tid}`);
  mkdirSync(place, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
}

const stat = (tid: number, comm: string, state: string, begun: number) =>
  `${tid} (${comm}) ${state} 1 2 3 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 3 0 ${begun} 1000 50 18446744073709551615\n`;

interface Look {
  readonly when?: 'start' | 'end';
  readonly root?: string;
  readonly containers?: string;
  readonly most?: number;
  readonly proc?: string;
}

/** The lines of a look at the threads of a cgroup. */
function look(scope: string, more: Look = {}): string[] {
  const { when = 'start', root = '', containers = '', most = 100, proc = join(folder, 'proc') } = more;
  const program = asset('collectors/perf/look.pl');
  const argv = ['-e', program, 'look', when, MACHINE, scope, root, containers, String(most), proc];
  const { stdout, stderr } = spawnSync('perl', argv, { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trimEnd().split('\n');
}

/** The lines without the times. */
const withoutTimes = (lines: readonly string[]) =>
  lines.map((line) => line.replace(/ \d+\.\d{6}(?= |$)/, ' T'));

describe('a look at the threads of a target', () => {
  it('has what the kernel says of each of them', () => {
    thread(7, 7, {
      stat: stat(7, 'app', 'S', 900),
      schedstat: '5000 100 3\n',
      stack:
        '[<0>] futex_do_wait+0x38/0x70\n[<0>] nf_x.isra.0+0x1/0x2 [nf_conntrack]\n[<0>] do_syscall_64+0x1/0x2\n',
    });
    thread(7, 8, { stat: stat(8, 'x', 'D', 901), schedstat: '1 2 4\n', stack: '', wchan: 'io_schedule' });
    thread(7, 9, { stat: stat(9, 'y', 'R', 902), schedstat: '1 2 5\n', stack: '[<0>] x+0x1/0x2\n' });
    const scope = cgroup('pod', 7);
    const lines = look(scope, { root: join(folder, 'cgroup') });
    expect(withoutTimes(lines).toSorted()).toEqual([
      '# look start T',
      '# looked start 3 0',
      '# thread start T 7/7 S 900 5000 3 futex_do_wait,nf_x.isra.0[nf_conntrack],do_syscall_64 /pod app',
      '# thread start T 7/8 D 901 1 4 io_schedule /pod x',
      '# thread start T 7/9 R 902 1 5 - /pod y',
    ]);
    expect(withoutTimes(look(scope, { when: 'end' }))).toEqual(
      expect.arrayContaining(['# look end T', '# thread end T 7/7 S 900 5000 3', '# looked end 3 0']),
    );
    const times = lines.slice(0, 4).map((line) => Number(/ (\d+\.\d{6})( |$)/.exec(line)![1]));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it.each(['a) R 1 (b', 'x\n# look end 5', ') S 1 2', '\t%41;', 'é\u007f', ''])(
    'is not misled by the name %j',
    (comm) => {
      thread(7, 7, { stat: stat(7, comm, 'S', 900), schedstat: '5000 100 3\n', stack: '' });
      const lines = look(cgroup('pod', 7));
      expect(lines).toHaveLength(3);
      const looks = new ThreadLooks();
      for (const line of lines) expect(looks.read(line)).toBe(true);
      expect(looks.atStart.get(7)).toMatchObject({ state: 'S', begun: 900, ran: 5000, slices: 3 });
      expect(looks.atStart.get(7)?.comm).toBe(comm.replaceAll(/[\n\t\u007f]/g, '?'));
      expect(looks.ended).toBeNaN();
    },
  );

  it('leaves out the sandbox of a pod, and what is not there any more', () => {
    for (const pid of [7, 8]) thread(pid, pid, { stat: stat(pid, 'x', 'S', 1), schedstat: '1 1 1\n' });
    thread(9, 9, { stat: '', schedstat: '' });
    const scope = cgroup('pod');
    cgroup(`pod/${CONTAINER}`, 7, 9, 10);
    cgroup(`pod/cri-containerd-${SANDBOX}.scope`, 8);
    expect(withoutTimes(look(scope, { containers: CONTAINER })).slice(1)).toEqual([
      '# thread start T 7/7 S 1 1 1 - - x',
      '# looked start 1 0',
    ]);
  });

  it('stops at the largest number of threads, and says how many it left out', () => {
    for (let tid = 10; tid < 60; tid += 1)
      thread(10, tid, { stat: stat(tid, 'x', 'S', 1), schedstat: '1 1 1\n' });
    const lines = look(cgroup('pod', 10), { most: 20 });
    expect(lines).toHaveLength(22);
    expect(lines.at(-1)).toBe('# looked start 20 30');
  });

  describe('of a program', () => {
    let child: ChildProcess | undefined;
    afterEach(() => child?.kill('SIGKILL'));

    it('sees that it did nothing between two looks', () => {
      child = spawn('sleep', ['1000'], { stdio: 'ignore' });
      const pid = child.pid!;
      const scope = cgroup('pod', pid);
      const seen = (when: 'start' | 'end') => {
        const looks = new ThreadLooks();
        for (const line of look(scope, { when, proc: '/proc' })) looks.read(line);
        return looks;
      };
      let start = seen('start').atStart.get(pid);
      while (start?.state !== 'S' || start.comm !== 'sleep') start = seen('start').atStart.get(pid);
      const end = seen('end').atEnd.get(pid);
      expect(end).toMatchObject({
        pid,
        state: 'S',
        begun: start.begun,
        ran: start.ran,
        slices: start.slices,
      });
      expect(start.slices).toBeGreaterThan(0);
      expect(end!.time).toBeGreaterThan(start.time);
      // Only root may read the stack.
      if (process.getuid?.() === 0) expect(start.functions.join(' ')).toMatch(/nanosleep/);
    });
  });

  it('is what the program of the node does when it is asked for a look', () => {
    const program = ['look', 'jitdump', 'hold', 'cache']
      .map((name) => asset(`collectors/perf/${name}.pl`))
      .join('');
    const path = join(folder, 'program.pl');
    writeFileSync(path, program);
    const scope = cgroup('pod', process.pid);
    const argv = [path, 'look', 'end', MACHINE, scope, '', '', '100', '/proc'];
    const own = execFileSync('perl', argv, { encoding: 'utf8' });
    expect(own).toMatch(new RegExp(`^# thread end \\d+\\.\\d{6} ${process.pid}/${process.pid} [RSD] `, 'm'));
  });
});
