import type { V1Container, V1Node, V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { cpuBound, dwarfBytes, whatFits } from '../../src/plan/dwarf-size.ts';
import { podOf } from '../plans.ts';

const node = (cpu?: string): V1Node => ({ status: { ...(cpu && { capacity: { cpu } }) } });
const container = (name: string, cpu?: string, more: Partial<V1Container> = {}): V1Container => ({
  name,
  ...(cpu && { resources: { limits: { cpu } } }),
  ...more,
});
const pod = (...containers: V1Container[]): V1Pod => ({ spec: { containers } });
const POD = podOf();
const REDIS = podOf({ container: POD.containers[0]! });

describe('the most CPUs that a target can keep busy', () => {
  it.each([
    ['a node has all of its own', { kind: 'node', node: 'a' } as const, '64', undefined, 64, 'node'],
    ['a limit', POD, '64', pod(container('redis', '1500m'), container('metrics', '2')), 3.5, 'limit'],
    ['one container has no limit', POD, '64', pod(container('redis', '1'), container('metrics')), 64, 'node'],
    [
      'only this container counts',
      REDIS,
      '64',
      pod(container('redis', '1'), container('metrics')),
      1,
      'limit',
    ],
    ['a limit above the node', POD, '2', pod(container('redis', '8')), 2, 'node'],
    [
      'a limit of the pod itself',
      POD,
      '64',
      { spec: { containers: [container('redis')], resources: { limits: { cpu: '4' } } } },
      4,
      'limit',
    ],
    [
      'a sidecar without a limit',
      POD,
      '64',
      {
        spec: {
          containers: [container('redis', '1')],
          initContainers: [container('s', undefined, { restartPolicy: 'Always' })],
        },
      },
      64,
      'node',
    ],
    [
      'an init container that has ended',
      POD,
      '64',
      { spec: { containers: [container('redis', '1')], initContainers: [container('i')] } },
      1,
      'limit',
    ],
    ['a quantity that is not one', POD, '64', pod(container('redis', 'many')), 64, 'node'],
  ] as const)('%s', (_, target, cpus, of, want, by) =>
    expect(cpuBound(target, node(cpus), of as V1Pod | undefined)).toEqual({ cpus: want, by }),
  );

  it('is not known if the node does not tell', () => expect(cpuBound(POD, node(), pod())).toBeUndefined());
});

describe('the size of a recording with copies of stacks', () => {
  const sampling = { frequencyHz: 99, stackBytes: 16_384, seconds: 60, cpus: 128 };

  it('is a sample of 16.7 kB for every CPU and tick', () =>
    expect(dwarfBytes({ ...sampling, cpus: 1, seconds: 1 })).toBe(99 * 16_714));

  it('of a limit is that of each value that is said to fit, and no larger value fits', () => {
    const most = 2 ** 33;
    expect(dwarfBytes(sampling)).toBeGreaterThan(most);
    const fits = whatFits(sampling, most);
    expect(fits).toEqual({ seconds: 40, frequencyHz: 66, stackBytes: 10_240 });
    for (const [key, step] of [
      ['seconds', 1],
      ['frequencyHz', 1],
      ['stackBytes', 1024],
    ] as const) {
      expect(dwarfBytes({ ...sampling, [key]: fits[key]! })).toBeLessThanOrEqual(most);
      expect(dwarfBytes({ ...sampling, [key]: fits[key]! + step })).toBeGreaterThan(most);
    }
  });

  it('leaves out a copy that would be too short for stacks', () =>
    expect(whatFits({ ...sampling, seconds: 600 }, 2 ** 33)).toEqual({ seconds: 40, frequencyHz: 6 }));
});
