import type { V1Pod } from '@kubernetes/client-node';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster, ContainerRef } from '../cluster/cluster.ts';
import type { NodeWork } from '../collectors/collector.ts';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { boundSeconds, type Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { formatDuration } from '../text/quantity.ts';
import { PATIENCE_MS, type Patience, patiently } from './patience.ts';
import { admissionChanges, debugPod } from './pod-manifest.ts';
import type { SessionContext } from './session-context.ts';

/** A container of the plan's debug pod: `capture` does the work, `files` hands over what is written. */
export const containerOf = ({ debugPod: pod }: Plan, container: 'capture' | 'files'): ContainerRef => ({
  namespace: pod.namespace,
  pod: pod.name,
  container,
});

/** The pod as the API server made it: its name, and the uid that no other pod of that name has. */
export interface CreatedPod extends PodRef {
  readonly uid?: string;
}

interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/** Creates the pod of one or several plans, exactly as planned: if admission changed it, it is removed again. */
export async function createDebugPod(
  plans: readonly Plan[],
  work: NodeWork,
  context: SessionContext,
): Promise<CreatedPod> {
  const { cluster, log, interrupts } = context;
  const plan = plans[0]!;
  const { namespace, name } = plan.debugPod;
  const pod = debugPod(plans, work);
  const creation = new Creation(pod, plan, cluster);
  try {
    log.phase(`creating the debug pod ${namespace}/${name} on ${plan.node}`);
    const created = await patiently(
      () => creation.ask(),
      { meanwhile: 'nothing was captured yet', signal: interrupts.stop },
      context,
    );
    const changes = admissionChanges(pod, created);
    const uid = created.metadata?.uid;
    if (changes.length === 0) return { namespace, name, ...(uid !== undefined && { uid }) };
    throw clusterError(
      `admission changed the debug pod, so it was removed again: ${changes.join('; ')}`,
      `exempt the namespace ${namespace} from the webhook or LimitRange that does this`,
    );
  } catch (error) {
    log.end();
    const isAnswered = await withinMs(creation.request, CREATION_MS, context);
    if (creation.mayExist) await abandonDebugPod(plan, context, ABANDON_MS - (isAnswered ? 0 : CREATION_MS));
    if (!isAnswered) log.warn(`the debug pod may still be created: ${deleteLine(plan, cluster)}`);
    throw error;
  }
}

/**
 * The creation of one pod, over as many requests as it takes. A request without an answer, or with an error of the server
 * itself, may have created the pod, so the next one looks first. There are never two: both would have the same name.
 */
class Creation {
  readonly #pod: V1Pod;
  readonly #plan: Plan;
  readonly #cluster: Cluster;
  #mayExist = false;
  #request: Promise<unknown> = Promise.resolve();

  constructor(pod: V1Pod, plan: Plan, cluster: Cluster) {
    this.#pod = pod;
    this.#plan = plan;
    this.#cluster = cluster;
  }

  /** Whether there may be a pod: false if every request was refused. */
  get mayExist(): boolean {
    return this.#mayExist;
  }

  /** The last request; never rejects. */
  get request(): Promise<unknown> {
    return this.#request;
  }

  async ask(): Promise<V1Pod> {
    const { namespace, name } = this.#plan.debugPod;
    const mayBeThere = this.#mayExist;
    const found = mayBeThere ? await readIfThere(this.#cluster, { namespace, name }) : undefined;
    if (found) return found;
    this.#mayExist = true;
    const request = this.#cluster.createPod(this.#pod, false);
    this.#request = request.catch(() => {});
    try {
      return await request;
    } catch (error) {
      const code = apiCode((error as Error).cause);
      // The request before this one arrived late, but it arrived.
      if (code === 409 && mayBeThere) return this.#cluster.readPod(namespace, name);
      this.#mayExist = mayBeThere || code === undefined || code >= 500;
      throw withNamespaceHint(error, namespace);
    }
  }
}

/** The pod; undefined if the API server says that there is none. */
export const readIfThere = (cluster: Cluster, { namespace, name }: PodRef): Promise<V1Pod | undefined> =>
  cluster.readPod(namespace, name).catch((error: unknown) => {
    if (apiCode((error as Error).cause) === 404) return undefined;
    throw error;
  });

/** Milliseconds for a deletion after an error: less than what remains after the second signal (interrupts.ts). */
const ABANDON_MS = 4000;
/** Milliseconds to wait for the answer to a creation after a signal: a deletion before that answer would find no pod. */
const CREATION_MS = 1500;

/** After so many milliseconds the user is told what is waited for, and how to end it. */
const TELL_MS = 3000;

/**
 * Deletes the pod after something else went wrong. A failure of the deletion is a warning only: the other error is reported.
 * False if the pod may still be there.
 */
export const abandonDebugPod = (
  plan: Plan,
  context: SessionContext,
  boundMs = ABANDON_MS,
): Promise<boolean> =>
  removeDebugPod(plan, context, boundMs).then(
    () => true,
    (problem: unknown) => {
      context.log.warn(reasonOf(problem));
      return false;
    },
  );

/**
 * Deletes the pod, asking again within `boundMs` milliseconds until the API server accepts it. A signal makes a long bound
 * short, and ends a short one. Rejects with exit code 5: how long the pod may still be there, and the command that deletes it.
 */
export async function removeDebugPod(
  plan: Plan,
  context: SessionContext,
  boundMs = PATIENCE_MS,
): Promise<void> {
  const { cluster, sleep, interrupts, log } = context;
  const { namespace, name } = plan.debugPod;
  const answered = new AbortController();
  const over = new AbortController();
  const { next } = interrupts;
  const endAfter = async (ms: number, hurry: AbortSignal | undefined): Promise<void> => {
    await sleep(ms, hurry ? AbortSignal.any([answered.signal, hurry]) : answered.signal).catch(() => {});
    if (hurry?.aborted && ms > ABANDON_MS) return endAfter(ABANDON_MS, undefined);
    over.abort();
  };
  // The signal that brought this about is not the one that ends it.
  void endAfter(boundMs, next.aborted ? undefined : next);
  void sleep(TELL_MS, answered.signal).then(
    () => log.line(`the API server has not accepted the deletion of ${name} yet (Ctrl-C ends the wait)`),
    () => {},
  );
  if (boundMs <= ABANDON_MS) log.tick(() => [`deleting the debug pod ${namespace}/${name}`]);
  try {
    await patiently(
      () => cluster.deletePod(namespace, name, 5),
      { meanwhile: `the debug pod ${name} still has to be deleted`, boundMs, until: over.signal },
      context,
    );
  } catch (error) {
    throw new GkeprofError(
      EXIT.incomplete,
      `the debug pod was not removed (${reasonOf(error)}). ${namespace}/${name} may still be there, and ends by itself within ${formatDuration(boundSeconds(plan))}; this deletes it now: ${deleteLine(plan, cluster)}`,
    );
  } finally {
    answered.abort();
    if (boundMs <= ABANDON_MS) log.end();
  }
}

/** The error for a debug pod that was deleted by somebody else; `when` is a clause: `during the capture`. */
export const deletedByAnother = ({ debugPod: { name } }: Plan, when: string): GkeprofError =>
  clusterError(`somebody else deleted the debug pod ${name} ${when}`);

/** Why a debug pod cannot give its files any more, as a clause; undefined if it can. Pure. */
export function goneBecause(found: V1Pod | undefined, uid: string | undefined): string | undefined {
  const { metadata, status } = found ?? {};
  if (!found || metadata?.deletionTimestamp || (uid !== undefined && metadata?.uid !== uid))
    return 'somebody deleted it';
  const files = status?.containerStatuses?.find((each) => each.name === 'files');
  if (status?.reason)
    return `the cluster ended it: ${printable([status.reason, status.message].filter(Boolean).join(': '))}`;
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' || files?.state?.terminated
    ? 'it has ended'
    : undefined;
}

/** Why a debug pod cannot give its files any more; undefined if it can. Rejects if the API server does not tell. */
export const askIfGone = async (
  { namespace, name, uid }: CreatedPod,
  patience: Patience,
  context: SessionContext,
): Promise<string | undefined> =>
  goneBecause(
    await patiently(() => readIfThere(context.cluster, { namespace, name }), patience, context),
    uid,
  );

const deleteLine = ({ debugPod: { namespace, name } }: Plan, cluster: Cluster): string =>
  cluster.kubectlLine('delete', 'pod', '-n', namespace, name);

/** Whether the work settled within a time. */
async function withinMs(work: Promise<unknown>, ms: number, { sleep }: SessionContext): Promise<boolean> {
  const ended = new AbortController();
  const isEnded = work.then(
    () => true,
    () => true,
  );
  const late = sleep(ms, ended.signal).then(
    () => false,
    () => false,
  );
  const result = await Promise.race([isEnded, late]);
  ended.abort();
  return result;
}

/** How the capture container ended, in a phrase. */
export async function deathOf(plan: Plan, cluster: Cluster): Promise<string> {
  const pod = await cluster.readPod(plan.debugPod.namespace, plan.debugPod.name).catch(() => undefined);
  const status = pod?.status?.containerStatuses?.find((each) => each.name === 'capture')?.state?.terminated;
  if (!status) return 'its state is unknown';
  const words = `${status.reason ?? 'ended'} (status ${status.exitCode})`;
  return printable(status.message ? `${words}: ${status.message}` : words);
}

function withNamespaceHint(error: unknown, namespace: string): unknown {
  if (!(error instanceof GkeprofError) || !/namespaces "[^"]*" not found/.test(error.message)) return error;
  return clusterError(
    `the namespace "${namespace}" for debug pods does not exist`,
    namespace === 'gkeprof'
      ? 'an administrator creates it: kubectl gkeprof manifests | kubectl apply -f -'
      : `check the name after --debug-namespace, or create the namespace: kubectl create namespace ${namespace}`,
    error,
  );
}
