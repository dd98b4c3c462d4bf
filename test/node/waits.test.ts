import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { samplerText } from '../collectors/waits/recorder.ts';
import { runLife } from './shell.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-waits-life-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
const CONTAINER = 'a'.repeat(64);

const words = (more: Readonly<Record<string, string>> = {}) =>
  Object.entries({
    collector: 'waits',
    scope: 'pod',
    duration_ms: '1500',
    max_bytes: '1000000000',
    min_free_percent: '0',
    install: '0',
    pod_namespace: 'default',
    pod_uid: UID,
    pod_ips: '10.0.0.1',
    host_network: '0',
    container_ids: CONTAINER,
    rate: '50',
    ...more,
  }).map(([key, value]) => `${key}=${value}`);

/** A tree of cgroups of plain files, which lists the threads of this test, in place of the kernel's. */
function tree(): string {
  const root = join(folder, 'cgroup');
  const container = join(root, `kubepods/pod${UID}`, CONTAINER);
  mkdirSync(container, { recursive: true });
  writeFileSync(join(root, `kubepods/pod${UID}`, 'cgroup.threads'), '');
  writeFileSync(join(container, 'cgroup.threads'), `${process.pid}\n`);
  writeFileSync(
    join(root, `kubepods/pod${UID}`, 'cpu.stat'),
    'usage_usec 5\nnr_periods 2\nnr_throttled 1\nthrottled_usec 7\n',
  );
  writeFileSync(join(root, `kubepods/pod${UID}`, 'cpu.max'), '20000 100000\n');
  return root;
}

/** The script with that tree, and without the checks of the pod's identity, which have tests of their own. */
const live = (argv: readonly string[], more = '') =>
  runLife(
    folder,
    argv,
    `find_cgroup_root() { cgroup_root=${tree()}; }
     pod_is_of_namespace() { :; }
     open_pod_netns() { netns_problem=process-not-found; return 1; }
     ${more}`,
  );

describe('a recording of waits', () => {
  it('has the events of every recording, and an artifact in the documented format', () => {
    const { events, out, rest } = live(words());
    expect(rest).toBe('');
    expect(events.map(({ event }) => event).filter((name) => name !== 'progress')).toEqual([
      'hello',
      'capturing',
      'tool',
      'stopping',
      'artifact',
      'end',
    ]);
    expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'time', status: 0 });
    expect(events.find(({ event }) => event === 'tool')).toMatchObject({
      version: expect.stringMatching(/^perl 5\.\d+\.\d+$/),
    });
    const artifact = events.find(({ event }) => event === 'artifact');
    expect(artifact).toMatchObject({ role: 'waits', file: 'waits.txt.gz' });
    const lines = gunzipSync(readFileSync(join(out, 'waits.txt.gz')))
      .toString('latin1')
      .trimEnd()
      .split('\n');
    expect(lines[0]).toMatch(/^waits 1 /);
    expect(lines.find((line) => line.startsWith('proc '))).toMatch(
      new RegExp(`^proc \\d+ ${process.pid} ${CONTAINER} `),
    );
    expect(lines.filter((line) => line.startsWith('cgroup '))).toEqual([
      `cgroup 1 scope 20000 100000 kubepods/pod${UID}`,
    ]);
    expect(lines.filter((line) => / 1 5 7 2 1$/.test(line)).length).toBeGreaterThanOrEqual(2);
    expect(lines.at(-1)).toMatch(/^end \d+ time$/);
    expect(existsSync(join(out, 'waits.txt'))).toBe(false);
  });

  it('ends when the target is gone, with what was recorded', () => {
    const { events } = live(
      words({ duration_ms: '60000' }),
      `waits_version() { rm -r "$cgroup_root/kubepods"; }`,
    );
    expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'target-gone', status: 0 });
    expect(events.some(({ event }) => event === 'artifact')).toBe(true);
  });

  it('ends when it has reached its size', () => {
    const { events } = live(words({ duration_ms: '60000', max_bytes: '100' }));
    expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'size', status: 0 });
  });

  it('ends when somebody asks for it', () => {
    const { events } = live(words({ duration_ms: '60000' }), `waits_version() { : >"$CTL/stop"; }`);
    expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'requested', status: 0 });
  });

  it('keeps what was recorded when the sampler is killed', () => {
    const { events, out } = live(
      words({ duration_ms: '60000' }),
      `waits_version() { kill -KILL "$tool_pid"; }`,
    );
    expect(events.at(-1)).toMatchObject({ event: 'end', reason: 'tool-ended', status: 137 });
    expect(gunzipSync(readFileSync(join(out, 'waits.txt.gz'))).toString()).toMatch(/^waits 1 /);
  });

  it('is refused with what perl said if the sampler cannot begin', () => {
    // What comes out of the file is not perl.
    const { events, out } = live(
      words(),
      `printf() { [[ $1 != %s || $# != 2 ]] && builtin printf "$@" || echo 'die "no such luck\\n";'; }`,
    );
    expect(events.at(-1)).toMatchObject({ event: 'refused', code: 'waits-failed', log: 'waits.log' });
    expect(readFileSync(join(out, 'waits.log'), 'utf8')).toBe('no such luck\n');
  });

  it('of a container watches the cgroup of that container', () => {
    const { events, out } = live(
      words({ scope: 'container', container_id: CONTAINER }),
      `waits_version() { : >"$CTL/stop"; }`,
    );
    expect(events.at(-1)).toMatchObject({ event: 'end', status: 0 });
    const text = gunzipSync(readFileSync(join(out, 'waits.txt.gz'))).toString();
    expect(text).toMatch(new RegExp(`\nproc \\d+ ${process.pid} ${CONTAINER} `));
  });

  it.each([
    ['a rate of 0', words({ rate: '0' })],
    ['a whole node', words({ scope: 'node' })],
    ['no rate', words().filter((word) => !word.startsWith('rate='))],
  ])('is refused with %s', (_what, argv) => {
    expect(live(argv).events.map(({ event }) => event)).toEqual(['refused']);
  });
});

it('ends with its parent, so nothing is left behind by a script that was killed', async () => {
  const program = join(folder, 'waits.pl');
  writeFileSync(program, samplerText());
  mkdirSync(join(folder, 'scope'));
  writeFileSync(join(folder, 'scope/cgroup.threads'), `${process.pid}\n`);
  const out = join(folder, 'waits.txt');
  const line = `perl ${program} ${out} ${folder}/reason x86_64 50 100 '' '' ${folder}/scope scope ${folder} ${folder} 100 & echo $!; wait`;
  const shell = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve) =>
    shell.stdout.once('data', (chunk) => resolve(Number(chunk))),
  );
  const wait = async (isDone: () => boolean) => {
    for (let tries = 0; tries < 600 && !isDone(); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isDone()).toBe(true);
  };
  await wait(() => existsSync(out) && readFileSync(out).length > 0);
  shell.kill('SIGKILL');
  await wait(
    () => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '),
  );
});
