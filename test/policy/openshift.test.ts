import { readFileSync } from 'node:fs';
import type { V1Pod } from '@kubernetes/client-node';
import { loadAll } from 'js-yaml';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILES_USERS } from '../../src/plan/plan.ts';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { gkeprof } from '../command-line.ts';

/** The fields of SecurityContextConstraints that concern debug pods. */
interface Constraints {
  readonly metadata: { readonly name: string };
  readonly allowPrivilegedContainer: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly allowHostPID: boolean;
  readonly allowHostNetwork: boolean;
  readonly allowHostIPC: boolean;
  readonly allowHostPorts: boolean;
  readonly allowHostDirVolumePlugin: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly volumes: readonly string[];
  readonly allowedCapabilities: readonly string[];
  readonly fsGroup: {
    readonly type: string;
    readonly ranges: readonly [{ readonly min: number; readonly max: number }];
  };
}

const [CONSTRAINTS, ROLE] = loadAll(
  readFileSync(new URL('../../manifests/openshift.yaml', import.meta.url), 'utf8'),
) as [Constraints, { metadata: { name: string; namespace: string }; rules: Array<Record<string, string[]>> }];

const PODS = debugPodKinds('gkeprof').map(({ plans, work }) => debugPod(plans, work));

/** Why OpenShift's admission would refuse the pod, by Red Hat's description of each field. */
function refusals(pod: V1Pod, scc: Constraints): string[] {
  const { spec } = pod;
  const group = spec!.securityContext!.fsGroup!;
  const [{ min, max }] = scc.fsGroup.ranges;
  const ofContainers = spec!.containers.flatMap(({ securityContext = {}, ports = [] }) => {
    const { privileged, allowPrivilegeEscalation, capabilities, readOnlyRootFilesystem } = securityContext;
    return [
      privileged && !scc.allowPrivilegedContainer && 'allowPrivilegedContainer',
      allowPrivilegeEscalation !== false && !scc.allowPrivilegeEscalation && 'allowPrivilegeEscalation',
      readOnlyRootFilesystem !== true && scc.readOnlyRootFilesystem && 'readOnlyRootFilesystem',
      ports.length > 0 && !scc.allowHostPorts && 'allowHostPorts',
      ...(capabilities?.add ?? []).map((each) => !scc.allowedCapabilities.includes(each) && each),
    ];
  });
  const ofVolumes = (spec!.volumes ?? []).flatMap(({ name: _, ...source }) => [
    !Object.keys(source).every((type) => scc.volumes.includes(type)) && 'volumes',
    source.hostPath && !scc.allowHostDirVolumePlugin && 'allowHostDirVolumePlugin',
  ]);
  return [
    spec!.hostPID && !scc.allowHostPID && 'allowHostPID',
    spec!.hostNetwork && !scc.allowHostNetwork && 'allowHostNetwork',
    spec!.hostIPC && !scc.allowHostIPC && 'allowHostIPC',
    (group < min || group > max) && 'fsGroup',
    ...ofContainers,
    ...ofVolumes,
  ].filter((each) => typeof each === 'string');
}

describe('the SecurityContextConstraints for OpenShift', () => {
  it('admit the debug pods of all kinds', () => {
    for (const pod of PODS) expect(refusals(pod, CONSTRAINTS)).toEqual([]);
  });

  it('allow nothing that no debug pod needs', () => {
    const needs = (scc: Constraints) => PODS.some((pod) => refusals(pod, scc).length > 0);
    const allowed = Object.entries(CONSTRAINTS).filter(([, value]) => value === true);
    expect(allowed.length).toBeGreaterThan(3);
    for (const [field] of allowed)
      expect([field, needs({ ...CONSTRAINTS, [field]: false })]).toEqual([field, true]);
    for (const list of ['volumes', 'allowedCapabilities'] as const)
      for (const one of CONSTRAINTS[list])
        expect([
          one,
          needs({ ...CONSTRAINTS, [list]: CONSTRAINTS[list].filter((each) => each !== one) }),
        ]).toEqual([one, true]);
    const { first, count } = FILES_USERS;
    expect(CONSTRAINTS.fsGroup).toEqual({
      type: 'MustRunAs',
      ranges: [{ min: first, max: first + count - 1 }],
    });
  });

  it('may be used through a role in the namespace for debug pods', () => {
    expect(ROLE.metadata).toMatchObject({ name: 'gkeprof-openshift', namespace: 'gkeprof' });
    expect(ROLE.rules).toEqual([
      {
        apiGroups: ['security.openshift.io'],
        resources: ['securitycontextconstraints'],
        resourceNames: [CONSTRAINTS.metadata.name],
        verbs: ['use'],
      },
    ]);
  });
});

describe('manifests --openshift', () => {
  const names = async (...words: string[]) =>
    (await gkeprof(['manifests', ...words, '-o', 'name'], '', {})).stdout.toString().trim().split('\n');

  let plain: string[];
  beforeAll(async () => {
    plain = await names();
  });

  it('adds them to what is printed anyway', async () => {
    expect((await names('--openshift')).filter((name) => !plain.includes(name))).toEqual([
      'securitycontextconstraints.security.openshift.io/gkeprof-debug-pods',
      'role.rbac.authorization.k8s.io/gkeprof-openshift',
    ]);
  });

  it('can be combined with the admission policy', async () => {
    const both = await names('--openshift', '--admission-policy');
    expect(both).toEqual(
      expect.arrayContaining([...(await names('--openshift')), ...(await names('--admission-policy'))]),
    );
  });
});
