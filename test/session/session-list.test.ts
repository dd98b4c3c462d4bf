import type { V1ContainerState, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { collectorOf } from '../../src/collectors/index.ts';
import { keepEvent, parseEvent, type SeenEvents } from '../../src/node/events.ts';
import { debugPodName, type NodeTask } from '../../src/plan/plan.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { listedSession, listSessions, together } from '../../src/session/session-list.ts';
import { fakeCluster, result, status } from '../fake-cluster.ts';
import { PERF, planOf, podOf } from '../plans.ts';
import { nodeSide } from './scene.ts';

const CREATED = 1_790_000_000_000;
const RUNNING: V1ContainerState = { running: { startedAt: new Date(CREATED + 2000) } };
const ended = (exitCode: number): V1ContainerState => ({ terminated: { exitCode } });

function podIn(
  states: { capture?: V1ContainerState; files?: V1ContainerState } | undefined,
  more: { phase?: string; deleted?: boolean; task?: NodeTask } = {},
): V1Pod {
  const plan = planOf(more.task ?? PERF, more.task ? { kind: 'node', node: 'node-a' } : podOf(), {
    user: 'jane',
  });
  const name = debugPodName(plan.capture.collector, plan.session.id, 'jane');
  const pod = debugPod(
    [{ ...plan, debugPod: { ...plan.debugPod, name } }],
    collectorOf(plan.capture.collector),
  );
  pod.metadata!.creationTimestamp = new Date(CREATED);
  if (more.deleted) pod.metadata!.deletionTimestamp = new Date(CREATED + 9000);
  pod.status = {
    phase: more.phase ?? 'Running',
    containerStatuses: Object.entries(states ?? {}).map(([each, state]) => status(each, state)),
  };
  return pod;
}

const nonce = planOf(PERF).session.nonce;
/** What the node has said so far. */
function seen(...texts: string[]): SeenEvents {
  const events: SeenEvents = {};
  for (const text of texts) keepEvent(events, parseEvent(text, nonce)!);
  return events;
}
const node = () => nodeSide(nonce);
const both = { capture: RUNNING, files: RUNNING };

describe('listedSession', () => {
  it('has what the pod and the node tell', () => {
    const side = node();
    const events = seen(
      side.event('hello'),
      side.event('capturing'),
      side.event('progress', { bytes: 5000 }),
    );
    expect(listedSession(podIn(both), events)).toEqual({
      id: 'ababababab',
      pod: 'gkeprof-perf-ababababab-jane',
      scratch: 'disk',
      owner: 'jane',
      target: 'pod/redis-0',
      targetNamespace: 'redis',
      node: 'node-a',
      what: expect.stringContaining('redis-0'),
      state: 'capturing',
      createdAt: CREATED,
      bytes: 5000,
      endsAt: events.capturing!.t + 60_000,
      // The time that the capture may take, and then --keep.
      expiresAt: CREATED + 2000 + (2 * 60 + 300 + 600) * 1000,
    });
  });

  it('knows when the file of a finished session is deleted, and how large it is', () => {
    const events = seen(...node().script());
    expect(listedSession(podIn({ capture: ended(0), files: RUNNING }), events)).toMatchObject({
      state: 'finished',
      bytes: expect.any(Number),
      expiresAt: events.end!.t + 600_000,
    });
  });

  const script = () => {
    const side = node();
    return [side.event('hello'), side.event('capturing'), side.event('stopping', { reason: 'time' })];
  };
  it.each<[string, V1Pod, SeenEvents | undefined]>([
    ['starting', podIn(undefined, { phase: 'Pending' }), undefined],
    ['starting', podIn({ capture: { waiting: { reason: 'ContainerCreating' } } }), undefined],
    ['starting', podIn(both), seen(...script().slice(0, 1))],
    ['capturing', podIn(both), seen(...script().slice(0, 2))],
    ['capturing', podIn(both), undefined],
    ['finishing', podIn(both), seen(...script())],
    ['finished', podIn(both), seen(...node().script())],
    ['finished', podIn({ capture: ended(0), files: RUNNING }), undefined],
    ['failed', podIn({ capture: ended(137), files: RUNNING }), seen(...script().slice(0, 2))],
    ['failed', podIn({ capture: ended(1), files: RUNNING }), undefined],
    ['ended', podIn({ capture: ended(0), files: ended(0) }, { phase: 'Succeeded' }), undefined],
    ['ended', podIn(undefined, { phase: 'Failed' }), undefined],
    ['deleting', podIn(both, { deleted: true }), undefined],
    [
      'running',
      podIn(both, { task: { collector: 'inspect', scope: 'node', parts: ['probe'], lingerSeconds: 9 } }),
      seen(node().event('hello')),
    ],
  ])('is %s', (state, pod, events) => {
    expect(listedSession(pod, events).state).toBe(state);
  });

  it('has no times and no size where nothing is left', () => {
    const row = listedSession(podIn(both, { deleted: true }), seen(...node().script()));
    expect(Object.keys(row)).not.toEqual(expect.arrayContaining(['bytes']));
    expect([row.expiresAt, row.endsAt]).toEqual([undefined, undefined]);
  });

  it('takes a pod of which nearly nothing is known', () => {
    expect(listedSession({ metadata: { name: 'x' } }, undefined)).toMatchObject({
      id: '',
      pod: 'x',
      state: 'starting',
    });
  });
});

describe('listSessions', () => {
  it('asks each node for its events, and does without those that do not answer', async () => {
    const one = podIn(both);
    const two = podIn({ capture: ended(0), files: RUNNING });
    two.metadata!.name = 'gkeprof-perf-cdcdcdcdcd-jane';
    two.metadata!.labels!['gkeprof.dev/session'] = 'cdcdcdcdcd';
    two.metadata!.creationTimestamp = new Date(CREATED - 1000);
    const cluster = fakeCluster({
      listPods: async () => [one, two],
      exec: async ({ pod }) => {
        if (pod === two.metadata!.name) throw new Error('the node does not answer');
        return result(node().script().slice(0, 2).join('\n'));
      },
    });
    const rows = await listSessions(cluster, 'gkeprof', () => true);
    expect(rows.map(({ id, state }) => [id, state])).toEqual([
      ['cdcdcdcdcd', 'finished'],
      ['ababababab', 'capturing'],
    ]);
  });

  it('believes no events of another session', async () => {
    const cluster = fakeCluster({
      listPods: async () => [podIn(both)],
      exec: async () => result(nodeSide('another').script().join('\n')),
    });
    expect((await listSessions(cluster, 'gkeprof', () => true))[0]!.state).toBe('starting');
  });

  it('asks no node for a session that is not wanted: its pod may be that of somebody else', async () => {
    const asked: string[] = [];
    const cluster = fakeCluster({
      listPods: async () => [podIn(both)],
      exec: async ({ pod }) => {
        asked.push(pod);
        return result();
      },
    });
    expect(await listSessions(cluster, 'gkeprof', ({ owner }) => owner === 'somebody')).toEqual([]);
    expect(asked).toEqual([]);
    expect(await listSessions(cluster, 'gkeprof', ({ owner }) => owner === 'jane')).toHaveLength(1);
    expect(asked).toEqual(['gkeprof-perf-ababababab-jane']);
  });
});

describe('together', () => {
  it('is over when all recorders are, and has the sum of their sizes', () => {
    const [one, two, three] = [node(), node(), node()];
    const capturing = seen(one.event('hello'), one.event('capturing'), one.event('progress', { bytes: 7 }));
    const over = seen(...two.script());
    const refused = seen(three.event('hello'), three.event('refused', { code: 'pod-not-found' }));
    const bytes = over.artifact!.bytes;
    const some = together([refused, capturing, over]);
    expect(some.progress).toMatchObject({ event: 'progress', bytes: 7 + bytes });
    expect(some).not.toHaveProperty('end');
    expect(listedSession(podIn(both), some)).toMatchObject({ state: 'finishing', bytes: 7 + bytes });
    expect(together([refused, over]).end).toEqual(over.end);
    expect(together([refused, refused])).not.toHaveProperty('end');
  });
});
