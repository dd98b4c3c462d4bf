import { describe, expect, it } from 'vitest';
import { runShell } from '../../node/shell.ts';

/** A perf.data of so many bytes, whose data begins at 424, after `perf_bytes`: its length of the data, and what else changed. */
const mended = (bytes: number, length = 0) =>
  runShell(
    ['collectors/perf/perf.sh'],
    `OUT=$(mktemp -d); cd "$OUT"
     le() { local at; for ((at = 0; at < 64; at += 8)); do printf '%b' "$(printf '\\\\x%02x' $(($1 >> at & 255)))"; done; }
     { head -c 40 /dev/urandom; le 424; le ${length}; head -c 20000000 /dev/urandom; } | head -c ${bytes} >perf.data
     cp perf.data before
     perf_bytes
     od -An -tu8 -j48 -N8 perf.data | tr -d ' '
     cmp -l before perf.data | awk '$1 <= 48 || $1 > 56' | wc -l
     stat -c %s perf.data
     rm -r "$OUT"`,
  )
    .trim()
    .split('\n')
    .map(Number);

describe('perf.data of a perf that was killed', () => {
  it.each([
    [1000, 576],
    [425, 1],
    [70_000, 69_576],
    [17_000_000, 16_999_576],
  ])('of %i bytes gets the length of its data, and nothing else changes', (bytes, length) => {
    expect(mended(bytes)).toEqual([length, 0, bytes]);
    expect(mended(bytes, 99)).toEqual([length, 0, bytes]);
  });

  it.each([0, 30, 48])('of %i bytes has no header, and stays as it is', (bytes) => {
    expect(mended(bytes).slice(-2)).toEqual([0, bytes]);
  });
});

describe('perf_hide', () => {
  const hide = (...namespaces: string[]) =>
    runShell(
      ['collectors/perf/perf.sh'],
      `find() { printf '/proc/%s/ns/mnt mnt:[%s]\\n' 11 1 12 2 13 3 14 9 15 10; }
       perf_can_hide() { :; }
       perf_pod_of() { case $1 in 15) perf_pod='' ; return 1 ;; 14) perf_pod=other ;; *) perf_pod=evil ;; esac; }
       for each in "$@"; do perf_hide "mnt:[$each]" || printf 'nobody '; done
       printf '%s\\n' "\${perf_hidden[@]}" | sort | xargs`,
      namespaces,
    ).trim();

  it('hides who is in the namespace, and of a pod that does it twice everybody', () => {
    expect(hide('1')).toBe('11');
    expect(hide('1', '2')).toBe('11 12 13');
    expect(hide('1', '9', '10')).toBe('11 14 15');
  });

  it('fails where nobody new is there, so that it is not tried for ever', () => {
    expect(hide('7')).toBe('nobody');
    expect(hide('9', '9')).toBe('nobody 14');
  });

  const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
  it.each([
    ['cgroupfs', `12:cpu:/kubepods/burstable/pod${UID}/abc`, UID],
    [
      'systemd',
      `0::/kubepods.slice/kubepods-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-1.scope`,
      UID.replaceAll('-', '_'),
    ],
    ['a static pod', `0::/kubepods/pod${'0'.repeat(32)}/abc`, '0'.repeat(32)],
    ['seen from another cgroup namespace', `0::/../../pod${UID}/abc`, UID],
    [
      'a container that calls a cgroup after another pod',
      `0::/kubepods/pod${UID}/abc/pod${'1'.repeat(32)}`,
      UID,
    ],
    ['no pod', '0::/system.slice/podman.service', ''],
  ])('knows the pod of a process by its cgroup: %s', (_, text, pod) => {
    const script = 'cat() { printf "%s\\n" "$given"; }; given=$1; perf_pod_of 1; printf "%s" "$perf_pod"';
    expect(runShell(['collectors/perf/perf.sh'], script, [text])).toBe(pod);
  });
});

describe('a perf that takes its time', () => {
  // On a node with no processor to spare the word came in two halves, with the end of a read between them: the first was lost, and
  // perf was taken for dead after half a minute.
  it('is heard when its answer comes in pieces', () => {
    const said = runShell(
      ['collectors/perf/perf.sh', 'collectors/perf/stacks.sh'],
      `OUT=$(mktemp -d); WORK=$OUT; declare -A arg=([frequency]=99 [stacks]=fp); perf_scope=(); now=0; tool_pid=; perf_read_cpu() { :; }; cpu_used='' cpu_waited=''; declare -A cpu_held=()
       now_ms() { now=$((now + 100)); }; tool_is_running() { ((now < 3000)); }
       refuse() { echo "refused $1"; exit; }
       perf_apart() { read -r line <&8; printf a >&9; sleep 0.2; printf 'ck\\n' >&9; sleep 0.5; }
       perf_start; echo started; rm -r "$OUT"`,
    );
    expect(said).toBe('started\n');
  });
});

describe('perf_count_cpu', () => {
  const counted = (before: string, after: string) =>
    runShell(
      ['collectors/perf/perf.sh'],
      `declare -A cpu_held=(); ${before}; perf_used=$cpu_used perf_waited=$cpu_waited; perf_held[x]=$held
       perf_read_cpu() { ${after}; cpu_held=([x]=$held); }
       perf_count_cpu; printf '%s ' "\${perf_cpu[@]}"`,
    ).trim();

  it('gives what was added to each counter during the recording', () =>
    expect(counted('cpu_used=5 cpu_waited=2 held=1', 'cpu_used=9 cpu_waited=3 held=4')).toBe(
      'cpu_used_us: 4 cpu_waited_us: 1 cpu_throttled_us: 3',
    ));
  // A pod that may write to its cgroup can set cpuacct.usage to 0 (Documentation/admin-guide/cgroup-v1/cpuacct.rst).
  it('leaves out a counter that began anew', () =>
    expect(counted('cpu_used=500 cpu_waited=200 held=100', 'cpu_used=9 cpu_waited=3 held=4')).toBe(
      'cpu_throttled_us: 0',
    ));
});
