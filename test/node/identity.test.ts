import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
const UNDER = UID.replaceAll('-', '_');
const OTHER = '11111111-2222-3333-4444-555555555555';
const CID = 'c0ffee'.padEnd(64, '1');
const EVIL = 'e'.repeat(64);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gkeprof-cgroups-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const make = (...paths: string[]) => {
  for (const path of paths) mkdirSync(join(root, path), { recursive: true });
};

const find = (uids = UID) =>
  runShell(
    ['node/protocol.sh', 'node/identity.sh'],
    `cgroup_root=$1; arg[pod_uid]=$2; find_pod_cgroup && printf '%s\\n' "$pod_cgroup"; find_container_cgroup "$3" && printf '%s\\n' "$container_cgroup"; :`,
    [root, uids, CID],
  )
    .trim()
    .split('\n');

describe('find_pod_cgroup and find_container_cgroup', () => {
  // Layouts: kubernetes pkg/kubelet/cm/cgroup_manager_linux.go; names of scopes: containerd, CRI-O, cri-dockerd.
  const layouts: Array<[what: string, pod: string, container: string]> = [
    ['cgroupfs, burstable (GKE on cgroup v1)', `kubepods/burstable/pod${UID}`, CID],
    ['cgroupfs, best effort', `kubepods/besteffort/pod${UID}`, CID],
    ['cgroupfs, guaranteed', `kubepods/pod${UID}`, CID],
    ['cgroupfs below a kubelet root', `node2/kubepods/burstable/pod${UID}`, CID],
    [
      'systemd, burstable (GKE on cgroup v2)',
      `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDER}.slice`,
      `cri-containerd-${CID}.scope`,
    ],
    ['systemd, guaranteed', `kubepods.slice/kubepods-pod${UNDER}.slice`, `cri-containerd-${CID}.scope`],
    [
      'systemd, CRI-O',
      `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDER}.slice`,
      `crio-${CID}.scope`,
    ],
    [
      'systemd below a kubelet slice (kind)',
      `kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UNDER}.slice`,
      `cri-containerd-${CID}.scope`,
    ],
  ];
  it.each(layouts)('%s', (_what, pod, container) => {
    make(`${pod}/${container}`, `${pod}/${EVIL}`, `kubepods/burstable/pod${OTHER}/${EVIL}`);
    expect(find()).toEqual([pod, `${pod}/${container}`]);
  });

  it('does not take CRI-O’s monitor of a container for the container', () => {
    const pod = `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDER}.slice`;
    make(`${pod}/crio-conmon-${CID}.scope`, `${pod}/crio-${CID}.scope`);
    expect(find()).toEqual([pod, `${pod}/crio-${CID}.scope`]);
  });

  it('finds a static pod by the hash of its manifest', () => {
    const hash = '0123456789abcdef0123456789abcdef';
    make(`kubepods/burstable/pod${hash}/${CID}`);
    expect(find(`${hash},${UID}`)).toEqual([
      `kubepods/burstable/pod${hash}`,
      `kubepods/burstable/pod${hash}/${CID}`,
    ]);
  });

  // A container with its own cgroup namespace and write access can make any tree below itself.
  it.each([
    [
      'the same names below another pod, cgroupfs',
      `kubepods/burstable/pod${OTHER}/${EVIL}/kubepods/burstable/pod${UID}/${CID}`,
    ],
    ['the pod directly below another container', `kubepods/burstable/pod${OTHER}/${EVIL}/pod${UID}/${CID}`],
    [
      'the same names below another pod, systemd',
      `kubepods.slice/kubepods-pod${UNDER.replace('4', '5')}.slice/cri-containerd-${EVIL}.scope/kubepods.slice/kubepods-pod${UNDER}.slice/cri-containerd-${CID}.scope`,
    ],
    ['a longer name that ends alike', `kubepods/burstable/xpod${UID}/${CID}`],
    ['no kubepods at all', `machine/pod${UID}/${CID}`],
  ])('is not taken in by %s', (_what, path) => {
    make(path);
    expect(find()).toEqual(['']);
  });

  it('does not look for the container deeper than directly below its pod', () => {
    make(`kubepods/burstable/pod${UID}/${EVIL}/${CID}`);
    expect(find()).toEqual([`kubepods/burstable/pod${UID}`]);
  });
});

describe('process_start', () => {
  it.each([
    ['blanks and brackets', 'a) R 1 (b'],
    // It was read to its first line, which has no such field: every start was the same, and nothing was checked.
    ['a line feed', 'a) R 1\\n(b'],
  ])('counts its field from behind a name with %s', (_, name) => {
    const printed = runShell(
      ['node/protocol.sh', 'node/identity.sh'],
      `perl -e 'open(F, ">/proc/self/comm"); print F "${name}"; close F; sleep 30' &
       until grep -q 'R 1' /proc/$!/comm; do sleep 0.05; done
       process_start $! && printf '%s\n' "$start_time"; kill $!
       perl -e 'open(F, "/proc/self/stat"); $_ = <F>; s/.*\\) //; print((split)[19], "\n")'`,
    );
    const [named, own] = printed.trim().split('\n').map(Number);
    // Both started within the last half minute, in ticks of a hundredth.
    expect(named).toBeGreaterThan(0);
    expect(Math.abs(own! - named!)).toBeLessThan(3000);
  });

  it('fails for a process that is not there', () => {
    const script = 'if process_start 4194304; then echo yes; else echo no; fi';
    expect(runShell(['node/protocol.sh', 'node/identity.sh'], script)).toBe('no\n');
  });
});

describe('pod_is_of_namespace', () => {
  const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
  const OTHER = '530eb98a-8da4-4a68-8aa1-9376d13fd3f1';
  /** What it says of a pod by its UIDs, and which of them the scripts go on with. */
  const said = (uids: string, logs: readonly string[]): string => {
    const root = mkdtempSync(join(tmpdir(), 'gkeprof-root-'));
    try {
      for (const name of logs) mkdirSync(join(root, 'var/log/pods', name), { recursive: true });
      const script = `declare -A arg=([pod_uid]="$2" [pod_namespace]=mine); root=$1
        node_roots() { printf '%s\\n' "$root"; }
        find_node_root() { :; }; find_runtime_socket() { return 1; }
        if pod_is_of_namespace; then printf 'yes %s\\n' "\${arg[pod_uid]}"; else echo no; fi`;
      return runShell(['node/identity.sh'], script, [root, uids]).trim();
    } finally {
      rmSync(root, { recursive: true });
    }
  };
  it.each([
    ['of the namespace', UID, [`mine_pod_${UID}`], `yes ${UID}`],
    ['of another one', UID, [`other_pod_${UID}`], 'no'],
    ['of one whose name begins alike', UID, [`mine-too_pod_${UID}`], 'no'],
    ['that the node does not know', UID, [`mine_pod_${OTHER}`], 'no'],
    // A pod that has no logs yet, named beside one of the namespace, is never looked at.
    [
      'with a second UID that the node does not know yet',
      `${OTHER},${UID}`,
      [`mine_pod_${UID}`],
      `yes ${UID}`,
    ],
    [
      'with a second UID of another namespace',
      `${OTHER},${UID}`,
      [`mine_a_${UID}`, `other_b_${OTHER}`],
      'no',
    ],
  ] as const)('a pod %s', (_, uids, logs, want) => expect(said(uids, logs)).toBe(want));
});

describe('is_in_a_pod', () => {
  it.each([
    ['0::/kubepods/burstable/pod430eb98a-8da4-4a68-8aa1-9376d13fd3f0/abc', 'yes'],
    ['0::/../../pod430eb98a-8da4-4a68-8aa1-9376d13fd3f0/abc', 'yes'],
    [
      '0::/../kubepods-burstable-pod430eb98a_8da4_4a68_8aa1_9376d13fd3f0.slice/cri-containerd-abc.scope',
      'yes',
    ],
    ['0::/../pod0123456789abcdef0123456789abcdef/abc', 'yes'],
    ['0::/system.slice/kubelet.service', 'no'],
    ['0::/../../../system.slice/kubelet.service', 'no'],
    ['0::/podman/x', 'no'],
  ])('%s: %s', (line, want) => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-cgroup-'));
    writeFileSync(join(folder, 'cgroup'), `${line}\n`);
    const script = 'if is_in_a_pod "$1"; then echo yes; else echo no; fi';
    expect(runShell(['node/identity.sh'], script, [folder]).trim()).toBe(want);
    rmSync(folder, { recursive: true });
  });
});

describe('tool_failed', () => {
  const refused = (cgroup: string) =>
    runShell(
      ['node/protocol.sh', 'node/identity.sh'],
      `cgroup_root=$1; watched_cgroup=$2; refuse() { printf '%s\\n' "$*"; exit; }; tool_failed perf-failed perf.log`,
      [root, cgroup],
    ).trim();

  it('gives the reason of the tool while the target is there', () => {
    make('kubepods/pod1');
    expect(refused('kubepods/pod1')).toBe('perf-failed log perf.log');
  });

  it('says that the target is gone if it is', () => expect(refused('kubepods/pod1')).toBe('pod-not-found'));
});
