import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/doctor/check.ts';
import { checkRights } from '../../src/doctor/check-rights.ts';
import type { Facts } from '../../src/doctor/facts.ts';
import { RIGHTS, type Right, rightText } from '../../src/doctor/rights.ts';
import { HEALTHY, silence } from './scene.ts';

/** All rights but these. */
const without = (...texts: string[]): Facts => ({
  ...HEALTHY,
  rights: RIGHTS.map((right) => ({ right, isAllowed: { value: !texts.includes(rightText(right)) } })),
});
const answering = (answer: (right: Right) => Fact<boolean>): Facts => ({
  ...HEALTHY,
  rights: RIGHTS.map((right) => ({ right, isAllowed: answer(right) })),
});

describe('rights', () => {
  it('lists what the user may do', () => {
    expect(checkRights('debug-pods', HEALTHY)).toEqual({
      status: 'ok',
      found: 'create pods, pods/exec; get pods, pods/log, pods/exec; delete pods; list pods, events',
    });
    expect(checkRights('terminals', HEALTHY).found).toBe('get pods/attach; create pods/attach');
    expect(checkRights('targets', HEALTHY).found).toBe(
      'get pods, nodes, services; list pods, services, jobs, replicationcontrollers, deployments, statefulsets, daemonsets, replicasets, cronjobs, nodes',
    );
  });

  it.each<[string, 'targets' | 'debug-pods' | 'terminals', string, string]>([
    [
      'create pods/exec',
      'debug-pods',
      'problem',
      'create pods/exec (for every verb that creates a debug pod)',
    ],
    ['get pods/log', 'debug-pods', 'problem', 'get pods/log (for flamegraph, pcap, waits)'],
    ['get pods/exec', 'debug-pods', 'warning', 'get pods/exec (for kubectl exec over WebSocket)'],
    ['list events', 'debug-pods', 'warning', 'list events (for the reason why a debug pod does not start)'],
    ['list nodes', 'targets', 'warning', 'list nodes of the cluster (for nodes, doctor without a target)'],
    ['list jobs.batch', 'targets', 'warning', 'list jobs.batch (for cronjob/NAME as target)'],
    ['get services', 'targets', 'warning', 'get services (for svc/NAME as target)'],
    ['get nodes', 'targets', 'problem', 'get nodes of the cluster (for every verb that creates a debug pod)'],
    ['create pods/attach', 'terminals', 'warning', 'create pods/attach (for shell, crictl exec -i)'],
  ])('says what does not work without %s', (text, group, status, found) => {
    expect(checkRights(group, without(text))).toMatchObject({ status, found: `not allowed: ${found}` });
  });

  it('is a problem if only one of several missing rights is', () =>
    expect(checkRights('debug-pods', without('list events', 'create pods')).status).toBe('problem'));

  it('does not take silence for a refusal, and a refusal counts more', () => {
    const silent = answering(() => silence());
    expect(checkRights('debug-pods', silent)).toEqual({
      status: 'unknown',
      found: 'create pods: the cluster was not reached',
    });
    const mixed = answering((right) => (rightText(right) === 'create pods' ? { value: false } : silence()));
    expect(checkRights('debug-pods', mixed).status).toBe('problem');
  });
});

describe('the fix', () => {
  it('binds the role of `manifests`, in a line that a shell takes as it is', () => {
    expect(checkRights('debug-pods', without('create pods')).fix).toBe(
      'kubectl gkeprof manifests | kubectl apply -f - && kubectl create rolebinding gkeprof-debug-pods-jane -n gkeprof --role=gkeprof-debug-pods --user=jane',
    );
    const hostile = { ...without('get nodes'), user: { value: "o'neil; rm -rf /" } };
    expect(checkRights('targets', hostile).fix).toBe(
      "kubectl gkeprof manifests | kubectl apply -f - && kubectl create clusterrolebinding gkeprof-targets-o-neil-rm-rf- --clusterrole=gkeprof-targets '--user=o'\\''neil; rm -rf /'",
    );
  });
  it('is a sentence where the role cannot be bound so', () => {
    const elsewhere = { ...without('create pods'), debugPod: { ...HEALTHY.debugPod, namespace: 'other' } };
    expect(checkRights('debug-pods', elsewhere).fix).toMatch(
      /^Ask an administrator for the rights of the role/,
    );
    const nobody = { ...without('create pods'), user: { value: undefined } };
    expect(checkRights('debug-pods', nobody).fix).toMatch(/^Ask an administrator/);
  });
});
