import { expect, it } from 'vitest';
import { checkDebugPod, checkKernel, KERNEL_CHECKS } from '../../src/doctor/kernel.ts';
import { HEALTHY, silence } from './scene.ts';

const healthy = HEALTHY.kernel && 'value' in HEALTHY.kernel ? HEALTHY.kernel.value : undefined!;
const { kptrRestrict: _k, perfEventParanoid: _p, ...mute } = healthy;

it.each<[check: string, kernel: typeof healthy, status: string, found: RegExp]>([
  ['cgroup', healthy, 'ok', /^v2$/],
  ['cgroup', { ...healthy, cgroup: 'v1' }, 'ok', /^v1$/],
  ['cgroup', { ...healthy, cgroup: 'hybrid' }, 'ok', /hybrid/],
  ['pmu', healthy, 'ok', /cycles/],
  ['pmu', { ...healthy, pmu: false }, 'ok', /by the clock/],
  ['btf', healthy, 'ok', /vmlinux/],
  ['btf', { ...healthy, btf: false }, 'warning', /none/],
  ['kptr-restrict', { ...healthy, kptrRestrict: 0 }, 'ok', /^0$/],
  ['kptr-restrict', healthy, 'ok', /^1$/],
  ['kptr-restrict', { ...healthy, kptrRestrict: 2 }, 'warning', /no names/],
  ['kptr-restrict', mute, 'unknown', /did not tell/],
  ['perf-event-paranoid', { ...healthy, perfEventParanoid: 4 }, 'ok', /^4, which does not limit/],
  ['perf-event-paranoid', mute, 'unknown', /no perf events/],
])('%s', (check, kernel, status, found) => {
  const decide = KERNEL_CHECKS[check]!;
  expect(checkKernel(decide, { value: kernel })).toMatchObject({
    status,
    found: expect.stringMatching(found),
  });
  expect(checkKernel(decide, silence()).status).toBe('unknown');
});

it.each<[string, Parameters<typeof checkDebugPod>[0], string, RegExp]>([
  ['answered', { value: healthy }, 'ok', /answered/],
  [
    'could not start',
    { failure: { reason: 'cannot pull the image', hint: 'check --image' } },
    'problem',
    /pull/,
  ],
  ['was not created', silence('not created, because'), 'unknown', /not created/],
])('the debug pod %s', (_what, kernel, status, found) =>
  expect(checkDebugPod(kernel)).toMatchObject({ status, found: expect.stringMatching(found) }),
);
