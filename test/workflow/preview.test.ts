import { describe, expect, it } from 'vitest';
import { runOn } from '../commands/on-cluster.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { GKE_V2, id } from '../snapshot/nodes.ts';

/** A command line for each kind of debug pod, and for each question that needs one before the command's own. */
const KINDS: ReadonlyArray<readonly [collector: string, ...words: string[]]> = [
  ['perf', 'flamegraph', 'pod/redis-0'],
  ['tcpdump', 'pcap', 'pod/redis-0', '--port', '6379'],
  ['inspect', 'ps', 'node/node-a'],
  ['inspect', 'whois', 'node/node-a', '1002'],
  ['crictl', 'crictl', 'pod/redis-0', '--', 'ps'],
  ['shell', 'shell', 'node/node-a', '--', 'id'],
  ['inspect', 'doctor', 'pod/redis-0'],
  // The id is that of a sandbox, which only the node knows.
  ['inspect', 'pcap', `id/${id('8')}`, '--node', 'node-a'],
];

function clusterWithNode() {
  const { pods } = GKE_V2;
  return fakeCluster({
    namespace: 'redis',
    listNodes: async () => [{ metadata: { name: 'node-a' } }],
    listAllPods: async () => [...pods],
    readPod: async (_namespace, name) => pods.find((pod) => pod.metadata?.name === name)!,
    isAllowed: async () => {
      throw new Error('a preview asks for no rights');
    },
    askAccess: async () => {
      throw new Error('a preview asks for no rights');
    },
  });
}

/** Puts the flag before `--`, where the words of crictl and of a shell begin. */
function withFlag(words: readonly string[], flag: string): string[] {
  const at = words.indexOf('--');
  return at < 0 ? [...words, flag] : words.toSpliced(at, 0, flag);
}

describe('--dry-run', () => {
  it.each([...KINDS, ['inspect', 'nodes', '--probe']])(
    'prints the pod for %s, and creates none: %s %s %s',
    async (collector, ...words) => {
      const { code, stdout, calls } = await runOn(clusterWithNode(), withFlag(words, '--dry-run=client'));
      expect({ code, calls }).toEqual({ code: 0, calls: [] });
      expect(stdout).toMatch(/^apiVersion: v1\nkind: Pod\n/);
      expect(stdout).toContain(`collector=${collector}`);
    },
  );
});

describe('--explain', () => {
  it.each([...KINDS, ['inspect', 'nodes', '--probe']])(
    'prints commands for %s, and creates no pod: %s %s %s',
    async (_collector, ...words) => {
      const { code, stdout, calls } = await runOn(clusterWithNode(), withFlag(words, '--explain'));
      expect({ code, calls }).toEqual({ code: 0, calls: [] });
      expect(stdout).toContain('kubectl ');
    },
  );
});
