import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { isObjectName } from '../cluster/cluster.ts';
import { type Collector, isRecording } from '../collectors/collector.ts';
import { COLLECTORS } from '../collectors/index.ts';
import { clusterError, type GkeprofError } from '../errors.ts';
import { ownerOfSuffix } from '../plan/owner.ts';
import type { DebugPodPlan, NodeTask, Plan } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import type { CreatedPod } from './debug-pod.ts';
import { admissionChanges, debugPod, PLAN_ANNOTATION, SESSION_LABEL } from './pod-manifest.ts';

/** A session that another command began. */
export interface FoundSession {
  readonly plan: Plan;
  readonly pod: CreatedPod;
  readonly collector: Collector;
}

/**
 * The plan of a debug pod that another command made: the target and the task are in an annotation, all else is in the pod
 * itself. The pod that this plan would make is compared with the pod that was found, so an annotation that does not belong
 * to it is not believed. Only the scripts may differ, as those of another release do: both sides speak the same protocol.
 * Throws for a pod that records nothing, and for one that was not made by this tool or was changed.
 */
export function planOfPod(pod: V1Pod): FoundSession {
  const name = pod.metadata?.name ?? '';
  const capture = containerOf(pod, 'capture');
  const files = containerOf(pod, 'files');
  const collector = COLLECTORS.find((each) => each.name === argumentOf(capture, 'collector'));
  if (collector && !isRecording(collector))
    throw clusterError(
      `the debug pod "${name}" records nothing, so there is nothing to collect`,
      'kubectl gkeprof sessions lists the sessions',
    );
  const plan = collector && written(pod, capture, files);
  if (!plan || !belongsTo(plan, collector, pod)) throw unknownPod(name);
  const { namespace, uid } = pod.metadata ?? {};
  return { plan, pod: { namespace: namespace ?? '', name, ...(uid !== undefined && { uid }) }, collector };
}

const unknownPod = (name: string): GkeprofError =>
  clusterError(
    `the debug pod "${name}" is not one that this version of gkeprof makes`,
    'collect the session with the version that began it',
  );

const containerOf = (pod: V1Pod, name: string): V1Container | undefined =>
  pod.spec?.containers.find((each) => each.name === name);

/** The value of a `KEY=VALUE` argument of the node's script; empty if it has none. */
const argumentOf = (capture: V1Container | undefined, key: string): string =>
  capture?.args?.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';

/** The plan as the pod tells it; undefined if it tells none. */
function written(pod: V1Pod, capture?: V1Container, files?: V1Container): Plan | undefined {
  const { name = '', namespace = '', labels = {}, annotations = {} } = pod.metadata ?? {};
  const said = parsed(annotations[PLAN_ANNOTATION]);
  const { target, capture: task } = said ?? {};
  if (!capture || !files || !isTarget(target) || !isTask(task)) return undefined;
  const user = ownerOfSuffix(name.split('-').slice(3).join('-'));
  const reason = annotations['gkeprof.dev/reason'];
  const number = (key: string) => Number(argumentOf(capture, key));
  return {
    version: 1,
    session: { id: labels[SESSION_LABEL] ?? '', nonce: argumentOf(capture, 'nonce') },
    node: pod.spec?.nodeName ?? '',
    target,
    capture: task,
    limits: {
      durationSeconds: number('duration_ms') / 1000,
      maxBytes: number('max_bytes'),
      minFreePercent: number('min_free_percent'),
      keepSeconds: Number(files.args?.[1]),
    },
    debugPod: {
      name,
      namespace,
      image: capture.image ?? '',
      install: argumentOf(capture, 'install') === '1',
      imagePullPolicy: capture.imagePullPolicy as NonNullable<DebugPodPlan['imagePullPolicy']>,
      imagePullSecrets: (pod.spec?.imagePullSecrets ?? []).map((secret) => secret.name ?? ''),
      leastPrivilege: capture.securityContext?.privileged !== true,
    },
    ...(user !== undefined && { user }),
    ...(reason !== undefined && { reason }),
  };
}

function parsed(text: string | undefined): { target?: unknown; capture?: unknown } | undefined {
  try {
    return JSON.parse(text ?? '') as { target?: unknown; capture?: unknown };
  } catch {
    return undefined;
  }
}

/** Names go into messages and into file names, so each must be one. What else a target has is compared with the arguments. */
function isTarget(value: unknown): value is Target {
  const target = value as Target | null | undefined;
  if (target?.kind === 'node') return isName(target.node);
  if (target?.kind !== 'pod' || !Array.isArray(target.containers)) return false;
  const containers = target.container ? [...target.containers, target.container] : target.containers;
  return (
    [target.namespace, target.name, target.node, ...containers.map((each) => each?.name)].every(isName) &&
    typeof target.uid === 'string' &&
    [target.ips, target.cgroupUids].every((each) => Array.isArray(each) && each.every(isText))
  );
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isName = (value: unknown): value is string => isText(value) && isObjectName(value);

const isTask = (value: unknown): value is NodeTask =>
  typeof value === 'object' && value !== null && isText((value as NodeTask).collector);

/** Whether this plan makes this pod, apart from the scripts. */
function belongsTo(plan: Plan, collector: Collector, pod: V1Pod): boolean {
  try {
    const made = debugPod(plan, collector);
    const isScript = (change: string) => change.startsWith('command of container');
    return (
      plan.capture.collector === collector.name &&
      plan.target.node === plan.node &&
      made.metadata!.annotations!['gkeprof.dev/target'] ===
        pod.metadata?.annotations?.['gkeprof.dev/target'] &&
      admissionChanges(made, pod).every(isScript)
    );
  } catch {
    // A task or a target that no version of this tool writes.
    return false;
  }
}
