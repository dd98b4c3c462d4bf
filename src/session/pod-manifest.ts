import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { asset } from '../assets.ts';
import type { NodeWork } from '../collectors/collector.ts';
import { limitedContext, limitedWork, privilegesOf } from '../collectors/privileges.ts';
import { captureCommand, filesCommand, literal } from '../collectors/script.ts';
import {
  boundSeconds,
  captureSeconds,
  deadlineSeconds,
  debugPodName,
  filesUser,
  type Plan,
  targetArguments,
  targetText,
} from '../plan/plan.ts';

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
  separateUsers(pod, plan);
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
  if (!('tty' in what)) return;
  if (what.stdin) Object.assign(capture, { stdin: true, stdinOnce: true });
  if (what.tty) capture.tty = true;
}

function giveFiles(files: V1Container, plan: Plan): void {
  files.command = filesCommand();
  files.args = [String(captureSeconds(plan)), String(Math.ceil(plan.limits.keepSeconds))];
}

/** `files` reads what root writes for its group, and is nobody that any other pod of the node runs as. */
function separateUsers(pod: V1Pod, plan: Plan): void {
  const user = filesUser(plan.session.id);
  pod.spec!.securityContext = { ...pod.spec!.securityContext, fsGroup: user };
  const files = container(pod, 'files');
  files.securityContext = { ...files.securityContext, runAsUser: user, runAsGroup: user };
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

/** What the API server fills in where nothing was sent, and so is no change (pkg/apis/core/v1/defaults.go). */
const FILLED_IN = {
  container: { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' },
  spec: { schedulerName: 'default-scheduler' },
} as const;

/** What admission plugins of the API server itself fill in: ServiceAccount, Priority, PodTolerationRestriction. */
export const FILLED_IN_BY_ADMISSION: readonly string[] = [
  'serviceAccount',
  'serviceAccountName',
  'imagePullSecrets',
  'priority',
  'priorityClassName',
  'preemptionPolicy',
];

/** Labels that the API server gives to pods by their node since Kubernetes 1.35 (PodTopologyLabels, KEP-4742). */
export const LABELS_BY_ADMISSION: readonly string[] = ['topology.kubernetes.io', 'topology.k8s.io'].flatMap(
  (prefix) => [`${prefix}/zone`, `${prefix}/region`],
);

/** Names of fields that the API server adds to each container or to the pod's specification. */
export const FILLED_IN_FIELDS = {
  container: Object.keys(FILLED_IN.container),
  spec: [...Object.keys(FILLED_IN.spec), ...FILLED_IN_BY_ADMISSION],
};

/**
 * What admission made of the pod: another container, volume or field. Each difference is one phrase; none means the pod
 * is what was planned. Labels and annotations, tolerations that were added, and what the API server fills in by itself
 * are no differences.
 */
export function admissionChanges(sent: V1Pod, got: V1Pod): string[] {
  const changes: string[] = [];
  const all = (pod: V1Pod) => [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const gotByName = new Map(all(got).map((each) => [each.name, each]));
  for (const before of all(sent)) {
    const after = gotByName.get(before.name);
    if (after) {
      const fields = differing({ ...FILLED_IN.container, ...before }, { ...FILLED_IN.container, ...after });
      changes.push(...fields.map((field) => `${field} of container "${before.name}" changed`));
    } else changes.push(`container "${before.name}" was removed`);
    gotByName.delete(before.name);
  }
  for (const name of gotByName.keys()) changes.push(`container "${name}" was added`);
  const volumes = new Set(sent.spec?.volumes?.map((volume) => volume.name));
  const added = (got.spec?.volumes ?? []).filter(({ name }) => !volumes.has(name));
  changes.push(...added.map(({ name }) => `volume "${name}" was added`));
  const own = (got.spec?.volumes ?? []).filter(({ name }) => volumes.has(name));
  const spec = (pod: V1Pod) => ({ ...FILLED_IN.spec, ...pod.spec, containers: [], initContainers: [] });
  const fields = differing(spec(sent), { ...spec(got), volumes: own });
  const isOurs = (field: string) => !FILLED_IN_BY_ADMISSION.includes(field) && field !== 'tolerations';
  return [...changes, ...fields.filter(isOurs).map((field) => `${field} changed`)];
}

/** The fields in which two objects differ. Absent, null, false and empty are one. */
function differing(before: object, after: object): string[] {
  const [a, b] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((field) => stable(a[field]) !== stable(b[field]))
    .sort();
}

/** JSON with sorted keys and without what says nothing. */
function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  if (value === null || typeof value !== 'object')
    return value === false ? 'null' : JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .map(([key, each]) => [key, stable(each)] as const)
    .filter(([, text]) => !['null', '[]', '{}'].includes(text))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([key, text]) => `${key}:${text}`).join()}}`;
}

/**
 * Whether a pod that lingers is one that this very plan would have made, whole, but for its session, its deadline and
 * what it was first asked; and by its name, which an admission policy ties to whoever creates it, the same user's.
 */
export function isSameBySession(plan: Plan, work: NodeWork, found: V1Pod): boolean {
  const { capture } = plan;
  if (capture.collector !== 'inspect') return false;
  const id = found.metadata?.labels?.[SESSION_LABEL] ?? '';
  const args = found.spec?.containers.find(({ name }) => name === 'capture')?.args ?? [];
  const argumentOf = (key: string) =>
    args.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  if (found.metadata?.name !== debugPodName('inspect', id, plan.user) || !/^[0-9a-f]{10}$/.test(id))
    return false;
  const lingerSeconds = Number(argumentOf('linger_ms')) / 1000;
  const parts = argumentOf('parts').split(',') as typeof capture.parts;
  // What it was not made for, it has no privileges to see: its answer would lack that and not say so.
  if (plan.debugPod.leastPrivilege && !capture.parts.every((part) => parts.includes(part))) return false;
  const same: Plan = {
    ...plan,
    session: { id, nonce: argumentOf('nonce') },
    capture: { ...capture, parts, lingerSeconds },
    limits: { ...plan.limits, durationSeconds: Number(argumentOf('duration_ms')) / 1000 },
  };
  return lingerSeconds > 0 && admissionChanges(debugPod(same, work), found).length === 0;
}
