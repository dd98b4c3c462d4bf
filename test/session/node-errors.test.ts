import { expect, it } from 'vitest';
import { perf } from '../../src/collectors/perf/perf.ts';
import { type EventOf, parseEvent } from '../../src/node/events.ts';
import { nodeError } from '../../src/session/node-errors.ts';
import { nodeRefusal } from '../../src/session/node-refusal.ts';
import { fakeCluster, result } from '../fake-cluster.ts';
import { PERF, planOf } from '../plans.ts';

const planWith = (leastPrivilege: boolean) => {
  const plan = planOf(PERF);
  return { ...plan, debugPod: { ...plan.debugPod, leastPrivilege } };
};

// A security module may keep from an unprivileged container what a privileged one sees, and nothing says that it did.
it.each(['pod-not-found', 'container-not-found', 'process-not-found', 'perf-failed', 'no-runtime-socket'])(
  'of %s under --least-privilege, the hint names the flag, and without it does not',
  async (code) => {
    const hints = await Promise.all(
      [true, false].map(async (leastPrivilege) => {
        const plan = planWith(leastPrivilege);
        const line = JSON.stringify({
          ...{ gkeprof: 1, seq: 1, nonce: plan.session.nonce, t: 1, event: 'refused' },
          ...{ code, log: 'perf.log' },
        });
        const cluster = fakeCluster({
          exec: async (_ref, argv) => result(argv[0] === 'cat' ? `${line}\n` : 'Operation not permitted'),
        });
        if (code === 'no-runtime-socket') return (await nodeRefusal(plan, cluster))?.hint;
        return (
          await nodeError(parseEvent(line, plan.session.nonce) as EventOf<'refused'>, plan, perf, cluster)
        ).hint;
      }),
    );
    expect(hints[0]).toContain('without --least-privilege');
    expect(hints[1]).not.toContain('--least-privilege');
  },
);
