import { expect, it } from 'vitest';
import { makeReceipt } from '../../src/session/receipt.ts';
import type { SessionResult } from '../../src/session/session.ts';
import { planOf, podOf, TCPDUMP } from '../plans.ts';
import { faults } from '../schemas.ts';

it('says in which cluster it was, and as whom', () => {
  const result: SessionResult = {
    reached: { context: 'prod', server: 'https://api.example:6443', user: 'alice', isCurrent: false },
    artifact: { path: '/x/a.pcap.gz', base: '/x/a', bytes: 1, sha256: '0'.repeat(64), resumedBytes: 0 },
    isRaw: false,
    unnamedProcesses: 0,
    ended: 'time',
    stoppedBy: 'limit',
    toolStatus: 0,
    startedAt: 0,
    stoppedAt: 1,
    kernel: '6.1.0',
    toolVersion: 'tcpdump',
    imageId: 'image@sha256:0',
    last: undefined,
    targetChanges: [],
    removed: Promise.resolve(),
  };
  const receipt = makeReceipt(planOf(TCPDUMP), result, {});
  expect(receipt.cluster).toEqual({ context: 'prod', server: 'https://api.example:6443', user: 'alice' });
  expect(faults('receipt', JSON.parse(JSON.stringify(receipt)))).toEqual([]);
  const { plan } = JSON.parse(JSON.stringify(receipt));
  expect(Object.keys(plan)).toEqual([
    ...['version', 'session', 'node', 'targets', 'capture', 'limits', 'debugPod'],
  ]);
  expect(plan.targets).toEqual([podOf()]);
});
