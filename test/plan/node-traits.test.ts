import type { V1Node } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import {
  conditionsOf,
  hasSandboxes,
  isAutopilot,
  isVirtual,
  refusingPressures,
} from '../../src/plan/node-traits.ts';

const node = (name: string, labels: Record<string, string> = {}, taint?: string): V1Node => ({
  metadata: { name, labels },
  ...(taint !== undefined && { spec: { taints: [{ key: taint, effect: 'NoSchedule' }] } }),
});

describe('a node', () => {
  it.each<[string, V1Node, boolean]>([
    ['of AKS virtual nodes', node('virtual-node-aci-linux', { type: 'virtual-kubelet' }), true],
    ['of EKS Fargate', node('fargate-ip-10-0-0-1', { 'eks.amazonaws.com/compute-type': 'fargate' }), true],
    ['with the taint of virtual kubelet', node('x', {}, 'virtual-kubelet.io/provider'), true],
    ['of EC2', node('ip-10-0-0-1', { 'eks.amazonaws.com/compute-type': 'ec2' }), false],
    ['without labels', {}, false],
  ])('%s is virtual, or not', (_what, given, want) => expect(isVirtual(given)).toBe(want));

  it.each<[V1Node, boolean]>([
    [node('gk3-autopilot-pool-2-973644bc-np7s'), true],
    [node('gke-standard-pool-1-abc', { 'cloud.google.com/gke-autopilot': 'true' }), true],
    [node('gke-standard-pool-1-abc', {}, 'cloud.google.com/gke-autopilot'), true],
    [node('gke-standard-gk3-pool'), false],
    [{}, false],
  ])('%j is of Autopilot, or not', (given, want) => expect(isAutopilot(given)).toBe(want));

  it('has sandboxes, or not', () => {
    expect(hasSandboxes(node('x', { 'sandbox.gke.io/runtime': 'gvisor' }))).toBe(true);
    expect(hasSandboxes(node('x'))).toBe(false);
  });

  it('is under a pressure only while the condition is true', () => {
    const conditions = [
      { type: 'Ready', status: 'True' },
      { type: 'DiskPressure', status: 'False' },
      { type: 'PIDPressure', status: 'True' },
      { type: 'MemoryPressure', status: 'Unknown' },
    ];
    expect(conditionsOf({ status: { conditions } })).toEqual(['Ready', 'PIDPressure']);
    expect(refusingPressures({ status: { conditions } })).toEqual(['PIDPressure']);
  });
});
