import { expect, it } from 'vitest';
import { runChecks } from '../../src/doctor/checks.ts';
import { HEALTHY, silence } from './scene.ts';

it('finds everything in order where nothing is wrong', () => {
  const checks = runChecks(HEALTHY);
  expect(checks.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(new Set(checks.map(({ check }) => check)).size).toBe(checks.length);
});

it('has no rows for a target and its kernel without a target', () => {
  const { target: _t, kernel: _k, ...facts } = HEALTHY;
  const names = runChecks(facts).map(({ check }) => check);
  expect(names).not.toContain('target');
  expect(names).not.toContain('pmu');
  expect(runChecks(HEALTHY).map(({ check }) => check)).toEqual(
    expect.arrayContaining([...names, 'target', 'pmu']),
  );
});

it('calls a problem only what was found, where nothing could be asked', () => {
  const silent = silence();
  const checks = runChecks({
    ...HEALTHY,
    door: { failure: { reason: 'no kubeconfig was found', hint: 'set --kubeconfig' } },
    user: silent,
    rights: HEALTHY.rights.map(({ right }) => ({ right, isAllowed: silent })),
    namespace: silent,
    admission: { flamegraph: silent, pcap: silent },
    target: silent,
    nodes: silent,
    kernel: silent,
  });
  expect(checks.filter(({ status }) => status === 'problem').map(({ check }) => check)).toEqual(['cluster']);
  expect(checks.filter(({ status }) => status === 'ok').map(({ check }) => check)).toEqual([
    'kubectl',
    'image',
  ]);
});

it('has a fix with every problem of its own making', () => {
  for (const check of runChecks({ ...HEALTHY, kubectl: { value: 'v1.20.0' } }))
    if (check.status === 'problem') expect(check.fix).toBeTruthy();
});
