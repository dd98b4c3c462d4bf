import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { asset } from '../../src/assets.ts';

const GROUP = 2_000_000_001;

/** Runs a piece of bash in a mount namespace of its own, with a small /dev/shm and without the cgroups of this machine. */
const printed = (script: string): string =>
  execFileSync(
    'unshare',
    [
      ...['--mount', '--propagation', 'private', '--', 'setpriv', `--groups=0,${GROUP}`, '--', 'bash', '-c'],
      `mount -t tmpfs -o size=64m,mode=1777 none /dev/shm && umask 027
       ${script}`,
      'test',
      asset('node/protocol.sh'),
      // What the kubelet reads when the container has ended is printed instead.
      asset('node/memory.sh').replace('>/dev/termination-log', ''),
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );

describe('a debug pod without volumes', () => {
  it('has a folder in which the group of `files` can read, and can write to ctl alone', () => {
    const said =
      printed(`eval "$1"; eval "$2"; make_scratch; mkdir "$OUT"; mkdir -m 700 "$WORK"; : >"$OUT/done"
      stat -c '%n %A %U %g' "$scratch" "$CTL" "$OUT" "$OUT/done" "$WORK"`);
    expect(said.split('\n').slice(0, -1)).toEqual([
      `/dev/shm/gkeprof drwxr-s--- root ${GROUP}`,
      `/dev/shm/gkeprof/ctl drwxrws--- root ${GROUP}`,
      `/dev/shm/gkeprof/out drwxr-s--- root ${GROUP}`,
      `/dev/shm/gkeprof/out/done -rw-r----- root ${GROUP}`,
      `/dev/shm/gkeprof/work drwx--S--- root ${GROUP}`,
    ]);
  });

  it('may use a quarter of the available memory, but at most 1 GiB', () => {
    const [mb, available] = printed(
      `eval "$1"; eval "$2"; make_scratch; echo $(($(stat -fc '%b * %S' /dev/shm) >> 20)); sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo`,
    )
      .trim()
      .split('\n')
      .map(Number);
    // What is available changes while the test runs.
    const quarter = available! / 4096;
    expect(mb).toBeGreaterThan(Math.min(1023, Math.max(63, quarter * 0.7)));
    expect(mb).toBeLessThanOrEqual(Math.min(1024, Math.max(64, quarter * 1.3)));
  });

  it.each([
    ['a folder', 'mkdir /dev/shm/gkeprof'],
    ['a link to somewhere else', 'mkdir /dev/shm/host; ln -s host /dev/shm/gkeprof'],
    ['a link to nothing', 'ln -s nothing /dev/shm/gkeprof'],
  ])('ends, and writes nothing, if somebody has laid %s there', (_what, lay) => {
    expect(
      printed(`${lay}; there=$(find /dev/shm -ls)
        (eval "$1"; eval "$2"; make_scratch && echo goes on) 2>/dev/null; echo $?
        [[ $(find /dev/shm -ls) == "$there" ]] && echo as before`),
    ).toBe('the folder /dev/shm/gkeprof could not be made\n1\nas before\n');
  });
});

/** Where process 1 has the trees of cgroups that are looked at, and their kinds. */
const trees = execFileSync('grep', ['-E', '^\\S+ /sys/fs/cgroup\\S* cgroup', '/proc/1/mounts'], {
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .map((line) => line.split(' '))
  .filter(([, , type, options]) => type === 'cgroup2' || /(^|,)(perf_event|cpu|cpuacct)(,|$)/.test(options!))
  .map(([, directory, type]) => [directory!, type === 'cgroup2' ? 'cgroup2fs' : 'cgroupfs'] as const);

describe("the node's cgroups", () => {
  it('are mounted where process 1 has them, and nothing of the container is left', () => {
    // Our own cgroup is the root of all here, as in a container with a cgroup namespace.
    const said = printed(
      `eval "$1"; eval "$2"; nsenter() { shift; "$@"; }
       for each in ${trees.map(([directory]) => directory).join(' ')}; do mount --bind "$each" "$each"; done
       mount_cgroups && stat -fc '%n %T' ${trees.map(([directory]) => directory).join(' ')}
       echo "$(stat -fc %T /sys/fs/cgroup) $(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 | wc -l)"`,
    );
    const isV2 = trees.some(([directory]) => directory === '/sys/fs/cgroup');
    expect(trees.length).toBeGreaterThan(0);
    expect(said.split('\n').slice(0, trees.length)).toEqual(trees.map((tree) => tree.join(' ')));
    if (!isV2) expect(said.trim().split('\n').at(-1)).toBe(`tmpfs ${trees.length}`);
  });

  it('are left alone where a volume has them', () => {
    const mounts = '$(cat /proc/self/mounts)';
    expect(
      printed(`scratch=/gkeprof; eval "$2"; before=${mounts}; mount_cgroups; echo $?
        [[ ${mounts} == "$before" ]] && echo as before`),
    ).toBe('0\nas before\n');
  });
});
