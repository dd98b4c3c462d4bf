import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { startState } from '../../src/session/start.ts';
import { isLeftover } from '../../src/session/sweep.ts';
import { status } from '../fake-cluster.ts';
import { PERF, planOf } from '../plans.ts';

const plan = planOf(PERF);
const pod = (podStatus: object): V1Pod => ({ metadata: {}, status: podStatus }) as V1Pod;
const waiting = (reason: string, message = '') =>
  pod({ phase: 'Pending', containerStatuses: [status('capture', { waiting: { reason, message } })] });

describe('startState', () => {
  it.each([
    ['running', pod({ phase: 'Running', containerStatuses: [status('capture')] })],
    [
      'running, and being deleted: it still finishes what it has',
      {
        ...pod({ phase: 'Running', containerStatuses: [status('capture')] }),
        metadata: { deletionTimestamp: new Date() },
      },
    ],
    [
      'over already',
      pod({ phase: 'Running', containerStatuses: [status('capture', { terminated: { exitCode: 0 } })] }),
    ],
  ])('has started when it is %s', (_what, each) =>
    expect(startState(each, plan)).toEqual({ kind: 'started' }),
  );

  it.each([
    [pod({}), 'the kubelet'],
    [waiting('ContainerCreating'), 'ContainerCreating'],
    [pod({ conditions: [{ type: 'PodScheduled', status: 'False', message: '0/2 nodes' }] }), '0/2 nodes'],
  ])('waits: %#', (each, why) => expect(startState(each, plan)).toEqual({ kind: 'waiting', why }));

  it.each([
    [
      waiting('ErrImagePull', 'not\x1bfound'),
      /node "node-a" cannot pull the image "registry\.example\/gkeprof-tools:1": ErrImagePull: not\\x1bfound/,
    ],
    [waiting('ImagePullBackOff'), /ImagePullBackOff/],
    [waiting('ErrImageNeverPull'), /ErrImageNeverPull/],
    [
      waiting('CreateContainerConfigError', 'runAsNonRoot'),
      /cannot run on node "node-a": CreateContainerConfigError: runAsNonRoot/,
    ],
    [
      pod({ phase: 'Failed', reason: 'Evicted', message: 'DiskPressure' }),
      /did not take the debug pod: Evicted: DiskPressure/,
    ],
    [undefined, /^somebody else deleted the debug pod gkeprof-perf-\S+ before it had started$/],
    [
      { ...waiting('ContainerCreating'), metadata: { deletionTimestamp: new Date() } },
      /^somebody else deleted the debug pod gkeprof-perf-\S+ before it had started$/,
    ],
  ])('fails at once: %#', (each, reason) => {
    const state = startState(each, plan);
    expect(state.kind === 'failed' && state.error.message).toMatch(reason);
    expect(state.kind === 'failed' && state.error.code).toBe(3);
  });
});

describe('isLeftover', () => {
  const NOW = Date.UTC(2026, 0, 1, 12);
  const ended = (secondsAgo: number, phase = 'Succeeded', metadata = {}) =>
    ({
      metadata: { creationTimestamp: new Date(NOW - 3_600_000), ...metadata },
      status: {
        phase,
        containerStatuses: [
          status('capture', { terminated: { finishedAt: new Date(NOW - secondsAgo * 1000) } }),
        ],
      },
    }) as unknown as V1Pod;
  it.each([
    [ended(60), true],
    [ended(60, 'Failed'), true],
    [ended(5), false],
    [ended(60, 'Running'), false],
    [ended(60, 'Pending'), false],
    [ended(60, 'Succeeded', { deletionTimestamp: new Date(NOW) }), false],
    [
      {
        metadata: { creationTimestamp: new Date(NOW - 60_000) },
        status: { phase: 'Failed' },
      } as unknown as V1Pod,
      true,
    ],
  ])('%#', (each, want) => expect(isLeftover(each, NOW)).toBe(want));
});
