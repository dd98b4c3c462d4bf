import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { isObjectName } from '../cluster/cluster.ts';
import { type Collector, isRecording } from '../collectors/collector.ts';
import { COLLECTORS } from '../collectors/index.ts';
import { clusterError, type GkeprofError } from '../errors.ts';
import { ownerOfSuffix } from '../plan/owner.ts';
import type { DebugPodPlan, NodeTask, Plan, RecorderWork } from '../plan/plan.ts';
import type { Target } from '../plan/target.ts';
import type { CreatedPod } from './debug-pod.ts';
import { admissionChanges, debugPod, PLAN_ANNOTATION, SESSION_LABEL, scratchOf } from './pod-manifest.ts';

/** A session that another command began. */
export interface FoundSession {
  /** The plan of the first recorder. */
  readonly plan: Plan;
  /** The plans of all recorders of the pod, in their order. */
  readonly plans: readonly Plan[];
  readonly pod: CreatedPod;
  readonly collector: Collector;
}

/**
 * The plans of a debug pod that another command made: the targets and the tasks are in an annotation, all else is in the pod
 * itself. The pod that these plans would make is compared with the pod that was found, so an annotation that does not belong
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
  const plans = collector && written(pod, capture, files);
  const [plan] = plans ?? [];
  if (!plans || !plan || !belongsTo(plans, collector, pod)) throw unknownPod(name);
  const { namespace, uid } = pod.metadata ?? {};
  return {
    plan,
    plans,
    pod: { namespace: namespace ?? '', name, ...(uid !== undefined && { uid }) },
    collector,
  };
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

/** The nonce of each recorder. Those of a pod with several stand behind `recorder=WORDS`, the number of the words that follow. */
function noncesOf(args: readonly string[]): string[] {
  const nonces: string[] = [];
  let at = args[0]?.startsWith('recorders=') ? 1 : 0;
  while (at < args.length) {
    const [, count] = /^recorder=(\d{1,6})$/.exec(args[at]!) ?? [];
    if (count !== undefined) at += 1;
    nonces.push(/^nonce=(.*)$/.exec(args[at] ?? '')?.[1] ?? '');
    at += count === undefined ? args.length : Number(count);
  }
  return nonces;
}

/** The plans as the pod tells them; undefined if it tells none. */
function written(pod: V1Pod, capture?: V1Container, files?: V1Container): Plan[] | undefined {
  const { name = '', namespace = '', labels = {}, annotations = {} } = pod.metadata ?? {};
  const works = worksOf(annotations[PLAN_ANNOTATION]);
  if (!capture || !files || !works) return undefined;
  const nonces = noncesOf(capture.args ?? []);
  if (nonces.length !== works.length) return undefined;
  const user = ownerOfSuffix(name.split('-').slice(3).join('-'));
  const reason = annotations['gkeprof.dev/reason'];
  const number = (key: string) => Number(argumentOf(capture, key));
  return works.map(({ target, capture: task }, at) => ({
    version: 1,
    session: { id: labels[SESSION_LABEL] ?? '', nonce: nonces[at]! },
    ...(works.length > 1 && { recorder: at + 1, recorders: works.length }),
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
      scratch: scratchOf(pod),
    },
    ...(user !== undefined && { user }),
    ...(reason !== undefined && { reason }),
  }));
}

/** What the annotation says that the recorders do; undefined if it says nothing that can be understood. */
function worksOf(text: string | undefined): RecorderWork[] | undefined {
  let said: SaidWork & { readonly works?: unknown };
  try {
    said = JSON.parse(text ?? '') ?? {};
  } catch {
    return undefined;
  }
  const list: readonly (SaidWork | null)[] = Array.isArray(said.works) ? said.works : [said];
  const works: RecorderWork[] = [];
  for (const each of list) {
    const { target, capture = works[0]?.capture } = each ?? {};
    if (!isTarget(target) || !isTask(capture)) return undefined;
    works.push({ target, capture });
  }
  return works;
}

interface SaidWork {
  readonly target?: unknown;
  /** Absent if it is that of the first work. */
  readonly capture?: unknown;
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

/** Whether these plans make this pod, apart from the scripts. */
function belongsTo(plans: readonly Plan[], collector: Collector, pod: V1Pod): boolean {
  try {
    const made = debugPod(plans, collector);
    const isScript = (change: string) => change.startsWith('command of container');
    return (
      plans.every(
        ({ capture, target, node }) => capture.collector === collector.name && target.node === node,
      ) &&
      made.metadata!.annotations!['gkeprof.dev/target'] ===
        pod.metadata?.annotations?.['gkeprof.dev/target'] &&
      admissionChanges(made, pod).every(isScript)
    );
  } catch {
    // A task or a target that no version of this tool writes.
    return false;
  }
}
