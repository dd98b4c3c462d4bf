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

it('is mended whenever it has grown, and is asked for the begin of its data once it has that', () => {
  const lengths = runShell(
    ['collectors/perf/perf.sh'],
    `OUT=$(mktemp -d); cd "$OUT"
     od() { echo >>asked; command od "$@"; }
     length() { command od -An -tu8 -j48 -N8 perf.data | tr -d ' '; }
     head -c 100 /dev/zero >perf.data; perf_bytes; length
     printf '\\xa8\\x01' | dd of=perf.data bs=1 seek=40 conv=notrunc status=none
     for each in 1 2 3; do head -c 1000 /dev/zero >>perf.data; perf_bytes; length; done
     wc -l <asked
     rm -r "$OUT"`,
  );
  expect(lengths.trim().split('\n').map(Number)).toEqual([0, 676, 1676, 2676, 2]);
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
      ['node/identity.sh', 'collectors/perf/perf.sh', 'collectors/perf/stacks.sh'],
      `OUT=$(mktemp -d); WORK=$OUT; declare -A arg=([frequency]=99 [stacks]=fp); perf_scope=(); now=0; tool_pid=; harvest_begin() { :; }; perf_read_cpu() { :; }; keep_cpu_counters() { :; }
       now_ms() { now=$((now + 100)); }; tool_is_running() { ((now < 3000)); }
       refuse() { echo "refused $1"; exit; }; start_tool() { "$@" & tool_pid=$!; }
       perf_apart() { read -r line <&8; printf a >&9; sleep 0.2; printf 'ck\\n' >&9; sleep 0.5; }
       perf_start; echo started; rm -r "$OUT"`,
    );
    expect(said).toBe('started\n');
  });
});

describe('the cgroups of a node', () => {
  const asked = (root: string, perf: string) =>
    runShell(
      ['collectors/perf/perf.sh'],
      `cgroup_root=$1; perf_scope=(); perf() { [[ "$*" == 'script -F cgroup -i /dev/null' ]] && ${perf}; }
       perf_ask_cgroups; printf '%s|%s|%s' "\${perf_scope[*]}" "$perf_fields" "$perf_no_cgroups"`,
      [root],
    );

  it('are recorded and printed by a perf that can', () =>
    expect(asked('/sys/fs/cgroup', "echo 'incompatible file format' >&2")).toBe('--all-cgroups|,cgroup|'));
  it('are left out by an older perf, and where there is no tree of them, and the reason is said', () => {
    expect(asked('/sys/fs/cgroup', "{ echo 'Invalid field requested.' >&2; return 129; }")).toBe('||perf');
    expect(asked('', 'true')).toBe('||mount');
  });

  it('have names in the container runtime, of which nothing else is kept', () => {
    const id = (digit: string) => digit.repeat(64);
    const label = (name: string, value: string) => `        "io.kubernetes.${name}": "${value}"`;
    // As crictl prints it: the labels come after the id, in the order of their names.
    const container = (digit: string, image: string, ...labels: string[]) =>
      `    {\n      "id": "${id(digit)}",\n      "podSandboxId": "${id('f')}",\n      "metadata": {\n        "name": "x"\n      },\n      "image": {\n        "image": "${image}"\n      },\n      "labels": {\n${labels.join(',\n')}\n      }\n    }`;
    const labels = (name: string, pod: string) => [
      label('container.name', name),
      label('pod.name', pod),
      label('pod.namespace', 'shop'),
      label('pod.uid', '430eb98a-8da4-4a68-8aa1-9376d13fd3f0'),
    ];
    const json = `{\n  "containers": [\n${[
      container('a', 'redis:8', ...labels('redis', 'redis-0')),
      container('b', String.raw`\"id\": \"${id('c')}\"`, ...labels('side-car', 'redis-0')),
      container('d', 'no labels'),
      container('e', 'x', ...labels('$(touch /tmp/x)', 'redis-0')),
    ].join(',\n')}\n  ]\n}\n`;
    const printed = runShell(
      ['collectors/perf/text.sh'],
      `find_node_root() { :; }; find_runtime_socket() { :; }; find_crictl() { :; }
       run_crictl() { [[ "$*" == 'ps -a -o json' ]] && printf '%s' "$json"; }; json=$1; perf_container_names`,
      [json],
    );
    const uid = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
    expect(printed).toBe(
      `# container: ${id('a')} ${uid} shop redis-0 redis\n# container: ${id('b')} ${uid} shop redis-0 side-car\n`,
    );
    const none = 'find_node_root() { :; }; find_runtime_socket() { return 1; }; perf_container_names';
    expect(runShell(['collectors/perf/text.sh'], none)).toBe('');
  });

  const started = (failure: string, scope: readonly string[] = []) =>
    runShell(
      ['node/identity.sh', 'collectors/perf/perf.sh'],
      `OUT=$(mktemp -d); WORK=$OUT; declare -A arg=([frequency]=99 [scope]=node); now=0
       perf_scope=("$@" --all-cgroups) perf_fields=,cgroup
       perf_read_cpu() { :; }; keep_cpu_counters() { :; }; harvest_begin() { :; }; perf_choose_stacks() { :; }; now_ms() { now=$((now + 100)); }; tool_is_running() { kill -0 "$tool_pid" 2>/dev/null; }
       refuse() { echo "refused $1 after $tries"; exit; }
       perf_begins() { tries+="\${perf_scope[*]:-none} "; perf_problem=''; perf_culprit='';
         [[ \${perf_scope[*]} == *--all-cgroups ]] || return 0; echo '${failure}' >"$OUT/perf.log"; return 1; }
       tries=''; perf_start; echo "$tries|$perf_fields|$perf_no_cgroups"; rm -r "$OUT"`,
      scope,
    ).trim();

  // The answer of a kernel before 5.7, or without CONFIG_CGROUP_PERF.
  it('are left out where the kernel refuses the event with them', () => {
    const refusal =
      'The sys_perf_event_open() syscall returned with 22 (Invalid argument) for event (cpu-clock).';
    expect(started(refusal)).toBe('--all-cgroups none ||kernel');
    expect(started('Permission denied')).toBe('refused perf-failed after --all-cgroups');
    // Of a pod everything else stays as it is.
    expect(started(refusal, ['--cgroup', 'x'])).toBe('--cgroup x --all-cgroups --cgroup x ||kernel');
  });

  it.each([
    ['pod', '[cgroups]=1', '--cgroup pod1 --all-cgroups|,cgroup'],
    ['container', '[cgroups]=1', '--cgroup pod1/c1 --all-cgroups|,cgroup'],
    ['pod', '', '--cgroup pod1|'],
    ['node', '', '--all-cgroups|,cgroup'],
  ])('are recorded for a %s if the plan says so, and always for a node: %j', (scope, more, want) => {
    const prepared = runShell(
      ['collectors/perf/perf.sh'],
      `declare -A arg=([scope]=${scope} [container_id]=c1 ${more}); find_cgroup_root() { cgroup_root=/x; }
       find_pod_cgroup() { pod_cgroup=pod1; }; find_container_cgroup() { container_cgroup=pod1/c1; }
       perf() { echo 'incompatible file format' >&2; }; perf_prepare; printf '%s|%s' "\${perf_scope[*]}" "$perf_fields"`,
    );
    expect(prepared).toBe(want);
  });

  // The names of other pods' containers are no business of a pod's profile.
  it.each([
    ['node', true],
    ['pod', false],
  ])('of a %s are with names of the runtime: %s', (scope, hasNames) => {
    const text = runShell(
      ['collectors/perf/perf.sh'],
      `OUT=$(mktemp -d); WORK=$OUT; declare -A arg=([scope]=${scope} [duration_ms]=1); now_ms() { now=0; }; perf_fields=,cgroup
       echo samples >"$OUT/perf.data"; tool_status=0; perf_late=0; announce() { :; }; perf_hide_bad_maps() { :; }; harvest_ask() { :; }; harvest_fill() { :; }
       perf_script() { : | gzip -c >"$WORK/perf-script.txt.gz"; }; perf_container_names() { echo '# container: x'; }
       perf_finish; gzip -dc "$OUT/perf-script.txt.gz"; rm -r "$OUT"`,
    );
    expect(text).toBe(hasNames ? '# container: x\n' : '');
  });
});

describe('the looks at the threads of a recording of waits', () => {
  const added = (
    variables: string,
    files = 'echo "# look start 1.5" >look.start; echo "# look end 2.5" >look.end',
  ) =>
    runShell(
      ['collectors/perf/perf.sh'],
      `WORK=$(mktemp -d); cd "$WORK"; perf_problem='' tool_status=0; ${variables}; ${files}
       echo sample | gzip -c >perf-script.txt.gz; perf_add_looks; gzip -dc perf-script.txt.gz; rm -r "$WORK"`,
    ).trim();

  it.each([
    ['perf has ended', ':'],
    ['a signal ended perf, which wrote what it had', 'tool_status=143'],
  ])('stand behind the samples if %s', (_what, variables) => {
    expect(added(variables)).toBe('sample\n# look start 1.5\n# look end 2.5');
  });

  it.each([
    ['the text is cut', 'perf_problem=time'],
    ['perf was killed', 'tool_status=137'],
  ])('are without the one at the end if %s: what switched last is not known', (_what, variables) => {
    expect(added(variables)).toBe('sample\n# look start 1.5');
  });

  it('are missing in a recording without them', () => {
    expect(added(':', ':')).toBe('sample');
  });
});

describe('whether perf prints the offsets by which the image can name functions', () => {
  const can = (version: string, image = ':') =>
    runShell(
      ['collectors/perf/text.sh'],
      `type() { ${image}; }; tool_version=$1; perf_can_name && printf yes || printf no`,
      [version],
    );

  it.each([
    ['perf version 6.4', 'yes'],
    ['perf version 6.12.118', 'yes'],
    ['perf version 7.0.rc1.g08f1a2', 'yes'],
    ['perf version 10.08', 'yes'],
    ['perf version 6.3.13', 'no'],
    ['perf version 5.14.0-503.el9', 'no'],
    ['perf version', 'no'],
    ['', 'no'],
  ])('is known from its version, %j: %s', (version, answer) => expect(can(version)).toBe(answer));

  it('does not matter in an image without the program that names them', () => {
    expect(can('perf version 6.12.118', 'false')).toBe('no');
  });
});

describe('the memory that perf may use', () => {
  const memory = (spare: number, many: number, least: number) =>
    Number(
      runShell(
        ['collectors/perf/perf.sh'],
        `WORK=/nowhere; perf_spare_kb() { echo ${spare}; }; perf_watch ${many} ${least}; echo "$perf_memory_kb"`,
      ),
    );
  it('is half of what the node has to spare, for all that run at the same time', () => {
    expect(memory(4_000_000, 1, 262_144)).toBe(2_000_000);
    expect(memory(4_000_000, 4, 65_536)).toBe(500_000);
    expect(memory(4_000_000, 100, 65_536)).toBe(65_536);
    expect(memory(100_000_000, 1, 262_144)).toBe(4_194_304);
  });
  it('is read from the kernel', () =>
    expect(Number(runShell(['collectors/perf/perf.sh'], 'perf_spare_kb'))).toBeGreaterThan(1000));
});
