import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

// Trees of cgroups and a procfs as files: the machine that runs the tests has only one of the two versions.

const POD = 'kubepods/burstable/pod430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
const APP = 'a'.repeat(64);
const SIDECAR = 'b'.repeat(64);
const SANDBOX = 'c'.repeat(64);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gkeprof-cpu-'));
});
afterEach(() => rmSync(root, { recursive: true }));

type Files = Readonly<Record<string, string>>;
/** What changes between the readings; null: the folder is removed. */
type Changes = Readonly<Record<string, string | null>>;

const put = (files: Files) => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
};

/** The fields of the event after two readings of a cgroup, between which the files of `after` are written. */
function counted(
  cgroup: string,
  before: Files,
  after: Changes,
  scope = 'pod',
  extra = '',
): Record<string, string> {
  put({ 'proc/self/mounts': `cgroup2 ${root}/v2 cgroup2 rw 0 0\n`, ...before });
  mkdirSync(join(root, 'v2'), { recursive: true });
  const writes = Object.entries(after).map(([name, text], at) => {
    if (text === null) return `rm -r "$root/${name}"`;
    put({ [`after/${at}`]: text });
    return `mkdir -p "$root/${dirname(name)}"; cp "$root/after/${at}" "$root/${name}"`;
  });
  const printed = runShell(
    ['node/protocol.sh', 'node/identity.sh', 'node/cpu.sh'],
    `root=$1; cgroup_root=$root/v2 cpu_proc=$root/proc; declare -A arg=([scope]=$3 [container_ids]=$4)
     ${extra}
     pod=; [[ $2 == . ]] || pod=${POD}
     read_all() { read_cpu_counters "$1" "$pod"; [[ $1 == . ]] || read_threads "$1"; cpu_now[at]=$2; }
     read_all "$2" 1000000; keep_cpu_counters
     ${writes.join('\n')}
     read_all "$2" 11000000; count_cpu "$2" "$pod"
     printf '%s\\n' "\${cpu_counts[@]}"`,
    [root, cgroup, scope, `${APP},${SIDECAR}`],
  );
  const words = printed.trim().split('\n');
  return Object.fromEntries(
    words.flatMap((word, at) => (at % 2 ? [] : [[word.replace(':', ''), words[at + 1]!]])),
  );
}

/** cpu.stat of cgroup v2, with what its own limit did. */
const stat2 = (usage: number, periods?: number, throttled?: number, us?: number) =>
  `usage_usec ${usage}\nuser_usec 1\nsystem_usec 1\n${periods === undefined ? '' : `nr_periods ${periods}\nnr_throttled ${throttled}\nthrottled_usec ${us}\nnr_bursts 0\nburst_usec 0\n`}`;

const pressure = (us: number) =>
  `some avg10=1.00 avg60=0.50 avg300=0.10 total=${us}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n`;

describe('with cgroup v2', () => {
  const before: Files = {
    'v2/cpu.stat': stat2(9_000_000),
    'v2/kubepods/cpu.max': 'max 100000\n',
    'v2/kubepods/cpu.stat': stat2(9_000_000, 0, 0, 0),
    'v2/kubepods/burstable/cpu.max': 'max 100000\n',
    [`v2/${POD}/cpu.max`]: '50000 100000\n',
    [`v2/${POD}/cpu.stat`]: stat2(5_000_000, 10, 1, 500),
    [`v2/${POD}/cpu.pressure`]: pressure(1000),
    [`v2/${POD}/${APP}/cpu.max`]: '20000 100000\n',
    [`v2/${POD}/${APP}/cpu.stat`]: stat2(3_000_000, 10, 5, 700),
    [`v2/${POD}/${SIDECAR}/cpu.max`]: 'max 100000\n',
    [`v2/${POD}/${SIDECAR}/cpu.stat`]: stat2(2_000_000, 0, 0, 0),
    [`v2/${POD}/${SANDBOX}/cpu.stat`]: stat2(10),
  };
  const after: Files = {
    [`v2/${POD}/cpu.stat`]: stat2(7_100_000, 110, 3, 900),
    [`v2/${POD}/cpu.pressure`]: pressure(4_001_000),
    [`v2/${POD}/${APP}/cpu.stat`]: stat2(5_000_000, 110, 99, 6_100_700),
    [`v2/${POD}/${SIDECAR}/cpu.stat`]: stat2(2_100_000, 0, 0, 0),
  };

  it('has of a pod its time, its limit, and what throttled it most: here the limit of one container', () => {
    expect(counted(POD, before, after)).toEqual({
      cpu_elapsed_us: '10000000',
      cpu_used_us: '2100000',
      cpu_pressure_us: '4000000',
      cpu_threads: '0',
      cpu_threads_ended: '0',
      cpu_limit_ucores: '500000',
      cpu_throttled_us: '6100000',
      cpu_periods: '100',
      cpu_throttled_periods: '94',
      cpu_throttler: 'container',
      cpu_throttler_id: APP.slice(0, 12),
      cpu_throttler_ucores: '200000',
      cpu_containers: expect.stringMatching(
        new RegExp(`^(?=.*${APP.slice(0, 12)}=2000000)(?=.*${SIDECAR.slice(0, 12)}=100000)[^,]*,[^,]*$`),
      ),
    });
  });

  it('has of a container the tightest limit above it, which may be that of its pod', () => {
    expect(counted(`${POD}/${SIDECAR}`, before, after, 'container')).toMatchObject({
      cpu_used_us: '100000',
      cpu_limit_ucores: '500000',
      cpu_throttled_us: '400',
      cpu_periods: '100',
      cpu_throttled_periods: '2',
      cpu_throttler: 'pod',
      cpu_throttler_ucores: '500000',
    });
    expect(counted(`${POD}/${APP}`, before, after, 'container')).toMatchObject({
      cpu_limit_ucores: '200000',
      cpu_throttler: 'target',
    });
  });

  it('has a limit above the pod, too', () => {
    const kubepods = {
      'v2/kubepods/cpu.max': '5000 50000\n',
      'v2/kubepods/cpu.stat': stat2(9_000_000, 0, 0, 0),
    };
    const throttled = { 'v2/kubepods/cpu.stat': stat2(9_100_000, 200, 190, 9_000_000) };
    expect(counted(POD, { ...before, ...kubepods }, { ...after, ...throttled })).toMatchObject({
      cpu_limit_ucores: '100000',
      cpu_throttled_us: '9000000',
      cpu_periods: '200',
      cpu_throttler: 'above',
      cpu_throttler_ucores: '100000',
    });
  });

  it('tells no limit from one that is not known', () => {
    const free = Object.fromEntries(
      Object.entries(before).map(([name, text]) => [name, name.endsWith('cpu.max') ? 'max 100000\n' : text]),
    );
    expect(counted(POD, free, {}).cpu_limit_ucores).toBe('0');
    rmSync(join(root, 'v2'), { recursive: true });
    const unknown = Object.fromEntries(Object.entries(before).filter(([name]) => !name.endsWith('cpu.max')));
    expect(counted(POD, unknown, {})).not.toHaveProperty('cpu_limit_ucores');
  });

  it('says that the limit was changed, as a resize in place does', () => {
    const resized = { ...after, [`v2/${POD}/cpu.max`]: 'max 100000\n' };
    expect(counted(POD, before, resized)).toMatchObject({
      cpu_limit_ucores: '0',
      cpu_limit_before_ucores: '500000',
    });
  });

  it('leaves out what the kernel does not count, and counters that began anew', () => {
    expect(counted(POD, { [`v2/${POD}/cgroup.procs`]: '' }, {})).toEqual({
      cpu_elapsed_us: '10000000',
      cpu_threads: '0',
      cpu_threads_ended: '0',
    });
    const reset = { [`v2/${POD}/cpu.stat`]: stat2(7, 1, 1, 1) };
    expect(counted(`${POD}`, { [`v2/${POD}/cpu.stat`]: stat2(9, 9, 9, 9) }, reset)).not.toHaveProperty(
      'cpu_used_us',
    );
  });

  it('has nothing but the time of a target that is gone at the end, and that its threads ended', () => {
    const running = { [`v2/${POD}/${APP}/cgroup.threads`]: '11\n', 'proc/11/schedstat': '5 5 5\n' };
    const gone = { [`v2/${POD}`]: null, 'proc/11': null };
    expect(counted(POD, { ...before, ...running }, gone)).toEqual({
      cpu_elapsed_us: '10000000',
      cpu_limit_ucores: '500000',
      cpu_threads: '0',
      cpu_threads_ended: '1',
    });
  });

  it('takes any name of a cgroup that a container makes', () => {
    const name = `v2/${POD}/${APP}/x] $(exit 9) \\'"*/cpu.stat`;
    const files = { ...before, [name]: stat2(1, 1, 1, 1) };
    const changes = { ...after, [name.replaceAll(/["$\\]/g, '\\$&')]: stat2(1, 9, 8, 7_000_001) };
    expect(counted(`${POD}/${APP}`, files, changes, 'container')).toMatchObject({
      cpu_throttler: 'below',
      cpu_throttled_us: '7000000',
      cpu_throttled_periods: '7',
    });
  });
});

describe('with cgroup v1, whose controllers are trees of their own', () => {
  const mounts = () => ({
    'proc/self/mounts': [
      `cgroup ${root}/cpu cgroup rw,relatime,cpu 0 0`,
      `cgroup ${root}/cpuacct cgroup rw,relatime,cpuacct 0 0`,
      `cgroup2 ${root}/v2 cgroup2 rw,relatime 0 0`,
      '',
    ].join('\n'),
    [`v2/${POD}/${APP}/cgroup.procs`]: '',
  });
  const stat1 = (periods: number, throttled: number, us: number) =>
    `nr_periods ${periods}\nnr_throttled ${throttled}\nthrottled_time ${us * 1000 + 1}\nnr_bursts 0\nburst_time 0\n`;
  const limit = (quota: number) => ({
    [`cpu/${POD}/${APP}/cpu.cfs_quota_us`]: `${quota}\n`,
    [`cpu/${POD}/${APP}/cpu.cfs_period_us`]: '100000\n',
  });

  it('has the same figures, in the same unit', () => {
    const before = {
      ...mounts(),
      ...limit(20_000),
      'cpu/kubepods/cpu.cfs_quota_us': '-1\n',
      'cpu/kubepods/cpu.cfs_period_us': '100000\n',
      [`cpu/${POD}/cpu.cfs_quota_us`]: '-1\n',
      [`cpu/${POD}/cpu.cfs_period_us`]: '100000\n',
      [`cpu/${POD}/cpu.stat`]: stat1(0, 0, 0),
      [`cpu/${POD}/${APP}/cpu.stat`]: stat1(10, 5, 700),
      [`cpuacct/${POD}/${APP}/cpuacct.usage`]: '3000000000\n',
    };
    const after = {
      [`cpu/${POD}/${APP}/cpu.stat`]: stat1(110, 99, 6_100_700),
      [`cpuacct/${POD}/${APP}/cpuacct.usage`]: '5000000000\n',
    };
    expect(counted(`${POD}/${APP}`, before, after, 'container')).toMatchObject({
      cpu_used_us: '2000000',
      cpu_limit_ucores: '200000',
      cpu_throttled_us: '6100000',
      cpu_periods: '100',
      cpu_throttled_periods: '94',
      cpu_throttler: 'target',
      cpu_containers: `${'a'.repeat(12)}=2000000`,
    });
  });

  it('knows that there is no limit', () => {
    expect(counted(`${POD}/${APP}`, { ...mounts(), ...limit(-1) }, {}, 'container').cpu_limit_ucores).toBe(
      '0',
    );
  });
});

describe('the threads', () => {
  /** Nanoseconds on a CPU and waiting for one, and how often it ran. */
  const ran = (tid: number, on: number, waited: number) => ({
    [`proc/${tid}/schedstat`]: `${on} ${waited} 7\n`,
  });
  const tasks = (...tids: number[]) => tids.map((tid) => `${tid}\n`).join('');
  const used = (us: number) => ({ [`v2/${POD}/cpu.stat`]: stat2(us) });

  it('are summed up: those that lived all the time, and those that began meanwhile', () => {
    const before = {
      ...used(0),
      [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11, 12),
      ...ran(11, 1e9, 2e9),
      ...ran(12, 5e9, 0),
    };
    const after = {
      ...used(4_000_000),
      [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11, 12, 13),
      ...ran(11, 2e9, 4e9),
      ...ran(12, 6e9, 5e8),
      ...ran(13, 1e9, 25e7),
    };
    expect(counted(POD, before, after)).toMatchObject({
      cpu_waited_us: '2750000',
      cpu_ran_us: '3000000',
      cpu_threads: '3',
      cpu_threads_ended: '0',
    });
  });

  it('that ended are counted, and a number that another thread has now is not taken for the same', () => {
    const before = {
      [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11, 12),
      ...ran(11, 9e9, 9e9),
      ...ran(12, 5e9, 0),
    };
    const after = { [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11), ...ran(11, 1e9, 1e9) };
    expect(counted(POD, before, after)).toMatchObject({
      cpu_waited_us: '1000000',
      cpu_threads: '1',
      cpu_threads_ended: '2',
    });
  });

  it('of the sandbox do not count as processes of the pod', () => {
    const files = {
      [`v2/${POD}/${SANDBOX}/cgroup.threads`]: tasks(10),
      [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11),
    };
    const before = { ...files, ...ran(10, 1e6, 0), ...ran(11, 1e9, 0) };
    const after = { [`v2/${POD}/${APP}/cgroup.threads`]: '' };
    expect(counted(POD, before, after)).toMatchObject({ cpu_threads: '0', cpu_threads_ended: '1' });
  });

  it('in cgroups that the container made are found, and with cgroup v1 in the file tasks', () => {
    const before = { [`v2/${POD}/${APP}/own/deep/tasks`]: tasks(11), ...ran(11, 1e9, 1e9) };
    expect(counted(`${POD}/${APP}`, before, ran(11, 2e9, 3e9), 'container')).toMatchObject({
      cpu_waited_us: '2000000',
    });
  });

  it('are not counted where the kernel has only zeros', () => {
    const before = { [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11), ...ran(11, 0, 0) };
    expect(counted(POD, before, ran(11, 0, 0))).not.toHaveProperty('cpu_waited_us');
  });

  it('are bounded: of more than that only those count that were read at the start, and nobody is taken for ended', () => {
    const before = {
      [`v2/${POD}/${APP}/cgroup.threads`]: tasks(11, 12),
      ...ran(11, 1e9, 0),
      ...ran(12, 1e9, 0),
    };
    const after = { ...ran(11, 2e9, 1e9), ...ran(12, 2e9, 1e9) };
    const result = counted(POD, before, after, 'pod', 'cpu_most_threads=1');
    expect(result).toMatchObject({ cpu_waited_us: '1000000', cpu_ran_us: '1000000' });
    expect(result).not.toHaveProperty('cpu_threads_ended');
  });
});

describe('a node', () => {
  const stat = (user: number, idle: number, iowait: number, steal: number) =>
    `cpu  ${user} 0 0 ${idle} ${iowait} 0 0 ${steal} ${user} 0\ncpu0 1 0 0 1 1 0 0 1 0 0\ncpu1 1 0 0 1 1 0 0 1 0 0\nintr 1 2 3\ncpufreq 7\n`;
  const schedstat = (waited: number) =>
    `version 17\ntimestamp 1\ncpu0 1 0 3 4 5 6 7 ${waited} 9\ndomain0 3 8 8 8 8 8 8 8 8\ncpu1 1 0 3 4 5 6 7 ${waited} 9\n`;

  it('has its CPUs, how busy they were, steal, waiting and pressure', () => {
    const before = {
      'proc/stat': stat(1000, 1000, 10, 100),
      'proc/pressure/cpu': pressure(5),
      'proc/schedstat': schedstat(1e9),
    };
    const after = {
      'proc/stat': stat(2500, 1400, 20, 190),
      'proc/pressure/cpu': pressure(4_500_005),
      'proc/schedstat': schedstat(3e9),
    };
    expect(counted('.', before, after, 'node')).toEqual({
      cpu_elapsed_us: '10000000',
      cpu_used_us: '15000000',
      cpu_pressure_us: '4500000',
      cpu_waited_us: '4000000',
      cpu_node_ticks: '2000',
      cpu_steal_ticks: '90',
      cpu_count: '2',
    });
  });

  it('is known by procfs alone, where no tree of cgroups was found', () => {
    const before = { 'proc/stat': stat(1000, 1000, 10, 100) };
    const after = { 'proc/stat': stat(2500, 1400, 20, 190) };
    expect(counted('.', before, after, 'node', "cgroup_root=''")).toEqual({
      cpu_elapsed_us: '10000000',
      cpu_used_us: '15000000',
      cpu_node_ticks: '2000',
      cpu_steal_ticks: '90',
      cpu_count: '2',
    });
  });
});
