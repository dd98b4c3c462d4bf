import { describe, expect, it } from 'vitest';
import { humanAge } from '../../src/snapshot/age.ts';
import { humanDuration } from '../../src/snapshot/container-list.ts';
import { pidsBehind } from '../../src/snapshot/links.ts';
import { probeOf } from '../../src/snapshot/probe.ts';
import { parseSnapshot } from '../../src/snapshot/snapshot.ts';
import { parseAddress, parseEndpoint, socketsOf } from '../../src/snapshot/sockets.ts';
import { needing } from '../needing.ts';
import { runShell } from '../node/shell.ts';

describe('socketsOf', () => {
  const snapshot = parseSnapshot(
    [
      '/proc/7/net/tcp:  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '/proc/7/net/tcp:   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 55 1',
      '/proc/7/net/tcp6:   0: 0000000000000000FFFF00000100000A:18EB 0000000000000000FFFF00000200000A:9C40 01 0:0 0:0 0 0 0 56 1',
      '/proc/7/net/tcp6:   1: 000080FE00000000FF0054500100FE00:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 57 1',
      '/proc/7/net/udp:   0: 00000000:0035 00000000:0000 07 0:0 0:0 0 0 0 58 1',
      '/proc/7/net/tcp:   1: 0100007F:18EB 0100007F:9C41 06 0:0 0:0 0 0 0 0 3',
      'fd:/proc/7/fd/3 socket:[55]',
      'fd:/proc/9/fd/3 socket:[55]',
      'fd:/proc/7/fd/4 socket:[56]',
    ].join('\n'),
  );
  it('reads ends of both families, and who holds them', () => {
    expect(socketsOf(snapshot)).toEqual([
      {
        protocol: 'tcp',
        local: { address: '127.0.0.1', port: 6379 },
        remote: { address: '0.0.0.0', port: 0 },
        listening: true,
        pids: [7, 9],
      },
      {
        protocol: 'tcp',
        local: { address: '127.0.0.1', port: 6379 },
        remote: { address: '127.0.0.1', port: 40_001 },
        listening: false,
        pids: [],
      },
      {
        protocol: 'tcp',
        local: { address: '10.0.0.1', port: 6379 },
        remote: { address: '10.0.0.2', port: 40_000 },
        listening: false,
        pids: [7],
      },
      {
        protocol: 'tcp',
        local: { address: 'fe80::5054:ff:fe:1', port: 80 },
        remote: { address: '::', port: 0 },
        listening: true,
        pids: [],
      },
      expect.objectContaining({ protocol: 'udp', local: { address: '0.0.0.0', port: 53 }, listening: true }),
    ]);
  });
  it.each([
    ['10.0.0.1:6379', { address: '10.0.0.1', port: 6379 }],
    ['[FD00:0::1]:80', { address: 'fd00::1', port: 80 }],
    ['[::ffff:10.0.0.1]:80', { address: '10.0.0.1', port: 80 }],
    ['10.0.0:80', undefined],
    ['[fe80::1%eth0]:80', undefined],
    ['10.0.0.1', undefined],
    ['10.0.0.1:70000', undefined],
    ['[zz]:1', undefined],
    ['fd00::1:80', undefined],
  ])('parseEndpoint(%s)', (text, end) => expect(parseEndpoint(text)).toEqual(end));
});

describe('parseAddress', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['FD00:0:0::0001', 'fd00::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['redis-0', undefined],
    ['10.0.0', undefined],
    ['', undefined],
  ])('%s', (text, address) => expect(parseAddress(text)).toBe(address));
});

describe('pidsBehind', () => {
  const snapshot = parseSnapshot(
    [
      'net:/proc/1/ns/net net:[1]',
      'net:/proc/7/ns/net net:[2]',
      'net:/proc/8/ns/net net:[2]',
      'net:/proc/9/ns/net net:[3]',
      'links:4: vethabc@if2: <BROADCAST> mtu 1500\\    link/ether aa:bb:cc:dd:ee:01 link-netns gkeprof-7',
      'links:5: vethdef@if2: <BROADCAST> mtu 1500\\    link/ether aa:bb:cc:dd:ee:02 link-netns gkeprof-9',
      'links:6: vethold@if2: <BROADCAST> mtu 1500\\    link/ether aa:bb:cc:dd:ee:03 link-netnsid 2',
      'links:2: eth0: <BROADCAST> mtu 1500\\    link/ether aa:bb:cc:dd:ee:04',
    ].join('\n'),
  );

  it('asks the node’s kernel for the namespace, never the pod for its interfaces', () => {
    expect(pidsBehind('vethabc', snapshot)).toEqual([7, 8]);
    expect(pidsBehind('vethdef', snapshot)).toEqual([9]);
  });

  it('finds nobody where the other end is in no namespace of a process', () => {
    expect(pidsBehind('vethold', snapshot)).toEqual([]);
    expect(pidsBehind('eth0', snapshot)).toEqual([]);
    expect(pidsBehind('veth', snapshot)).toBeUndefined();
  });

  // Real namespaces: a pod that has another one's index at its own other end.
  needing(
    'root',
    'linux',
    'bash 5',
  )('is not taken in by a pod with the indexes of another one', () => {
    const text = runShell(
      [
        'node/protocol.sh',
        'node/identity.sh',
        'node/network.sh',
        'node/runtime.sh',
        'collectors/snapshot/snapshot.sh',
      ],
      'export -f $(compgen -A function); export NETNS_NAMES; exec unshare -n -m --propagation private bash -c "$1"',
      [
        `for each in pod evil nested; do
           unshare -n sleep 60 & declare $each=$!
           until ! [[ /proc/$!/ns/net -ef /proc/self/ns/net ]]; do sleep 0.02; done
         done
         trap 'kill $pod $evil $nested' EXIT
         mount -t tmpfs none /run
         ip link add vethpod index 41 type veth peer name eth0 index 7 netns "$pod"
         nsenter -t "$evil" -n ip link add eth0 index 7 type veth peer name x index 41 netns "$nested"
         echo "pod:$pod"
         part_links`,
      ],
    );
    const real = parseSnapshot(text);
    expect(pidsBehind('vethpod', real)).toEqual([Number(real.lines.get('pod')![0])]);
  });
});

describe('probeOf', () => {
  it.each([
    ['cgroup:cgroup2fs ', 'v2'],
    ['cgroup:tmpfs ', 'v1'],
    ['cgroup:tmpfs cgroup2fs', 'hybrid'],
  ])('%s is %s', (text, mode) => expect(probeOf(parseSnapshot(text)).cgroup).toBe(mode));
  it.each([
    ['pmu:software\npmu:cpu', true],
    ['pmu:armv8_pmuv3_0', true],
    ['pmu:software\npmu:msr\npmu:breakpoint\npmu:tracepoint', false],
  ])('%j: %s', (text, has) => expect(probeOf(parseSnapshot(text)).pmu).toBe(has));
});

describe('ages', () => {
  const S = 1000;
  const H = 3600 * S;
  // go-units' HumanDuration, as crictl prints it.
  it.each([
    [0, 'Less than a second'],
    [1 * S, '1 second'],
    [59 * S, '59 seconds'],
    [60 * S, 'About a minute'],
    [120 * S, '2 minutes'],
    [59 * 60 * S, '59 minutes'],
    [60 * 60 * S, 'About an hour'],
    [89 * 60 * S, 'About an hour'],
    [90 * 60 * S, '2 hours'],
    [47 * H, '47 hours'],
    [48 * H, '2 days'],
    [13 * 24 * H, '13 days'],
    [14 * 24 * H, '2 weeks'],
    [61 * 24 * H, '2 months'],
    [800 * 24 * H, '2 years'],
  ])('%d ms ago for crictl', (ms, text) => expect(humanDuration(ms)).toBe(text));
  // apimachinery's HumanDuration, as kubectl prints it.
  it.each([
    [0, '0s'],
    [119 * S, '119s'],
    [120 * S, '2m'],
    [150 * S, '2m30s'],
    [10 * 60 * S, '10m'],
    [179 * 60 * S, '179m'],
    [3 * H, '3h'],
    [3.5 * H, '3h30m'],
    [8 * H, '8h'],
    [47 * H, '47h'],
    [48 * H, '2d'],
    [49 * H, '2d1h'],
    [192 * H, '8d'],
    [729 * 24 * H, '729d'],
    [730 * 24 * H, '2y'],
    [3000 * 24 * H, '8y'],
  ])('%d ms for kubectl', (ms, text) => expect(humanAge(ms)).toBe(text));
});
