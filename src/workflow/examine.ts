import type { V1Node } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import { type InspectOptions, KEEP_SECONDS } from '../cli/options.ts';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import { perf } from '../collectors/perf/perf.ts';
import { tcpdump } from '../collectors/tcpdump/tcpdump.ts';
import { answerOf, type Fact, type Failure, failureOf } from '../doctor/check.ts';
import type { Admission, AskedRight, Door, Facts, FoundTarget } from '../doctor/facts.ts';
import { RIGHTS, type Right, rightText } from '../doctor/rights.ts';
import { clusterError, GkeprofError, reasonOf } from '../errors.ts';
import { isVirtual, refusingPressures } from '../plan/node-traits.ts';
import type { Plan } from '../plan/plan.ts';
import { hasEnded, notReady, onlyRef, podTarget, type Target, type TargetRef } from '../plan/target.ts';
import { admissionChanges, debugPod } from '../session/pod-manifest.ts';
import { kernelOf } from '../snapshot/kernel.ts';
import { probeOf } from '../snapshot/probe.ts';
import { requireAccess } from './access.ts';
import { findNode, findPods } from './find-pods.ts';
import { onlyOne } from './find-target.ts';
import { whyPassed } from './find-targets.ts';
import { inspectNodes, inspectPlan } from './inspect-nodes.ts';
import { planCapture } from './run-capture.ts';

/** What is examined, and with which debug pod. */
export interface Examination {
  readonly options: InspectOptions;
  readonly ref?: TargetRef;
  /** The target as the user typed it. */
  readonly text?: string;
  readonly container?: string;
}

/** How long each answer may take, in milliseconds. */
export interface Bounds {
  readonly kubectl: number;
  /** Reading the kubeconfig and logging in, which may start a credential plugin. */
  readonly login: number;
  /** Of the API server. */
  readonly answer: number;
  /** Of the node, with everything that it takes to start a debug pod: waitForStart gives up earlier. */
  readonly node: number;
}

const BOUNDS: Bounds = { kubectl: 5000, login: 30_000, answer: 10_000, node: 400_000 };

/**
 * Asks for all facts that `doctor` decides by: what does not depend on each other at the same time, and each within a bound of
 * its own. Nothing is created but, for a target, one debug pod that asks its node.
 */
export async function examine(
  request: Examination,
  context: Context,
  bounds: Bounds = BOUNDS,
): Promise<Facts> {
  const { options } = request;
  const asking = new Asking(context);
  const kubectl = asking.within(bounds.kubectl, context.kubectlVersion(bounds.kubectl));
  const opened = await asking.within(bounds.login, context.openCluster(options.connection));
  const cluster = answerOf(opened);
  const facts = cluster
    ? await factsOf(cluster, request, asking, bounds, context)
    : unreached(failureOf(opened)!, request);
  const all = { ...facts, debugPod: options.debugPod, kubectl: await kubectl };
  context.interrupts.stop.throwIfAborted();
  if (asking.isUnfinished) context.leaveUnfinished();
  return all;
}

type ClusterFacts = Omit<Facts, 'debugPod' | 'kubectl'>;

async function factsOf(
  cluster: Cluster,
  request: Examination,
  asking: Asking,
  bounds: Bounds,
  context: Context,
): Promise<ClusterFacts> {
  const { options, ref } = request;
  const ask = <T>(work: Promise<T>) => asking.within(bounds.answer, work);
  const [user, rights, namespace, subject] = await Promise.all([
    ask(cluster.whoAmI()),
    Promise.all(RIGHTS.map((right) => askRight(right, options, cluster, ask))),
    ask(cluster.readNamespace(options.debugPod.namespace)),
    ref ? ask(findSubject(request, ref, cluster)) : undefined,
  ]);
  const why = blockedBy(user);
  const brief = <T>(fact: Fact<T>): Fact<T> => (why && failureOf(fact) ? { failure: why } : fact);
  const found = subject && answerOf(subject);
  const nodes = await (why ? { failure: why } : nodesFact(subject, cluster, ask));
  const target = found?.target ?? anyTarget(answerOf(nodes) ?? []);
  const mayCreate = !rights.some(
    ({ right, isAllowed }) => rightText(right) === 'create pods' && answerOf(isAllowed) === false,
  );
  const admission = await admissionOf(target, mayCreate, answerOf(user), options, cluster, ask);
  const isAdmitted = Object.values(admission).every((each) => answerOf(each)?.length === 0);
  const door: Door = {
    ...cluster.reached,
    namespace: cluster.namespace,
    ...(cluster.proxy !== undefined && { proxy: cluster.proxy }),
  };
  return {
    door: { value: door },
    user,
    rights: rights.map(({ right, isAllowed }) => ({ right, isAllowed: brief(isAllowed) })),
    namespace: brief(namespace),
    admission: { flamegraph: brief(admission.flamegraph), pcap: brief(admission.pcap) },
    ...(subject && { target: brief(subject) }),
    nodes,
    ...(ref && {
      kernel: await askKernel(found?.target, isAdmitted, asking, bounds, {
        user: answerOf(user),
        options,
        cluster,
        context,
      }),
    }),
  };
}

/** Without a cluster nothing else is known, for one and the same reason, which only the cluster's own row tells. */
function unreached(failure: Failure, { ref }: Examination): ClusterFacts {
  const none = { failure: NOT_REACHED } as const;
  return {
    door: { failure },
    user: none,
    rights: RIGHTS.map((right) => ({ right, isAllowed: none })),
    namespace: none,
    admission: { flamegraph: none, pcap: none },
    ...(ref && { target: none, kernel: none }),
    nodes: none,
  };
}

const NOT_REACHED: Failure = { reason: 'the cluster was not reached', isSilent: true };

/** Why the API server answers nothing at all, as the question for the user's name shows. */
function blockedBy(user: Fact<unknown>): Failure | undefined {
  const failure = failureOf(user);
  if (!failure) return undefined;
  if (failure.code === 401) return { reason: 'you are not logged in', code: 401 };
  return failure.code === undefined ? NOT_REACHED : undefined;
}

async function askRight(
  right: Right,
  { debugPod: { namespace } }: InspectOptions,
  cluster: Cluster,
  ask: <T>(work: Promise<T>) => Promise<Fact<T>>,
): Promise<AskedRight> {
  const places = { target: cluster.namespace, debug: namespace, cluster: '' };
  const { verb, resource, apiGroup, subresource } = right;
  const question = {
    namespace: places[right.in],
    verb,
    resource,
    ...(apiGroup !== undefined && { group: apiGroup }),
    ...(subresource !== undefined && { subresource }),
  };
  return { right, isAllowed: await ask(cluster.askAccess(question)) };
}

/** What the user named, with what is needed to look further. */
interface Subject extends FoundTarget {
  /** Undefined if it cannot be recorded. */
  readonly target?: Target;
  readonly node?: V1Node;
}

async function findSubject(
  { text = '', container }: Examination,
  ref: TargetRef,
  cluster: Cluster,
): Promise<Subject> {
  if (ref.kind === 'node') {
    const node = await findNode(ref, cluster);
    return { text, node, target: { kind: 'node', node: ref.name } };
  }
  const pods = (await findPods(onlyRef(ref), container, cluster)).filter(
    (each) => each.isNamed || !hasEnded(each.pod),
  );
  const able = pods.filter((each) => !whyPassed(each));
  const { pod, container: named } = onlyOne(
    ref,
    able.length > 0 ? able : pods,
    (each) => each.pod.metadata?.name ?? '',
  );
  try {
    return { text, pod, target: podTarget(pod, named) };
  } catch (error) {
    if (!(error instanceof GkeprofError)) throw error;
    return { text, pod, refusal: failureFrom(error) };
  }
}

async function nodesFact(
  subject: Fact<Subject> | undefined,
  cluster: Cluster,
  ask: <T>(work: Promise<T>) => Promise<Fact<T>>,
): Promise<Fact<readonly V1Node[]>> {
  if (!subject) return ask(cluster.listNodes());
  const found = answerOf(subject);
  return found ? ask(nodesOf(found, cluster)) : { failure: { reason: 'the target was not found' } };
}

async function nodesOf({ node, pod }: Subject, cluster: Cluster): Promise<readonly V1Node[]> {
  if (node) return [node];
  const name = pod?.spec?.nodeName;
  if (name === undefined) throw clusterError('the target has no node');
  return [await cluster.readNode(name)];
}

/** A node on which a debug pod could run, if no target was named. */
function anyTarget(nodes: readonly V1Node[]): Target | undefined {
  const able = nodes.find(
    (node) => notReady(node) === undefined && !isVirtual(node) && refusingPressures(node).length === 0,
  );
  const name = (able ?? nodes[0])?.metadata?.name;
  return name === undefined ? undefined : { kind: 'node', node: name };
}

/** The verbs whose debug pods are tried, each with what it does without any flag. */
const TRIED = {
  flamegraph: { collector: perf, maxBytes: 8 * 2 ** 30 },
  pcap: { collector: tcpdump, maxBytes: 2 ** 30 },
} as const satisfies Record<keyof Facts['admission'], { collector: Collector; maxBytes: number }>;

async function admissionOf(
  target: Target | undefined,
  mayCreate: boolean,
  user: string | undefined,
  options: InspectOptions,
  cluster: Cluster,
  ask: <T>(work: Promise<T>) => Promise<Fact<T>>,
): Promise<Facts['admission']> {
  const tried = async (verb: keyof typeof TRIED): Promise<Admission> => {
    if (!mayCreate) return { failure: { reason: 'not asked, because you may not create pods' } };
    if (!target) return { failure: { reason: 'not asked, because there is no node for the pod' } };
    const { collector, maxBytes } = TRIED[verb];
    return ask(dryRun(planOf(target, collector, maxBytes, user, options), collector, cluster));
  };
  const [flamegraph, pcap] = await Promise.all([tried('flamegraph'), tried('pcap')]);
  return { flamegraph, pcap };
}

function planOf(
  target: Target,
  { samples }: Collector,
  maxBytes: number,
  user: string | undefined,
  options: InspectOptions,
): Plan {
  const on = target.kind === 'node' ? 'node' : target.container ? 'container' : 'pod';
  // pcap has no sample for a container: its packets are those of the pod.
  const { task } = samples.find((each) => each.on === on) ?? samples.find((each) => each.on === 'pod')!;
  return planCapture(
    { target, ...(user !== undefined && { user }), options: { ...options, keepSeconds: KEEP_SECONDS } },
    task,
    { durationSeconds: 60, maxBytes },
  );
}

async function dryRun(plan: Plan, collector: Collector, cluster: Cluster): Promise<readonly string[]> {
  const pod = debugPod([plan], collector);
  return admissionChanges(pod, await cluster.createPod(pod, true));
}

/** Asks the node by a debug pod, if that can be created and deleted again. */
async function askKernel(
  target: Target | undefined,
  isAdmitted: boolean,
  asking: Asking,
  bounds: Bounds,
  { user, options, cluster, context }: NodeQuestioner,
): Promise<NonNullable<Facts['kernel']>> {
  const unasked = (why: string) => ({
    failure: { reason: `not created, because ${why}`, isSilent: true as const },
  });
  if (!target) return unasked('there is no target that can be recorded');
  if (!isAdmitted) return unasked('the dry run of a debug pod was not admitted');
  const access = await asking.within(bounds.answer, requireAccess(cluster, options.debugPod.namespace));
  if (failureOf(access)) return unasked('you lack a right that it needs');
  const plans = [inspectPlan(target.node, ['probe'], options, user)];
  const answered = inspectNodes(plans, options, cluster, context, async ([node]) => {
    const { snapshot } = await node!.inspect();
    return { ...probeOf(snapshot), ...kernelOf(snapshot) };
  });
  return asking.within(bounds.node, answered);
}

/** What a debug pod is created with. */
interface NodeQuestioner {
  readonly user: string | undefined;
  readonly options: InspectOptions;
  readonly cluster: Cluster;
  readonly context: Context;
}

/** Waits for answers within bounds, and remembers whether one is still awaited. */
class Asking {
  readonly #context: Context;
  isUnfinished = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** The answer, or why there is none after so many milliseconds. Rejects only after a signal. */
  async within<T>(ms: number, work: Promise<T>): Promise<Fact<T>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Fact<T>>((resolve) => {
      timer = setTimeout(() => {
        this.isUnfinished = true;
        resolve({ failure: { reason: `no answer within ${ms / 1000} s`, isSilent: true } });
      }, ms);
    });
    const answered = work.then(
      (value): Fact<T> => ({ value }),
      (error: unknown): Fact<T> => {
        this.#context.interrupts.stop.throwIfAborted();
        return { failure: failureFrom(error) };
      },
    );
    try {
      return await Promise.race([answered, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The status code of the API server's answer, which may be the cause of the cause. */
function statusCode(error: unknown): number | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = apiCode(at);
    if (code !== undefined) return code;
  }
  return undefined;
}

function failureFrom(error: unknown): Failure {
  const code = statusCode(error);
  return {
    reason: reasonOf(error),
    ...(error instanceof GkeprofError && error.hint !== undefined && { hint: error.hint }),
    ...(code !== undefined && { code }),
  };
}
