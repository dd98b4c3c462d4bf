import type { NodeWork } from '../collector.ts';

/** Snapshots of a node: snapshot.sh is its other half. */
export const inspect: NodeWork = {
  describe: () => 'a look at the processes and containers of the node',
  nodeArguments({ capture }) {
    if (capture.collector !== 'inspect') throw new Error('not a plan for inspect');
    return {
      keys: [`parts=${capture.parts.join(',')}`, `linger_ms=${Math.round(capture.lingerSeconds * 1000)}`],
      words: [],
    };
  },
};
