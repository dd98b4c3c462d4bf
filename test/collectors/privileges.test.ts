import { describe, expect, it } from 'vitest';
import { collectorOf } from '../../src/collectors/index.ts';
import {
  LIMITED_WORK,
  type LimitedWork,
  limitedContext,
  limitedWork,
  privilegesOf,
} from '../../src/collectors/privileges.ts';
import type { NodeTask, SnapshotPart } from '../../src/plan/plan.ts';
import { admissionChanges, debugPod } from '../../src/session/pod-manifest.ts';
import { PERF, planOf, TCPDUMP, WAITS } from '../plans.ts';

/** A plan for this kind of work. */
function captureOf({ collector, scope, parts = [] }: LimitedWork): NodeTask {
  switch (collector) {
    case 'perf':
      return { ...PERF, scope } as NodeTask;
    case 'tcpdump':
      return { ...TCPDUMP, scope } as NodeTask;
    case 'waits':
      return { ...WAITS, scope } as NodeTask;
    case 'inspect':
      return { collector, scope: 'node', parts: parts as SnapshotPart[], lingerSeconds: 0 };
    case 'crictl':
      return {
        collector,
        scope: 'node',
        about: parts[0] ?? 'ps',
        keys: [],
        words: [],
        stdin: false,
        tty: false,
      };
    default:
      throw new Error(`no task is known for ${collector}`);
  }
}

const podFor = (work: LimitedWork, leastPrivilege = true) => {
  const capture = captureOf(work);
  const { debugPod: where } = planOf(capture);
  return debugPod(
    [planOf(capture, undefined, { debugPod: { ...where, leastPrivilege } })],
    collectorOf(work.collector),
  );
};

describe('least privilege', () => {
  it.each(LIMITED_WORK.map((work) => [Object.values(work).join(' '), work] as const))(
    '%s: what the table says, and no more',
    (_name, work) => {
      const { collector, scope, parts } = work;
      expect(limitedWork(captureOf(work))).toEqual(work);
      const privileges = privilegesOf(collector, scope, parts);
      const { spec } = podFor(work);
      expect({ hostPID: spec!.hostPID ?? false, hostNetwork: spec!.hostNetwork ?? false }).toEqual({
        hostPID: privileges.hostPID,
        hostNetwork: privileges.hostNetwork,
      });
      const [capture, files] = spec!.containers;
      expect(capture!.securityContext).toEqual(limitedContext(privileges));
      expect(capture!.securityContext).toMatchObject({
        privileged: false,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(files).toEqual(podFor(work, false).spec!.containers[1]);
    },
  );

  it('gives no two rights where one is enough: each row is sorted, each right once', () => {
    for (const { collector, scope, parts } of LIMITED_WORK) {
      const { capabilities } = privilegesOf(collector, scope, parts);
      expect(capabilities).toEqual([...new Set(capabilities)].sort());
    }
  });

  it('adds up what the parts of a snapshot need', () => {
    const sockets = privilegesOf('inspect', 'node', ['processes', 'runtime', 'sockets']);
    const links = privilegesOf('inspect', 'node', ['processes', 'runtime', 'links']);
    const both = privilegesOf('inspect', 'node', ['processes', 'runtime', 'sockets', 'links']);
    expect(new Set(both.capabilities)).toEqual(new Set([...sockets.capabilities, ...links.capabilities]));
  });

  it('has no answer for a shell, nor for what is in no table', () => {
    const shell: NodeTask = {
      collector: 'shell',
      scope: 'node',
      about: '',
      keys: [],
      words: [],
      stdin: false,
      tty: false,
    };
    expect(() => limitedWork(shell)).toThrow('a shell has no least privilege');
    expect(() => privilegesOf('perf', 'netns')).toThrow('no privileges are known');
    expect(() => privilegesOf('inspect', 'node', ['kernel'])).toThrow('no privileges are known');
  });

  it('is not taken for a change by admission when the API server leaves out what is false', () => {
    const sent = podFor({ collector: 'tcpdump', scope: 'node' });
    const { hostPID, ...rest } = sent.spec!;
    expect(hostPID).toBeUndefined();
    expect(admissionChanges(sent, { ...sent, spec: rest })).toEqual([]);
  });
});
