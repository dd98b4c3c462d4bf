import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { asset } from './assets.ts';
import type { NodeWork } from './collectors/collector.ts';
import { limitedContext, limitedWork, privilegesOf } from './collectors/privileges.ts';
import { captureCommand, filesCommand, literal } from './node/script.ts';
import {
  boundSeconds,
  captureSeconds,
  deadlineSeconds,
  type Plan,
  targetArguments,
  targetText,
} from './plan.ts';

export const MANAGED_BY = 'app.kubernetes.io/managed-by=kubectl-gkeprof';
const SESSION_LABEL = 'gkeprof.dev/session';

/** Plan → the pod that is sent to the API server: the base file with the plan laid over it. Pure. */
export function debugPod(plan: Plan, work: NodeWork): V1Pod {
  const pod = load(asset('manifests/debug-pod.yaml')) as V1Pod;
  nameIt(pod, plan);
  annotate(pod, plan, work);
  pinToNode(pod, plan);
  useImage(pod, plan);
  limitLifetime(pod, plan);
  giveCapture(container(pod, 'capture'), plan, work);
  giveFiles(container(pod, 'files'), plan);
  limitPrivileges(pod, plan);
  return pod;
}

function container(pod: V1Pod, name: string): V1Container {
  const found = pod.spec?.containers.find((each) => each.name === name);
  if (!found) throw new Error(`manifests/debug-pod.yaml has no container "${name}"`);
  return found;
}

function nameIt(pod: V1Pod, plan: Plan): void {
  pod.metadata!.name = plan.debugPod.name;
  pod.metadata!.namespace = plan.debugPod.namespace;
  pod.metadata!.labels = { ...pod.metadata!.labels, [SESSION_LABEL]: plan.session.id };
}

/** What is captured is on record: the pod's creation is in the audit log, with these (values may be any text). */
function annotate(pod: V1Pod, plan: Plan, work: NodeWork): void {
  const namespaces = plan.targets.map((target) => (target.kind === 'pod' ? target.namespace : ''));
  pod.metadata!.annotations = {
    ...pod.metadata!.annotations,
    'gkeprof.dev/target': plan.targets.map(targetText).join(' '),
    'gkeprof.dev/target-namespace': namespaces.join(' ').trim(),
    'gkeprof.dev/what': work.describe(plan),
    'gkeprof.dev/bound': `${boundSeconds(plan)}s`,
    ...(plan.reason !== undefined && { 'gkeprof.dev/reason': plan.reason }),
  };
}

/** By nodeName, past the scheduler: a cordoned or tainted node can be looked at too (kubectl debug does the same). */
function pinToNode(pod: V1Pod, plan: Plan): void {
  pod.spec!.nodeName = plan.node;
}

function useImage(pod: V1Pod, plan: Plan): void {
  const { image, imagePullPolicy, imagePullSecrets } = plan.debugPod;
  for (const each of pod.spec!.containers) {
    each.image = image;
    each.imagePullPolicy = imagePullPolicy ?? 'IfNotPresent';
  }
  if (imagePullSecrets.length) pod.spec!.imagePullSecrets = imagePullSecrets.map((name) => ({ name }));
}

function limitLifetime(pod: V1Pod, plan: Plan): void {
  pod.spec!.activeDeadlineSeconds = deadlineSeconds(plan);
}

function giveCapture(capture: V1Container, plan: Plan, work: NodeWork): void {
  capture.command = captureCommand();
  capture.args = captureArguments(plan, work).map(literal);
  const { capture: what } = plan;
  if (what.collector !== 'crictl' && what.collector !== 'shell') return;
  if (what.stdin) Object.assign(capture, { stdin: true, stdinOnce: true });
  if (what.tty) capture.tty = true;
}

function giveFiles(files: V1Container, plan: Plan): void {
  files.command = filesCommand();
  files.args = [String(captureSeconds(plan)), String(Math.ceil(plan.limits.keepSeconds))];
}

/** With --least-privilege: of the node's namespaces and of root's capabilities, only what the work needs. */
function limitPrivileges(pod: V1Pod, plan: Plan): void {
  if (!plan.debugPod.leastPrivilege) return;
  const { collector, scope, parts } = limitedWork(plan.capture);
  const privileges = privilegesOf(collector, scope, parts);
  // Absent, never false: the API server leaves out a false one, which would read as a change by admission.
  if (!privileges.hostPID) delete pod.spec!.hostPID;
  if (!privileges.hostNetwork) delete pod.spec!.hostNetwork;
  container(pod, 'capture').securityContext = limitedContext(privileges);
}

/** The arguments of node/capture.sh as they arrive there: KEY=VALUE words, `--`, the tool's own words. */
export function captureArguments(plan: Plan, work: NodeWork): string[] {
  const { keys, words } = work.nodeArguments(plan);
  return [
    `nonce=${plan.session.nonce}`,
    `collector=${plan.capture.collector}`,
    `scope=${plan.capture.scope}`,
    `duration_ms=${Math.round(plan.limits.durationSeconds * 1000)}`,
    `max_bytes=${plan.limits.maxBytes}`,
    `min_free_percent=${plan.limits.minFreePercent}`,
    `install=${plan.debugPod.install ? 1 : 0}`,
    ...targetArguments(plan.targets[0]),
    ...keys,
    '--',
    ...words,
  ];
}

/** Added and dropped, in an order that does not matter. */
const capabilities = ({ securityContext }: V1Container) =>
  [securityContext?.capabilities?.add, securityContext?.capabilities?.drop].map((each) =>
    (each ?? []).toSorted(),
  );

/**
 * What admission made of the pod, where it matters: another container, limit or volume, another image, node,
 * command or privilege. Each difference is one phrase; none means the pod is what was planned.
 */
export function admissionChanges(sent: V1Pod, got: V1Pod): string[] {
  const changes: string[] = [];
  const all = (pod: V1Pod) => [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const sentByName = new Map(all(sent).map((each) => [each.name, each]));
  for (const each of all(got)) {
    const before = sentByName.get(each.name);
    if (!before) {
      changes.push(`container "${each.name}" was added`);
      continue;
    }
    sentByName.delete(each.name);
    const differs = (what: string, a: unknown, b: unknown) => {
      if (JSON.stringify(a ?? null) !== JSON.stringify(b ?? null))
        changes.push(`${what} of container "${each.name}" changed`);
    };
    differs('the image', before.image, each.image);
    differs('the command', before.command, each.command);
    differs('the args', before.args, each.args);
    differs('privileged', before.securityContext?.privileged, each.securityContext?.privileged);
    // A privileged one has all of them, whatever is added or dropped.
    if (!before.securityContext?.privileged && !each.securityContext?.privileged)
      differs('the capabilities', capabilities(before), capabilities(each));
    differs('the limits', before.resources?.limits, each.resources?.limits);
    differs(
      'the volume mounts',
      before.volumeMounts?.map((m) => m.mountPath),
      each.volumeMounts?.map((m) => m.mountPath),
    );
  }
  for (const name of sentByName.keys()) changes.push(`container "${name}" was removed`);
  const volumes = new Set(sent.spec?.volumes?.map((volume) => volume.name));
  for (const volume of got.spec?.volumes ?? []) {
    if (!volumes.has(volume.name)) changes.push(`volume "${volume.name}" was added`);
  }
  for (const key of [
    'nodeName',
    'hostPID',
    'hostNetwork',
    'activeDeadlineSeconds',
    'automountServiceAccountToken',
  ] as const) {
    if (sent.spec?.[key] !== got.spec?.[key]) changes.push(`${key} changed`);
  }
  return changes;
}
