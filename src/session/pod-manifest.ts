import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { load } from 'js-yaml';
import { asset } from '../assets.ts';
import { isRecording, type NodeWork } from '../collectors/collector.ts';
import { added, limitedContext, limitedWork, privilegesOf } from '../collectors/privileges.ts';
import { captureCommand, filesCommand, literal } from '../collectors/script.ts';
import { usageError } from '../errors.ts';
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
import type { Target } from '../plan/target.ts';
import { counted } from '../text/quantity.ts';

export const MANAGED_BY = 'app.kubernetes.io/managed-by=kubectl-gkeprof';
export const SESSION_LABEL = 'gkeprof.dev/session';
/**
 * The target and the task as JSON, for a client that did not make the pod: what the pod itself does not tell. Of a pod with
 * several recorders: `works`, with the task only where it is not the first one's.
 */
export const PLAN_ANNOTATION = 'gkeprof.dev/plan';

/**
 * The pod that is sent to the API server: manifests/debug-pod.yaml with the fields that the plans of its recorders decide.
 * Throws a usage error if the API server would not take it, because it is too large. Pure.
 */
export function debugPod(plans: readonly Plan[], work: NodeWork): V1Pod {
  const pod = load(asset('manifests/debug-pod.yaml')) as V1Pod;
  const plan = plans[0]!;
  nameIt(pod, plan);
  annotate(pod, plans, work);
  pinToNode(pod, plan);
  useImage(pod, plan);
  limitLifetime(pod, plan);
  giveCapture(container(pod, 'capture'), plans, work);
  giveFiles(container(pod, 'files'), plan);
  separateUsers(pod, plan);
  limitPrivileges(pod, plans);
  if (plan.debugPod.scratch === 'memory') removeVolumes(pod);
  if (plans.length > 1) requireFit(pod, plans);
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

/** The audit log has the pod's creation with these annotations, so it tells what was captured. Values may be any text. */
function annotate(pod: V1Pod, plans: readonly Plan[], work: NodeWork): void {
  const plan = plans[0]!;
  const namespaces = plans.flatMap(({ target }) => (target.kind === 'pod' ? [target.namespace] : []));
  const more = plans.length - 1;
  pod.metadata!.annotations = {
    ...pod.metadata!.annotations,
    'gkeprof.dev/target': targetsText(plans),
    // An admission policy compares these with the arguments, and asks for the rights in each.
    'gkeprof.dev/target-namespace': [...new Set(namespaces)].sort().join(' '),
    'gkeprof.dev/what': `${work.describe(plan)}${more ? `; the same of ${counted(more, 'more target')}` : ''}`,
    'gkeprof.dev/bound': `${boundSeconds(plan)}s`,
    ...(plan.reason !== undefined && { 'gkeprof.dev/reason': plan.reason }),
    // A command for the user (crictl, a shell) ends with its client, so nobody else goes on with it.
    ...(isRecording(work) && { [PLAN_ANNOTATION]: JSON.stringify(planned(plans)) }),
  };
}

/** The targets of a debug pod in a few words. */
function targetsText(plans: readonly Plan[]): string {
  if (plans.length === 1) return targetText(plans[0]!.target);
  const targets = plans.map(({ target }) => target);
  const all = (isOne: (target: Target) => boolean) => targets.every(isOne);
  const what = all((target) => target.kind === 'pod' && target.container !== undefined)
    ? 'container'
    : all(({ kind }) => kind === 'pod')
      ? 'pod'
      : 'target';
  return counted(plans.length, what);
}

/** What the annotation tells of the plans. */
function planned(plans: readonly Plan[]): object {
  const [{ target, capture }] = plans as readonly [Plan];
  if (plans.length === 1) return { target, capture };
  const first = JSON.stringify(capture);
  return {
    works: plans.map((plan, at) => ({
      target: plan.target,
      ...((at === 0 || JSON.stringify(plan.capture) !== first) && { capture: plan.capture }),
    })),
  };
}

/** All annotations of an object may have 256 KiB (apimachinery pkg/api/validation, TotalAnnotationSizeLimitB). */
const MOST_ANNOTATION_BYTES = 256 << 10;
/** etcd takes requests of 1.5 MiB (--max-request-bytes). The API server, which writes other things into the object too, needs some of it. */
const MOST_BYTES = 1_400_000;

function requireFit(pod: V1Pod, plans: readonly Plan[]): void {
  const annotations = Object.entries(pod.metadata!.annotations!).flat();
  const bytes = annotations.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes <= MOST_ANNOTATION_BYTES && Buffer.byteLength(JSON.stringify(pod)) <= MOST_BYTES) return;
  throw usageError(
    `the debug pod for ${counted(plans.length, 'target')} on the node ${plans[0]!.node} is larger than the API server allows`,
    'choose fewer targets, or a shorter filter',
  );
}

/** By nodeName, without the scheduler: then a cordoned or tainted node can be profiled too (kubectl debug does the same). */
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

function giveCapture(capture: V1Container, plans: readonly Plan[], work: NodeWork): void {
  capture.command = captureCommand(work);
  capture.args = podArguments(plans, work).map(literal);
  const { capture: what } = plans[0]!;
  if (!('tty' in what)) return;
  if (what.stdin) Object.assign(capture, { stdin: true, stdinOnce: true });
  if (what.tty) capture.tty = true;
}

function giveFiles(files: V1Container, plan: Plan): void {
  files.command = filesCommand();
  files.args = [String(captureSeconds(plan)), String(Math.ceil(plan.limits.keepSeconds))];
}

/** `files` reads what root writes for its group. No other pod of the node runs as the same user. */
function separateUsers(pod: V1Pod, plan: Plan): void {
  const user = filesUser(plan.session.id);
  pod.spec!.securityContext = { ...pod.spec!.securityContext, fsGroup: user };
  const files = container(pod, 'files');
  files.securityContext = { ...files.securityContext, runAsUser: user, runAsGroup: user };
}

/** With --least-privilege the pod gets only the namespaces of the node and the capabilities of root that the work needs. */
function limitPrivileges(pod: V1Pod, plans: readonly Plan[]): void {
  if (!plans[0]!.debugPod.leastPrivilege) return;
  const privileges = added(
    plans.map((plan) => {
      const { collector, scope, parts } = limitedWork(plan.capture);
      return privilegesOf(collector, scope, parts);
    }),
  );
  // Deleted, not set to false: the API server leaves out a false value, and that would look like a change by admission.
  if (!privileges.hostPID) delete pod.spec!.hostPID;
  if (!privileges.hostNetwork) delete pod.spec!.hostNetwork;
  container(pod, 'capture').securityContext = limitedContext(privileges);
}

/** The files are in the memory that the containers of a pod share, and the script mounts the node's cgroups itself (node/memory.sh). */
function removeVolumes(pod: V1Pod): void {
  delete pod.spec!.volumes;
  for (const each of pod.spec!.containers) delete each.volumeMounts;
}

/** Where the files of a pod are that this tool made. */
export const scratchOf = (pod: V1Pod): Plan['debugPod']['scratch'] =>
  pod.spec?.volumes?.some(({ name }) => name === 'scratch') ? 'disk' : 'memory';

/**
 * The arguments of the node's script. Those of several recorders follow each other, each list behind `recorder=WORDS`,
 * which is how many words it has.
 */
export function podArguments(plans: readonly Plan[], work: NodeWork): string[] {
  const lists = plans.map((plan) => captureArguments(plan, work));
  if (lists.length === 1) return lists[0]!;
  return [`recorders=${lists.length}`, ...lists.flatMap((words) => [`recorder=${words.length}`, ...words])];
}

/** The arguments of one recorder: KEY=VALUE words, `--`, the tool's own words. */
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
    ...targetArguments(plan.target),
    ...keys,
    '--',
    ...words,
  ];
}

/** What the API server fills in where nothing was sent (pkg/apis/core/v1/defaults.go): that is not a change. */
const FILLED_IN = {
  container: { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' },
  spec: { schedulerName: 'default-scheduler' },
} as const;

/** Fields that the API server's own admission plugins fill in: ServiceAccount, Priority, PodTolerationRestriction. */
export const FILLED_IN_BY_ADMISSION: readonly string[] = [
  'serviceAccount',
  'serviceAccountName',
  'imagePullSecrets',
  'priority',
  'priorityClassName',
  'preemptionPolicy',
];

/** Labels of the node that the API server copies to pods since Kubernetes 1.35 (PodTopologyLabels, KEP-4742). */
export const LABELS_BY_ADMISSION: readonly string[] = ['topology.kubernetes.io', 'topology.k8s.io'].flatMap(
  (prefix) => [`${prefix}/zone`, `${prefix}/region`],
);

/** What OpenShift writes into pods: which SecurityContextConstraints admitted the pod, and by whose right. */
export const ANNOTATIONS_BY_ADMISSION: readonly string[] = [
  'openshift.io/scc',
  'security.openshift.io/validated-scc-subject-type',
];

/** Names of fields that the API server adds to each container or to the pod's specification. */
export const FILLED_IN_FIELDS = {
  container: Object.keys(FILLED_IN.container),
  spec: [...Object.keys(FILLED_IN.spec), ...FILLED_IN_BY_ADMISSION],
};

/**
 * What admission changed in the pod: containers, volumes or fields, one phrase each. An empty list means that the pod is
 * what was planned. Labels, annotations, added tolerations, and what the API server fills in by itself do not count.
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

/** The fields in which two objects differ. Absent, null, false and empty are the same. */
function differing(before: object, after: object): string[] {
  const [a, b] = [before as Record<string, unknown>, after as Record<string, unknown>];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((field) => stable({ field: a[field] }) !== stable({ field: b[field] }))
    .sort();
}

/** JSON with sorted keys and without empty values. */
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
 * Whether a lingering pod is in all its fields what this plan would have made, except for its session, its deadline and its
 * first question. Its name must be this user's: an admission policy ties the name to the user who creates the pod.
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
  // It has no privileges for parts that it was not made for: its answer would lack them without saying so.
  if (plan.debugPod.leastPrivilege && !capture.parts.every((part) => parts.includes(part))) return false;
  const same: Plan = {
    ...plan,
    session: { id, nonce: argumentOf('nonce') },
    capture: { ...capture, parts, lingerSeconds },
    limits: { ...plan.limits, durationSeconds: Number(argumentOf('duration_ms')) / 1000 },
  };
  return lingerSeconds > 0 && admissionChanges(debugPod([same], work), found).length === 0;
}
