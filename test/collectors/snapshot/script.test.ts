import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asset } from '../../../src/assets.ts';
import { Roster } from '../../../src/snapshot/owner.ts';
import { processRow } from '../../../src/snapshot/process-list.ts';
import { parseSnapshot } from '../../../src/snapshot/snapshot.ts';
import { runShell } from '../../node/shell.ts';

const PARTS = [
  'node/protocol.sh',
  'node/identity.sh',
  'node/network.sh',
  'node/runtime.sh',
  'collectors/snapshot/snapshot.sh',
] as const;

/** A snapshot of this very machine, by the node's own script. */
function take(before = '') {
  const script = `${before}\nnow_ms; printf "taken:%s\\n" "$now"; part_processes; :`;
  const snapshot = parseSnapshot(runShell(PARTS, script));
  const roster = new Roster([], undefined, snapshot.processes);
  const rows = snapshot.processes.map((proc) => processRow('n', snapshot, proc, roster.ownerOf(proc)));
  return { snapshot, rows: new Map(rows.map((row) => [row.proc.pid, row])) };
}

// What `ps u` prints (procps src/ps/parser.c, the format `u`), and the number of threads.
const COLUMNS = 'pid,euser:32,pcpu,pmem,vsz,rss,tname,stat,start_time,bsdtime,nlwp,args';

function rowsOfPs(): Map<number, string[]> {
  const lines = execFileSync('ps', ['-ewwo', COLUMNS], { encoding: 'utf8' }).split('\n').slice(1);
  const rows = lines.flatMap((line): Array<[number, string[]]> => {
    const match = /^\s*(\d+)\s+((?:\S+\s+){10})(.*)$/.exec(line);
    return match ? [[Number(match[1]), [...match[2]!.trim().split(/\s+/), match[3]!.trimEnd()]]] : [];
  });
  return new Map(rows);
}

// Of every kind of process one: nice, a leader of its session, stopped, a zombie, and one on a terminal. They say where
// their children are by their names.
const SCENE = `
nice -n 5 sleep 300 &
setsid sleep 301 &
sleep 302 & stopped=$!
perl -e 'if (fork) { sleep 300 } else { exit }' &
script -qc 'sleep 303' /dev/null >/dev/null </dev/null &
exec -a "$1" sleep 304 &
perl -e 'open(F, ">/proc/self/comm"); print F "a) R 1\\n(b"; close F; sleep 305' gkeprof-named &
until grep -qx sleep /proc/$stopped/comm; do sleep 0.02; done; kill -STOP $stopped
wait
`;
const HOSTILE = 'x\n/proc/1/stat:1 (evil) R 0\u001b[2J$(touch /tmp/gkeprof-evil) `id`';

describe('a snapshot of this machine', () => {
  let scene: ReturnType<typeof spawn>;
  beforeAll(async () => {
    scene = spawn('bash', ['-c', SCENE, 'scene', HOSTILE], { stdio: 'ignore', detached: true });
    for (let tries = 0; tries < 100; tries += 1) {
      const named = [...take().rows.values()].filter((row) => /\b30[0-5]\b|gkeprof-named/.test(row.command));
      if (named.some(({ stat }) => stat === 'T') && named.some(({ proc }) => proc.comm.startsWith('a) R')))
        return;
      await delay(50);
    }
  });
  afterAll(() => {
    const family = [...take().rows.values()].filter(({ proc }) =>
      proc.argv.some((word) => /^(30[0-5]|gkeprof-named|sleep 303)$/.test(word)),
    );
    for (const { proc } of family) process.kill(proc.pid, 'SIGKILL');
    process.kill(-scene.pid!, 'SIGKILL');
  });

  it('has the columns of ps, of every process', () => {
    const matched = new Set<number>();
    const seen = new Map<number, { ours: string[]; theirs: string[] }>();
    // What changed while the three were taken, and a process that has just begun, may differ in one round. What is wrong
    // differs in all of them.
    for (let round = 0; round < 12 || (seen.size > 0 && round < 60); round += 1) {
      const before = rowsOfPs();
      const { rows } = take();
      const after = rowsOfPs();
      seen.clear();
      for (const [pid, theirs] of before) {
        const row = rows.get(pid);
        const isControl =
          row?.proc.argv.some((word) => /[^ -~]/.test(word)) || /[^ -~]/.test(row?.proc.comm ?? '');
        if (JSON.stringify(after.get(pid)) !== JSON.stringify(theirs) || matched.has(pid) || isControl)
          continue;
        const ours = row
          ? [
              row.user,
              row.cpu,
              row.memory,
              row.vszKb,
              row.proc.rssKb,
              row.tty,
              row.stat,
              row.start,
              row.time,
              row.proc.threads,
              row.command.trimEnd(),
            ].map(String)
          : [];
        if (JSON.stringify(ours) === JSON.stringify(theirs)) matched.add(pid);
        else seen.set(pid, { ours, theirs });
      }
    }
    for (const { ours, theirs } of seen.values()) expect(ours).toEqual(theirs);
    expect(matched.size).toBeGreaterThan(8);
  });

  // The hour of this run must not decide whether the day's end is met: in one of these zones it is always near.
  it('has the START of ps, whatever the hour', () => {
    const zones = Array.from({ length: 24 }, (_, hour) => `Etc/GMT${hour < 12 ? '+' : '-'}${hour % 12}`);
    const ofPs = () =>
      zones.map((TZ) =>
        execFileSync('ps', ['-o', 'start_time=', '-p', '1'], {
          encoding: 'utf8',
          env: { ...process.env, TZ },
        }).trim(),
      );
    const own = process.env.TZ;
    const before = ofPs();
    const { snapshot } = take();
    const after = ofPs();
    const first = snapshot.processes.find(({ pid }) => pid === 1)!;
    const owner = new Roster([], undefined, snapshot.processes).ownerOf(first);
    try {
      for (const [at, zone] of zones.entries()) {
        process.env.TZ = zone;
        // The day may end between two of them, and with it the form of the time.
        expect([before[at], after[at]], zone).toContain(processRow('n', snapshot, first, owner).start);
      }
    } finally {
      if (own === undefined) delete process.env.TZ;
      else process.env.TZ = own;
    }
  });

  it('has the kinds that were made', async () => {
    const kinds = () => {
      const rows = [...take().rows.values()];
      const sleeper = (words: string) =>
        rows.find(({ proc }) => proc.comm === 'sleep' && proc.argv.join(' ') === words);
      return {
        nice: sleeper('sleep 300')?.stat,
        leader: sleeper('sleep 301')?.stat,
        stopped: sleeper('sleep 302')?.stat,
        zombie: rows.find(({ command }) => command === '[perl] <defunct>')?.stat,
        terminal: [sleeper('sleep 303')?.tty, sleeper('sleep 303')?.stat],
      };
    };
    // A busy machine takes its time to make them, and one that sleeps may just have been woken.
    await expect.poll(kinds, { timeout: 100_000 }).toEqual({
      nice: 'SN',
      leader: 'Ss',
      stopped: 'T',
      zombie: expect.stringMatching(/^Z/),
      terminal: [expect.stringMatching(/^pts\/\d+$/), expect.stringMatching(/^S.*\+$/)],
    });
  });

  it('takes names and command lines that are traps for what they are', () => {
    const rows = [...take().rows.values()];
    expect(rows.find(({ proc }) => proc.argv[1] === '304')?.proc.argv).toEqual([HOSTILE, '304']);
    expect(rows.find(({ proc }) => proc.comm === 'a) R 1\n(b')?.proc.argv.at(-1)).toBe('gkeprof-named');
    expect(rows.find(({ proc }) => proc.pid === 1)?.proc.comm).toBe(
      readFileSync('/proc/1/comm', 'utf8').trimEnd(),
    );
    expect(existsSync('/tmp/gkeprof-evil')).toBe(false);
  });

  it('has every process, and says which command lines are missing, where one process holds the others up', () => {
    const isCut = (before = '') => take(before).snapshot.processes.some(({ argvCut }) => argvCut);
    expect(isCut()).toBe(false);
    const { rows } = take('timeout() { [[ $3 == 30 ]] && return 124; shift 3; "$@"; }');
    expect(rows.get(process.pid)?.proc).toMatchObject({ pid: process.pid, argv: [], argvCut: true });
  });

  // 1,200 processes with 1.7 MB each took 2.1 GB and 111 s, and `ps` of another pod ended in "no process".
  it('reads of long command lines the beginning, of many long ones less, and of all others everything', async () => {
    const many = Array.from({ length: 3 }, () =>
      spawn('perl', ['-e', 'sleep 310', ...Array.from({ length: 10 }, (_, at) => `${at}\n`.repeat(20_000))]),
    );
    const last = spawn('perl', ['-e', 'sleep 311', 'x'.repeat(4000)]);
    try {
      const both = await Promise.all(
        [...many, last].map((child) => new Promise((resolve) => child.once('spawn', resolve))),
      );
      expect(both).toHaveLength(4);
      const text = runShell(PARTS, 'long_commands=2; part_processes; :');
      expect(Buffer.byteLength(text)).toBeLessThan(3_000_000);
      const { processes } = parseSnapshot(text);
      const found = [...many, last].map((child) => processes.find(({ pid }) => pid === child.pid)!);
      expect(found.map(({ argvCut }) => argvCut)).toEqual([true, true, true, false]);
      const lengths = found.map(({ argv }) => argv.join(' ').length);
      expect(lengths[0]).toBeGreaterThan(20_000);
      expect(lengths[2]).toBeLessThan(4097);
      expect(lengths[2]).toBeGreaterThan(500);
      expect(found[2]!.argv.slice(0, 3)).toEqual(['perl', '-e', 'sleep 310']);
      expect(found[3]!.argv).toEqual(['perl', '-e', 'sleep 311', 'x'.repeat(4000)]);
    } finally {
      for (const child of [...many, last]) child.kill('SIGKILL');
    }
  });

  it('ends at a bound, and says that it did, and counts the status of gzip', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-answer-'));
    try {
      const at = (before: string) =>
        execFileSync(
          'bash',
          [
            '-c',
            `${PARTS.map(asset)
              .join('\n')
              .replace(/^scratch=.*\n.*scratch=.*$/m, `scratch=${folder}`)}
             mkdir -p "$WORK" "$OUT"; refuse() { echo "refused $1"; exit; }; ${before}
             answer first processes; gzip -dc "$OUT/answer-first"`,
          ],
          { encoding: 'utf8', maxBuffer: 1 << 26 },
        );
      expect(parseSnapshot(at('')).isCut).toBe(false);
      const cut = at('answer_bytes=10000');
      expect(cut).toHaveLength(10_000);
      expect(parseSnapshot(cut).isCut).toBe(true);
      expect(at('gzip() { return 1; }')).toBe('refused answer-failed\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // A container's own files may lead anywhere: nothing of the node's or of the debug pod's is read for them.
  it('names users by a passwd that is a file, not by where a link leads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-passwd-'));
    writeFileSync(join(folder, 'elsewhere'), 'secret:x:77:77::/:/bin/sh\n');
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'passwd'));
    const named = join(folder, 'named');
    writeFileSync(named, 'red\u001b[31m:x:77:77::/:/bin/sh\n');
    const script = (what: string) => `${what} && exec setpriv --reuid 77 --clear-groups sleep 309`;
    const children = [`mount --bind ${folder} /etc`, `mount --bind ${named} /etc/passwd`].map((what) =>
      spawn('unshare', ['-m', 'sh', '-c', script(what)], { stdio: 'ignore' }),
    );
    try {
      const users = () =>
        children
          .map(({ pid }) => take().rows.get(pid!))
          .map((row) => (row?.proc.argv[0] === 'sleep' ? row.user : ''));
      await expect.poll(users).toEqual(['77', 'red\u001b[31m']);
    } finally {
      for (const child of children) child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });

  it('says that a passwd was not read to its end, and names users in a user namespace', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-passwd-'));
    const long = Array.from({ length: 6000 }, (_, at) => `user${at}:x:${at + 1000}:1::/:/bin/sh\n`);
    writeFileSync(join(folder, 'passwd'), `inside:x:77:77::/:/bin/sh\n${long.join('')}`);
    const bind = `mount --bind ${folder}/passwd /etc/passwd`;
    const children = [
      ['-m', 'sh', '-c', `${bind} && exec setpriv --reuid 1001 --clear-groups sleep 312`],
      ['-m', 'sh', '-c', `${bind} && exec setpriv --reuid 6900 --clear-groups sleep 312`],
    ].map((words) => spawn('unshare', words, { stdio: 'ignore' }));
    const inside = spawn(
      'unshare',
      [
        '-m',
        'sh',
        '-c',
        `${bind} && exec unshare -U --keep-caps sh -c 'until grep -q . /proc/self/gid_map; do sleep 0.02; done; exec setpriv --reuid 77 --clear-groups sleep 312'`,
      ],
      { stdio: 'ignore' },
    );
    try {
      for (let tries = 0; tries < 200; tries += 1) {
        try {
          writeFileSync(`/proc/${inside.pid}/uid_map`, '0 131072 65536\n');
          writeFileSync(`/proc/${inside.pid}/gid_map`, '0 131072 65536\n');
          break;
        } catch {
          await delay(50);
        }
      }
      const rows = () => {
        const { rows: all, snapshot } = take();
        return [children[0]!, children[1]!, inside].map(({ pid }) => {
          const row = all.get(pid!);
          return row?.proc.argv[0] === 'sleep' ? [row.user, snapshot.isUserCut(row.proc), row.proc.uid] : [];
        });
      };
      await expect.poll(rows).toEqual([
        ['user1', false, 1001],
        ['6900', true, 6900],
        ['inside', false, 131_149],
      ]);
    } finally {
      for (const child of [...children, inside]) child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });
});

it('asks of each namespace the process that was there first, not one that may be gone in a moment', () => {
  // In a pid namespace of its own, where the next pid can be chosen: the name 10000 sorts before any of one digit.
  const script = `
    unshare --net sleep 60 & first=$!
    until [[ $(</proc/$first/comm) == sleep ]]; do sleep 0.01; done
    echo 9999 >/proc/sys/kernel/ns_last_pid
    nsenter "--net=/proc/$first/ns/net" sleep 60 & second=$!
    until [[ $(</proc/$second/comm) == sleep ]]; do sleep 0.01; done
    one_of_each net
    for pid in "\${members[@]}"; do
      [[ /proc/$pid/ns/net -ef /proc/$first/ns/net ]] && printf '%s of %s %s\\n' "$pid" "$first" "$second"
    done
    kill "$first" "$second"`;
  const said = runShell(
    PARTS,
    'export -f one_of_each; unshare --pid --fork --kill-child --mount-proc bash -c "$1"',
    [script],
  );
  expect(said).toMatch(/^(\d+) of \1 10000\n$/);
});

describe('part_sockets', () => {
  // A pid that is the smallest of its namespace may be one that ends at once: pids begin anew.
  it('reads a namespace by another process where the first one is gone', () => {
    const text = runShell(
      PARTS,
      `sleep 0 & gone=$!; wait; calls=0
       one_of_each() { calls=$((calls + 1)); if ((calls == 1)); then members=("$gone"); else members=("$$"); fi; }
       part_sockets; printf 'calls:%s\\n' "$calls"`,
    );
    expect(text).toMatch(/^\/proc\/\d+\/net\/tcp: +sl +local_address/m);
    expect(text).toMatch(/^calls:3$/m);
  });

  it('reads each namespace once where nothing is gone', () => {
    const text = runShell(PARTS, `one_of_each() { members=("$$"); }; part_sockets; :`);
    expect(text.match(/\/net\/tcp: +sl /g)).toHaveLength(1);
  });
});
