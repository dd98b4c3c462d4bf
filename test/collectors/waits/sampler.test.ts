import { spawnSync } from 'node:child_process';
import { createReadStream, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readWaits } from '../../../src/waits/read-waits.ts';
import { shareOf } from '../../../src/waits/waits.ts';
import { type Line, objectOf, Scene, samplerText, unescaped, until } from './recorder.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Below the ports that the kernel gives to connections, of which one might have it already. */
const PORT = 17_077;

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.end());

/** The form of each kind of line, as docs/waits-format.md describes it. */
const TIME = '(?<time>\\d+)';
const STRING = '(?:%|(?:[!-$&-~]|%[0-9A-F]{2})+)';
const ID = '(?:[0-9a-f]{64}|-)';
const OBJECT =
  '(?:-|idle|timer|child|signal|s:\\d+(?:,s:\\d+){0,7}|socket:\\d+|futex:(?:[0-9a-f]+|-):(?:lock|cond|-)|f:\\d+|flock:\\d+|pipe:(?:\\d+|-)|unix:[!-~]+|other:[\\w-]+)';
const ADDRESS = '(?:(?:\\d+\\.){3}\\d+|\\[[0-9a-f:.]+\\]):\\d+';
const FORMS: Readonly<Record<string, RegExp>> = Object.fromEntries(
  Object.entries({
    waits: '1 (?:x86_64|aarch64)',
    start: '\\d{16} \\d+ \\d+ \\d+',
    cgroup: `\\d+ (?:scope|below|ancestor) -?\\d+ \\d+ ${STRING}`,
    proc: `${TIME} \\d+ ${ID} ${STRING}`,
    thread: `${TIME} \\d+ \\d+ ${STRING}`,
    gone: `${TIME} \\d+`,
    look: `${TIME} \\d+ \\d+ \\d+ \\d+ [RSDTtZXI] (?:\\d+|-) (?:-|[\\w.]+) (?:-1|\\d+) ${OBJECT} (?:\\d+|-)`,
    sock: `${TIME} \\d+ (?:tcp|udp) (?:in|out|-) ${ADDRESS} (?:${ADDRESS}|-)`,
    file: `${TIME} \\d+ ${STRING}`,
    cpu: `${TIME} \\d+ (?:\\d+|-) (?:\\d+|-) (?:\\d+|-) (?:\\d+|-)`,
    psi: `${TIME} \\d+`,
    steal: `${TIME} \\d+`,
    ran: `${TIME} \\d+ \\d+ ${ID} (?:-|${STRING}) \\d+`,
    rate: `${TIME} \\d+\\.\\d`,
    own: `${TIME} \\d+`,
    missed: `${TIME} \\d+`,
    end: `${TIME} [a-z-]+`,
  }).map(([kind, form]) => [kind, new RegExp(`^${kind} ${form}$`)]),
);

/** Checks what holds for every recording. */
function checkAll(lines: readonly Line[]): void {
  let before = 0;
  const known = new Set<string>();
  for (const line of lines) {
    const text = line.join(' ');
    const form = FORMS[line[0]!];
    expect(form, text).toBeDefined();
    const found = form!.exec(text);
    expect(found, text).not.toBeNull();
    const time = Number(found!.groups?.time ?? before);
    expect(time, text).toBeGreaterThanOrEqual(before);
    before = time;
    if (line[0] === 'thread') known.add(line[2]!);
    if (line[0] === 'look') expect(known, text).toContain(line[2]);
    if (line[0] === 'gone') expect(known.delete(line[2]!), text).toBe(true);
  }
  expect(lines.slice(0, 2).map(([kind]) => kind)).toEqual(['waits', 'start']);
  expect(lines.at(-1)![0]).toBe('end');
}

it('is perl without warnings, and needs no module outside of perl-base', () => {
  const path = join(scene.folder, 'sampler.pl');
  writeFileSync(path, samplerText());
  expect(spawnSync('perl', ['-wc', path], { encoding: 'utf8' }).stderr).toBe(`${path} syntax OK\n`);
  const modules = [...readFileSync(path, 'utf8').matchAll(/^use ([A-Z]\w*)/gm)].map(([, name]) => name);
  expect(modules.sort()).toEqual(['Errno', 'Fcntl', 'Socket']);
});

describe('what a thread waits for', () => {
  const ROLES: ReadonlyArray<readonly [role: string, state: string, object: RegExp]> = [
    ['sleep', 'S', /^timer$/],
    ['mutex', 'S', /^futex:[0-9a-f]+:lock$/],
    ['cond', 'S', /^futex:[0-9a-f]+:cond$/],
    ['pipe', 'S', /^pipe:\d+$/],
    ['eventfd', 'S', /^other:eventfd$/],
    ['timerfd', 'S', /^timer$/],
    ['recv-asked', 'S', /^s tcp out 127\.0\.0\.1:\d+ 127\.0\.0\.1:SILENT$/],
    ['recv-answered', 'S', /^idle$/],
    ['poll-asked', 'S', /^s tcp out 127\.0\.0\.1:\d+ 127\.0\.0\.1:SILENT$/],
    ['poll-answered', 'S', /^idle$/],
    ['poll-nothing', 'S', /^timer$/],
    ['select-asked', 'S', /^s tcp out 127\.0\.0\.1:\d+ 127\.0\.0\.1:SILENT$/],
    ['epoll-asked', 'S', /^s tcp out 127\.0\.0\.1:\d+ 127\.0\.0\.1:SILENT$/],
    ['epoll-answered', 'S', /^idle$/],
    ['epoll-nothing', 'S', /^timer$/],
    ['accept', 'S', /^idle$/],
    ['served', 'S', /^idle$/],
    ['send', 'S', /^s tcp out 127\.0\.0\.1:\d+ 127\.0\.0\.1:SILENT$/],
    ['unix', 'S', /^unix:\/tmp\/gkeprof-waits-\w+\/waiting%20\d+$/],
    ['unix-served', 'S', /^idle$/],
    ['udp', 'S', /^s udp - 127\.0\.0\.1:\d+ 127\.0\.0\.1:9$/],
    ['child', 'S', /^child$/],
    ['signal', 'S', /^signal$/],
    ['flock', 'S', /^flock \/tmp\/waiting%20lock%20\w{6}$/],
    ['spin', 'R', /^-$/],
  ];

  it('is told by the system call and its arguments', async () => {
    const tids = await scene.waiting(...ROLES.map(([role]) => role));
    const isWaiting = (role: string, state: string) =>
      state === 'R' ||
      new RegExp(`^[^)]*\\) ${state} `).test(
        readFileSync(`/proc/${tids.get('main')}/task/${tids.get(role)}/stat`, 'utf8'),
      );
    for (const [role, state] of ROLES) await until(`the wait of ${role}`, () => isWaiting(role, state));
    scene.listAll(tids.get('main')!);
    const recording = scene.record();
    await until('a look at each thread', () =>
      ROLES.every(([role]) => recording.looks().has(tids.get(role)!)),
    );
    const lines = await recording.stop();
    checkAll(lines);
    const looks = recording.looks();
    const silent = `:${tids.get('silent')}`;
    for (const [role, state, object] of ROLES) {
      const look = looks.get(tids.get(role)!)!;
      expect([role, look[6]], look.join(' ')).toEqual([role, state]);
      expect(`${role}: ${objectOf(look, lines).replace(silent, ':SILENT')}`).toMatch(
        new RegExp(`^${role}: ${object.source.slice(1)}`),
      );
      const named = lines.filter(([kind, , tid]) => kind === 'thread' && tid === String(tids.get(role)));
      expect(named.map((line) => line.slice(3))).toEqual([[String(tids.get('main')), role]]);
    }
    expect(lines.at(-1)).toEqual(['end', expect.any(String), 'time']);
  });

  it('is the same lock, peer and disk that a program says it waits for, and its run time is exact', async () => {
    const program = here('../../programs/waiter.pl');
    const server = scene.start('perl', [program, 'serve', String(PORT), '30']);
    await until('the server', () => scene.said.includes('serving'));
    const worker = scene.start('perl', [
      program,
      'work',
      `peer=127.0.0.1:${PORT}`,
      `file=${join(scene.folder, 'data')}`,
    ]);
    await until('the first second of the program', () => /"wall"/.test(scene.said));
    scene.listAll(worker.pid!);
    const before = Number(readFileSync(`/proc/${worker.pid}/schedstat`, 'utf8').split(' ')[0]);
    const recording = scene.record();
    const objects = () => {
      const lines = recording.lines();
      return new Set(
        lines.flatMap((line) => (line[0] === 'look' ? [`${line[6]} ${objectOf(line, lines)}`] : [])),
      );
    };
    const wanted = [
      /^S timer$/,
      new RegExp(`^S s tcp out 127\\.0\\.0\\.1:\\d+ 127\\.0\\.0\\.1:${PORT}$`),
      /^S futex:[0-9a-f]+:lock$/,
      /^D f .*\/data$/,
      /^R -$/,
    ];
    await until('a look at each wait', () =>
      wanted.every((each) => [...objects()].some((object) => each.test(object))),
    );
    const lines = await recording.stop();
    const after = Number(readFileSync(`/proc/${worker.pid}/schedstat`, 'utf8').split(' ')[0]);
    checkAll(lines);
    const runs = lines.flatMap((line) => (line[0] === 'look' ? [Number(line[3])] : []));
    expect(runs[0]).toBeGreaterThanOrEqual(before);
    expect(runs.at(-1)).toBeLessThanOrEqual(after);
    expect(runs).toEqual(runs.toSorted((a, b) => a - b));
    server.kill();
  });
});

describe('threads', () => {
  it('may have any name', async () => {
    const names = ['a b', ') R 1 (', '100%', 'line\nfeed', '\x1b[31m', 'é', '-', '\u0001\x7f'];
    const tids = await scene.waiting(...names.map((name) => `name=${name}`));
    scene.listAll(tids.get('main')!);
    const recording = scene.record();
    await until('looks', () => recording.looks().size > names.length);
    const lines = await recording.stop();
    checkAll(lines);
    const found = lines.flatMap((line) => (line[0] === 'thread' ? [unescaped(line[4]!)] : []));
    for (const name of names) expect(found).toContain(Buffer.from(name).toString('latin1'));
  });

  it('come and go: each has its end, and is not confused with a later one', async () => {
    const tids = await scene.waiting('churn', 'sleep');
    const main = tids.get('main')!;
    scene.listAll(main);
    const recording = scene.record();
    const gone = () => recording.lines().filter(([kind]) => kind === 'gone').length;
    await until('the end of ten threads', () => {
      try {
        scene.listAll(main);
      } catch {
        // A thread ended while they were listed.
      }
      return gone() >= 10;
    });
    const lines = await recording.stop('requested');
    checkAll(lines);
    expect(lines.at(-1)![2]).toBe('requested');
  });

  it('that leave the target are looked at no more', async () => {
    const tids = await scene.waiting('sleep', 'spin');
    const [sleeper, spinner] = [tids.get('sleep')!, tids.get('spin')!];
    scene.list([sleeper, spinner]);
    const recording = scene.record();
    await until('looks', () => recording.looks().size === 2);
    scene.list([sleeper]);
    await until('the end of one', () =>
      recording.lines().some(([kind, , tid]) => kind === 'gone' && tid === String(spinner)),
    );
    const lines = await recording.stop();
    checkAll(lines);
    const rest = lines.slice(lines.findIndex(([kind]) => kind === 'gone') + 1);
    expect(rest.filter(([kind]) => kind === 'look').map((line) => line[2])).toEqual([String(sleeper)]);
  });

  it('of which there are 2,000 have all been seen, and those over the limit are counted', async () => {
    const tids = await scene.waiting('many=2000');
    const main = tids.get('main')!;
    await until('2,000 threads', () => readdirSync(`/proc/${main}/task`).length > 2000);
    scene.listAll(main);
    const count = readdirSync(`/proc/${main}/task`).length;
    const all = scene.record();
    await until('all threads', () => all.looks().size === count);
    const lines = await all.stop();
    checkAll(lines);
    expect(lines.some(([kind]) => kind === 'missed')).toBe(false);
    const some = scene.record({ most: 500 });
    await until('500 threads', () => some.looks().size === 500);
    const cut = await some.stop();
    checkAll(cut);
    expect(cut.findLast(([kind]) => kind === 'missed')?.[2]).toBe(String(count - 500));
  });
});

describe('shares', () => {
  it.each([
    [12, 300, 470],
    [17, 300, 470],
    [19, 300, 470],
    [20, 300, 470],
    // Threads must be looked at in each round for longer than these waits last.
    [17, 1000, 1500],
  ])(
    'are right when to read a file costs %i microseconds, for waits of %i and %i ms',
    async (cost, lock, condition) => {
      const path = join(scene.folder, 'sampler.pl');
      writeFileSync(path, samplerText());
      const [out, reason] = [join(scene.folder, 'out'), join(scene.folder, 'reason')];
      writeFileSync(reason, 'time\n');
      // 50 threads that wait for a lock and for a condition, by turns.
      const words = [path, 60, 50, cost, lock, condition, out, reason, 'x86_64', 50, 4000, '', ''];
      const folders = [scene.scope, 'scope', scene.folder, scene.folder, 100];
      const run = spawnSync(
        'perl',
        [here('../../programs/simulated-threads.pl'), ...[...words, ...folders].map(String)],
        {
          encoding: 'utf8',
          env: { ...process.env, PERL_HASH_SEED: '0' },
        },
      );
      expect(run.stderr).toBe('');
      const waits = await readWaits(createReadStream(out), 'out');
      expect(waits.durationUs).toBeGreaterThanOrEqual(60e6);
      const [group] = waits.groups;
      expect(group!.threads).toBe(50);
      const shares = { lock: shareOf(group!, 'lock'), condition: shareOf(group!, 'condition') };
      expect(shares.lock + shares.condition).toBeCloseTo(1, 3);
      // Three to five standard deviations of what other numbers of the simulation give.
      expect(Math.abs(shares.lock - Number(run.stdout)), JSON.stringify([shares, run.stdout])).toBeLessThan(
        0.012,
      );
    },
  );
});

describe('the recording', () => {
  it('has only whole lines when the sampler is killed, and says nothing of an end', async () => {
    const tids = await scene.waiting('spin');
    scene.listAll(tids.get('main')!);
    const recording = scene.record();
    await until('three seconds', () => recording.lines().filter(([kind]) => kind === 'own').length > 2);
    recording.child.kill('SIGKILL');
    const text = readFileSync(recording.out, 'latin1');
    expect(text.endsWith('\n')).toBe(true);
    expect(text).not.toContain('\nend ');
  });

  it('ends without a reason if the node ended it without one', async () => {
    scene.list([process.pid]);
    const recording = scene.record();
    await until('a look', () => recording.looks().size > 0);
    const lines = await recording.stop('');
    expect(lines.at(-1)![2]).toBe('terminated');
  });

  it('has a target without threads', async () => {
    const recording = scene.record();
    await until('the beginning', () => recording.lines().length > 2);
    const lines = await recording.stop();
    checkAll(lines);
    expect(lines.map(([kind]) => kind)).not.toContain('look');
  });
});
