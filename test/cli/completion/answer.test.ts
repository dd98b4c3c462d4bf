import { describe, expect, it } from 'vitest';
import { answerText, answerTo } from '../../../src/cli/completion/answer.ts';
import { wantedFor } from '../../../src/cli/completion/request.ts';
import type { ClusterNames, Name } from '../../../src/cluster/completion-names.ts';
import { COMMANDS } from '../../../src/commands/index.ts';

const THINGS: Record<string, Name[]> = {
  pods: [
    { text: 'redis-0', about: 'Pending 0/1' },
    { text: 'redis-1', about: 'Running 1/1' },
    { text: 'web', about: 'CrashLoopBackOff 0/1' },
    { text: 'web-2', about: 'Running 2/2' },
  ],
  nodes: [{ text: 'node-a', about: 'Ready' }, { text: 'node-b' }],
  deployments: [{ text: 'web', about: '1/2' }],
  services: [{ text: 'front' }],
  cronjobs: [{ text: 'tidy' }],
  namespaces: [{ text: 'default' }, { text: 'redis' }],
};
const names: ClusterNames = {
  list: async (resource) => THINGS[resource] ?? [],
  containers: async (resource, name) => [{ text: `${resource}-${name}-main` }, { text: 'sidecar' }],
  configured: async (what) => [{ text: `${what}-1` }],
};
const answer = async (line: string, of = names) =>
  answerText(await answerTo(wantedFor(line.split(' '), COMMANDS), of));

describe('an answer', () => {
  it.each<[string, string]>([
    ['flamegraph redis', 'redis-1\tRunning 1/1\nredis-0\tPending 0/1\n:36\n'],
    ['flamegraph pod/web', 'pod/web-2\tRunning 2/2\npod/web\tCrashLoopBackOff 0/1\n:36\n'],
    ['flamegraph po/redis-1', 'po/redis-1\tRunning 1/1\n:36\n'],
    ['flamegraph no', 'node/\n:38\n'],
    ['flamegraph node/', 'node/node-a\tReady\nnode/node-b\n:36\n'],
    ['flamegraph deploy/', 'deploy/web\t1/2\n:36\n'],
    ['flamegraph id/', ':36\n'],
    ['flamegraph nonsense/', ':36\n'],
    ['flamegraph redis-0 -c ', 'pods-redis-0-main\nsidecar\n:4\n'],
    ['flamegraph deploy/web -c d', 'deployments-web-main\n:4\n'],
    ['flamegraph node/a -c ', ':4\n'],
    [
      'ps pod ',
      'redis-1\tRunning 1/1\nweb-2\tRunning 2/2\nredis-0\tPending 0/1\nweb\tCrashLoopBackOff 0/1\n:36\n',
    ],
    ['ps pods redis-1 r', 'redis-0\tPending 0/1\n:36\n'],
    ['ps deployment.apps w', 'web\t1/2\n:36\n'],
    ['ps svc ', 'front\n:36\n'],
    ['ps cronjob/', 'cronjob/tidy\n:36\n'],
    ['ps redis-0 r', 'redis-1\tRunning 1/1\nrs/\n:36\n'],
    ['ps pod/web pod/w', 'pod/web-2\tRunning 2/2\n:36\n'],
    ['ps deploy web -c d', 'deployments-web-main\n:4\n'],
    ['ps deploy -c d', ':4\n'],
    ['crictl pod ', ':4\n'],
    ['flamegraph -c ', ':4\n'],
    ['flamegraph x -n r', 'redis\n:4\n'],
    ['flamegraph x --context ', 'context-1\n:4\n'],
    ['flamegraph x --user ', 'user-1\n:4\n'],
    ['whois node/node-b', 'node/node-b\n:4\n'],
    ['nodes node-a', 'node-a\tReady\n:4\n'],
    ['pcap x --output-dir ', ':16\n'],
    ['pcap x --kubeconfig ', ':0\n'],
    [
      'analyze @',
      '@last\tThe newest capture of this folder\n@2\tThe one before\n@3\tThe one before that\n:36\n',
    ],
    ['render @l', '@last\tThe newest recording of this folder\n:36\n'],
  ])('%s', async (line, want) => expect(await answer(line)).toBe(want));

  it('offers pods, running ones first, and kinds for an empty target', async () => {
    expect(await answer('pcap ')).toBe(
      'redis-1\tRunning 1/1\nweb-2\tRunning 2/2\nredis-0\tPending 0/1\nweb\tCrashLoopBackOff 0/1\n' +
        'pod/\nnode/\ndeploy/\nsts/\nds/\nrs/\njob/\ncronjob/\nsvc/\n:36\n',
    );
  });

  it('gives the endings of files, for the shell to find them', async () => {
    expect(await answer('analyze ')).toBe(
      `${['pcap', 'pcapng', 'cap'].flatMap((name) => ['', '.gz', '.zst', '.xz'].map((packed) => `${name}${packed}\n`)).join('')}:8\n`,
    );
    expect(await answer('diff a.svg ')).toMatch(/^svg\nperf-script\.txt\nperf-script\.txt\.gz\n.*:8\n$/s);
  });

  it('lets no name of the cluster forge a line', async () => {
    const hostile: ClusterNames = { ...names, list: async () => [{ text: 'a', about: 'x\n:0\x1b[31m' }] };
    expect(await answer('flamegraph pod/a', hostile)).toBe('pod/a\tx\\n:0\\x1b[31m\n:36\n');
    expect(await answer('nodes ', hostile)).toBe('a\tx\\n:0\\x1b[31m\n:4\n');
  });
});
