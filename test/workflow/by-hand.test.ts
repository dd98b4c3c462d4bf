import { execaSync } from 'execa';
import { describe, expect, it } from 'vitest';
import { type ManualContext, script } from '../../src/collectors/by-hand/debugger.ts';
import { flameGraphLine, packetLines } from '../../src/collectors/by-hand/files.ts';
import { crictlByHand, shellByHand } from '../../src/collectors/command/by-hand.ts';
import { perfByHand } from '../../src/collectors/perf/by-hand.ts';
import { nodesByHand, psByHand, whoisByHand } from '../../src/collectors/snapshot/by-hand.ts';
import { tcpdumpByHand } from '../../src/collectors/tcpdump/by-hand.ts';
import type { PerfTask, TcpdumpTask } from '../../src/plan/plan.ts';
import { golden } from '../golden.ts';
import { PERF, planOf, podOf, TCPDUMP } from '../plans.ts';

const AROUND: ManualContext = {
  kubectl: 'kubectl --context=prod',
  node: 'node-a',
  debugPod: { image: 'registry.example/gkeprof-tools:1', install: false, leastPrivilege: false },
};
const LEAST: ManualContext = { ...AROUND, debugPod: { ...AROUND.debugPod, leastPrivilege: true } };
const PLAIN: ManualContext = {
  ...AROUND,
  debugPod: { image: 'debian:trixie-slim', install: true, leastPrivilege: false },
};
const AT = Date.parse('2026-11-23T13:37:49Z');
const POD = podOf();
const NODE = { kind: 'node', node: 'node-a' } as const;
const tcpdump = TCPDUMP as TcpdumpTask;

const pcapOf = (capture: TcpdumpTask, target: typeof POD | typeof NODE = POD, around = AROUND) =>
  tcpdumpByHand(planOf(capture, target), capture, around, AT);

/** What is explained, and the script; test/e2e/output.test.ts runs some on a real cluster. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'flamegraph-pod': perfByHand(planOf(PERF), PERF as PerfTask, AROUND, AT),
  'flamegraph-container-plain': perfByHand(
    planOf(PERF, podOf({ container: POD.containers[1]! })),
    { ...PERF, scope: 'container' } as PerfTask,
    PLAIN,
    AT,
  ),
  'flamegraph-dwarf': perfByHand(
    planOf(PERF),
    { ...PERF, stacks: 'dwarf', stackBytes: 8192 } as PerfTask,
    AROUND,
    AT,
  ),
  'flamegraph-off-cpu': perfByHand(
    planOf(PERF),
    { ...PERF, stacks: 'fp', offCpu: true } as PerfTask,
    AROUND,
    AT,
  ),
  'flamegraph-node': perfByHand(planOf(PERF, NODE), { ...PERF, scope: 'node' } as PerfTask, AROUND, AT),
  'flamegraph-pid': perfByHand(
    planOf(PERF, NODE),
    { ...PERF, scope: 'node', pid: 7154 } as PerfTask,
    AROUND,
    AT,
  ),
  'pcap-netns': pcapOf(tcpdump),
  'pcap-iface': pcapOf({ ...tcpdump, scope: 'iface', count: 10, filter: ['tcp[13]', '==', '2'] }),
  'pcap-node': pcapOf({ ...tcpdump, scope: 'node', interface: 'default' }, NODE),
  'pcap-node-least': pcapOf({ ...tcpdump, scope: 'node' }, NODE, LEAST),
  'pcap-netns-least': pcapOf(tcpdump, POD, LEAST),
  ps: psByHand([POD], AROUND),
  'ps-node': psByHand([NODE], AROUND),
  whois: whoisByHand(
    [
      { by: 'pid', pid: 7154 },
      { by: 'match', match: /redis-server .*:6379/u },
      { by: 'port', port: 6379 },
      { by: 'ip', ip: '10.0.0.1' },
      { by: 'cgroup', path: '/kubepods' },
      { by: 'container', id: '89e7d6da5f404' },
      { by: 'veth', name: 'veth1' },
    ],
    AROUND,
  ),
  crictl: crictlByHand(POD, ['ps', '--pod', '', '-o', 'json'], 2, false, AROUND),
  shell: shellByHand(POD, ['net', 'pid'], ['sh', '-c', 'echo $HOME'], AROUND),
};

describe('--explain', () => {
  it.each(Object.keys(SCRIPTS))('%s is a script that bash and shellcheck can read', (name) => {
    const text = script(name, SCRIPTS[name]!);
    golden(`explain/${name}.sh`, text);
    execaSync('bash', ['-n'], { input: text });
    // SC2154: variables are of the script; SC2016: some are of the shell on the node.
    const checked = execaSync('shellcheck', ['-s', 'bash', '-e', 'SC2016', '-'], {
      input: text,
      reject: false,
    });
    if (checked.exitCode !== undefined) expect(checked.stdout).toBe('');
  });

  it('puts every word of a user where the shell takes it for one', () => {
    const evil = '$(touch /tmp/x); "';
    const text = crictlByHand(NODE, ['logs', evil], undefined, false, AROUND).join('\n');
    expect(text).toContain(`logs '${evil}'`);
    expect(flameGraphLine(`a'b.gz`, 'x y.svg')).toBe(
      `zcat 'a'\\''b.gz' | stackcollapse-perf.pl | flamegraph.pl > 'x y.svg'`,
    );
  });

  it.each([
    ['1000 kB', '2048'],
    ['1000000 kB', '7812'],
    ['99999999 kB', '65536'],
  ])('sizes the buffer of tcpdump for %s of available memory', (available, kib) => {
    // In awk a bare `>` behind print writes to a file.
    const line = pcapOf(tcpdump).find((each) => each.startsWith('buffer='))!;
    const [, awk] = /awk '(.*?)'/.exec(line)!;
    const input = `MemTotal: 1 kB\nMemAvailable:   ${available}\n`;
    expect(execaSync('awk', [awk!], { input }).stdout).toBe(kib);
  });

  it('of files is what the runbook types', () => {
    expect(packetLines('a.pcap.gz', ['summary', 'ip', 'tcp', 'flags'])).toEqual([
      'capinfos -aceuxs a.pcap.gz',
      'tshark -r a.pcap.gz -q -z conv,ip',
      'tshark -r a.pcap.gz -q -z conv,tcp',
      'tshark -r a.pcap.gz -T fields -e tcp.flags.str | sort | uniq -c',
    ]);
  });

  it('of nodes are the two lists', () => {
    expect(nodesByHand({ substrings: ['redis'], pods: 'app=redis' }, 'redis', 'kubectl')).toBe(
      'kubectl get nodes -o wide | grep -F -e redis\nkubectl get pods -n redis -o wide -l app=redis\n',
    );
  });
});
