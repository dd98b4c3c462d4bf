import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeReceipt, type Receipt, writeReceipt } from '../../src/session/receipt.ts';
import type { SessionResult } from '../../src/session/result.ts';
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

it('is written whole, for its user alone, and never over another one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-receipt-'));
  try {
    const path = await writeReceipt(join(folder, 'a'), { gkeprof: '1' } as Receipt);
    expect(path).toBe(join(folder, 'a.receipt.json'));
    await expect(writeReceipt(join(folder, 'a'), { gkeprof: '2' } as Receipt)).rejects.toThrow(
      /exists already/,
    );
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ gkeprof: '1' });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['a.receipt.json']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
