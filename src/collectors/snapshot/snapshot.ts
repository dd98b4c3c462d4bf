import { type NodeWork, privileges } from '../collector.ts';

/** Snapshots of a node: snapshot.sh is its other half. */
export const inspect: NodeWork = {
  name: 'inspect',
  scripts: ['node/network.sh', 'collectors/snapshot/snapshot.sh'],
  leastPrivilege: {
    // The node's network tells the kubelet, which is in it, from other processes that call themselves so.
    needs: {
      'node processes': privileges('pids', 'SYS_PTRACE'),
      'node runtime': privileges('both', 'SYS_PTRACE'),
      'node sockets': privileges('pids', 'DAC_READ_SEARCH', 'SYS_PTRACE'),
      'node links': privileges('both', 'SYS_PTRACE'),
      'node probe': privileges('neither'),
    },
    works: [
      { scope: 'node', parts: ['processes', 'runtime'] },
      { scope: 'node', parts: ['processes', 'runtime', 'sockets'] },
      { scope: 'node', parts: ['processes', 'runtime', 'links'] },
      { scope: 'node', parts: ['processes', 'runtime', 'sockets', 'links'] },
      { scope: 'node', parts: ['probe'] },
    ],
    partsOf: (task) => (task.collector === 'inspect' ? task.parts : undefined),
  },
  samples: [
    {
      name: 'inspect',
      task: { collector: 'inspect', scope: 'node', parts: ['processes', 'runtime'], lingerSeconds: 0 },
      on: 'node',
    },
  ],
  describe: () => 'a look at the processes and containers of the node',
  nodeArguments({ capture }) {
    if (capture.collector !== 'inspect') throw new Error('not a plan for inspect');
    return {
      keys: [`parts=${capture.parts.join(',')}`, `linger_ms=${Math.round(capture.lingerSeconds * 1000)}`],
      words: [],
    };
  },
};
