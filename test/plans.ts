import { makePlan, type NodeTask, type Plan } from '../src/plan/plan.ts';
import type { PodTarget, Target } from '../src/plan/target.ts';

export const podOf = (overrides: Partial<PodTarget> = {}): PodTarget => ({
  kind: 'pod',
  namespace: 'redis',
  name: 'redis-0',
  uid: '430eb98a-8da4-4a68-8aa1-9376d13fd3f0',
  cgroupUids: ['430eb98a-8da4-4a68-8aa1-9376d13fd3f0'],
  node: 'node-a',
  ips: ['10.1.2.3', 'fd00::3'],
  hostNetwork: false,
  containers: [
    { name: 'redis', id: 'a'.repeat(64), running: true },
    { name: 'metrics', id: 'b'.repeat(64), running: true },
  ],
  ...overrides,
});

/** A plan with everything that varies pinned. */
export const planOf = (capture: NodeTask, target: Target = podOf(), more: Partial<Plan> = {}): Plan => ({
  ...makePlan({
    target,
    capture,
    limits: { durationSeconds: 60, maxBytes: 2 ** 30, minFreePercent: 12, keepSeconds: 600 },
    debugPod: {
      namespace: 'gkeprof',
      image: 'registry.example/gkeprof-tools:1',
      install: false,
      imagePullSecrets: [],
      leastPrivilege: false,
    },
    random: new Uint8Array(16).fill(0xab),
  }),
  ...more,
});

export const PERF: NodeTask = {
  collector: 'perf',
  scope: 'pod',
  frequencyHz: 99,
  stacks: 'auto',
  stackBytes: 16_384,
};
export const TCPDUMP: NodeTask = {
  collector: 'tcpdump',
  scope: 'netns',
  count: 0,
  options: ['-s', '96'],
  filter: ['port', '6379'],
};
export const WAITS: NodeTask = { collector: 'waits', scope: 'pod', rateHz: 50 };
