import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { GkeprofError } from '../../src/errors.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { makePlans } from '../../src/plan/plan.ts';
import type { Outcome } from '../../src/session/session.ts';
import { fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { podOf, TCPDUMP } from '../plans.ts';
import { copy, laptop, nodeSide, PLAN } from './scene.ts';

const [ONE, TWO] = makePlans({
  works: ['redis-0', 'redis-1'].map((name) => ({ target: { ...podOf(), name }, capture: TCPDUMP })),
  limits: PLAN.limits,
  debugPod: PLAN.debugPod,
}) as [Plan, Plan];

/** A cluster with a debug pod whose two recorders print these lines, in turns. */
function clusterOf(one: readonly string[], two: readonly string[], overrides: object = {}) {
  const printed = one.flatMap((line, at) => [line, ...(two[at] === undefined ? [] : [two[at]])]);
  return fakeCluster({
    followLogs: () => lines([...printed, ...two.slice(one.length)], true),
    copy,
    readPod: async (_namespace, name) =>
      ({
        metadata: { name, uid: name.startsWith('redis') ? podOf().uid : 'x' },
        spec: { nodeName: 'node-a', containers: [] },
        status: {
          phase: 'Running',
          containerStatuses: [status('capture'), status('files'), status('redis')],
        },
      }) as never,
    ...overrides,
  });
}

const node = (plan: Plan) => nodeSide(plan.session.nonce);
const refusal = (code: string) => {
  const side = node(TWO);
  return [side.event('hello'), side.event('refused', { code })];
};
const reasonOf = (outcome: Outcome | undefined) =>
  outcome && 'error' in outcome ? (outcome.error as GkeprofError).message : 'it has a result';

describe('a debug pod with several recorders', () => {
  const { runAll, files, path, said } = laptop();

  it('gives the file of each, from its own folder, and deletes the pod once', async () => {
    const asked: string[] = [];
    const cluster = clusterOf(node(ONE).script(), node(TWO).script(), {
      copy: (...words: Parameters<typeof copy>) => {
        asked.push(words[1]);
        return copy(...words);
      },
    });
    const outcomes = await runAll(cluster, [ONE, TWO]);
    expect(outcomes.map((each) => 'result' in each)).toEqual([true, true]);
    expect(asked).toEqual(['/gkeprof/out/1/capture.pcap.gz', '/gkeprof/out/2/capture.pcap.gz']);
    expect(files().sort()).toEqual(
      ['redis-0', 'redis-1'].map((name) =>
        expect.stringMatching(new RegExp(`netns_.*_${name}\\.pcap\\.gz$`)),
      ),
    );
    for (const name of files()) expect(readFileSync(path(name)).length).toBeGreaterThan(0);
    await Promise.all(outcomes.map((each) => 'result' in each && each.result.removed));
    expect(cluster.calls.filter((call) => call === 'delete')).toHaveLength(1);
    expect(cluster.calls.filter((call) => call === 'create')).toHaveLength(1);
    expect(said().match(/capturing 2 pods for/g)).toHaveLength(1);
  });

  it('keeps what one recorded where the node refuses the other', async () => {
    const cluster = clusterOf(node(ONE).script(), refusal('pod-not-found'));
    const outcomes = await runAll(cluster, [ONE, TWO]);
    expect(outcomes[0]).toHaveProperty('result');
    expect(reasonOf(outcomes[1])).toMatch(/^pod\/redis-1 is not running on node node-a any more/);
    expect(files()).toHaveLength(1);
  });

  it('keeps the pod where the file of one could not be copied', async () => {
    let copies = 0;
    const cluster = clusterOf(node(ONE).script(), node(TWO).script(), {
      copy: async (...words: Parameters<typeof copy>) => {
        copies += 1;
        return copies === 1 ? copy(...words) : result('', 1, 'error: the server could not find it');
      },
    });
    const outcomes = await runAll(cluster, [ONE, TWO]);
    expect(outcomes[0]).toHaveProperty('result');
    expect((outcomes[1] as { error: GkeprofError }).error).toMatchObject({ code: 5 });
    expect(cluster.calls).not.toContain('delete');
    expect(said()).toContain('keeps the file for');
  });

  it('deletes the pod where the node refuses all', async () => {
    const side = node(ONE);
    const cluster = clusterOf(
      [side.event('hello'), side.event('refused', { code: 'no-space' })],
      refusal('pod-not-found'),
    );
    const outcomes = await runAll(cluster, [ONE, TWO]);
    expect(outcomes.map(reasonOf)).toEqual([
      expect.stringContaining('of its disk free'),
      expect.stringContaining('pod/redis-1 is not running'),
    ]);
    expect(cluster.calls).toContain('delete');
    expect(files()).toEqual([]);
  });

  it('reads the events of each recorder from its own file where the log has ended', async () => {
    const texts = [ONE, TWO].map((plan) => node(plan).script());
    const asked: string[] = [];
    const cluster = clusterOf([], [], {
      followLogs: () => lines([texts[0]![0]!, texts[1]![0]!]),
      exec: async (_ref: unknown, words: readonly string[]) => {
        if (words[0] !== 'cat') return result();
        asked.push(words[1]!);
        return result(`${texts[words[1]!.includes('/2/') ? 1 : 0]!.join('\n')}\n`);
      },
    });
    const outcomes = await runAll(cluster, [ONE, TWO]);
    expect(outcomes.map((each) => 'result' in each)).toEqual([true, true]);
    expect(asked).toEqual(['/gkeprof/out/1/events.jsonl', '/gkeprof/out/2/events.jsonl']);
  });
});
