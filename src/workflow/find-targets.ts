import type { V1Node } from '@kubernetes/client-node';
import { apiCode } from '../cluster/api-errors.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, type GkeprofError, reasonOf, usageError } from '../errors.ts';
import type { Log } from '../output/log.ts';
import { table } from '../output/table.ts';
import {
  checkNode,
  hasEnded,
  nodeProblem,
  type PodTarget,
  podProblem,
  podTarget,
  type Target,
  type TargetProblem,
  type TargetRefs,
} from '../plan/target.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import { type FoundPod, findGroups, findNode, findPods } from './find-pods.ts';

/** What the words of a command line stand for at one moment. */
export interface TargetSet {
  /** Nodes, or pods by namespace and name; never empty. */
  readonly targets: readonly Target[];
  /** Pods that are no possible targets, beside others; of a workload, a service or labels only those that have not ended. */
  readonly passed: readonly PassedPod[];
  /** What the user may have meant differently, one sentence each. */
  readonly notes: readonly string[];
  /** The UIDs of all pods that were meant, those that have ended among them. */
  readonly seen: ReadonlySet<string>;
}

/** A pod that was passed over. */
export interface PassedPod {
  readonly namespace: string;
  readonly name: string;
  /** The rest of a sentence that begins with the pod: `is not on a node yet (Pending)`. */
  readonly why: string;
  readonly hint: string;
}

/**
 * Looks up all targets that the user meant. A pod that is no possible target is an error if it is the only one that was named;
 * beside others it is passed over, unless all are. Throws as well if there is no pod of something that was named.
 */
export async function findTargetSet(
  refs: TargetRefs,
  container: string | undefined,
  cluster: Cluster,
): Promise<TargetSet> {
  const [first] = refs.refs;
  if (first?.kind === 'node') {
    const names = [...new Set(refs.refs.map(({ name }) => name))];
    const check = async (node: string): Promise<Target> => {
      checkNode(await findNode({ kind: 'node', name: node }, cluster), `node/${node}`);
      return { kind: 'node', node };
    };
    return { targets: await Promise.all(names.map(check)), passed: [], notes: [], seen: new Set() };
  }
  const found = (await findPods(refs, container, cluster)).toSorted(byName);
  const passed: PassedPod[] = [];
  const pass = ({ pod: { metadata } }: FoundPod, { text: why, hint = '' }: Partial<TargetProblem>) =>
    passed.push({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', why: why ?? '', hint });
  const isAlone = found.length === 1 && found[0]!.isNamed;
  const possible = found.flatMap((each) => {
    if (isAlone) return [{ each, target: podTarget(each.pod, each.container) }];
    if (!each.isNamed && hasEnded(each.pod)) return [];
    const problem = each.isNamed ? podProblem(each.pod, each.container) : whyPassed(each);
    if (!problem) return [{ each, target: podTarget(each.pod, each.container) }];
    pass(each, problem);
    return [];
  });
  const nodes = await readNodes([...new Set(possible.map(({ target }) => target.node))], cluster);
  const targets = possible.flatMap(({ each, target }): PodTarget[] => {
    const node = nodes.get(target.node);
    const of = isAlone ? ` of pod/${target.name}` : '';
    const problem = node ? nodeProblem(node, of) : { text: `node "${target.node}"${of} not found` };
    if (!problem) return [target];
    if (isAlone) throw clusterError(problem.text, problem.hint);
    pass(each, { ...problem, text: `cannot be observed: ${problem.text}` });
    return [];
  });
  if (targets.length === 0) throw nothingLeft(passed);
  return {
    targets,
    passed: passed.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name)),
    notes: notesOn(refs, found),
    seen: new Set(found.map(({ pod }) => pod.metadata?.uid ?? '')),
  };
}

/** Why a pod that was not named by itself, and has not ended, is no possible target; undefined if it is one. */
export const whyPassed = ({ pod, container }: FoundPod): TargetProblem | undefined =>
  pod.metadata?.deletionTimestamp
    ? { text: 'is being deleted', hint: 'to take it nevertheless, name it by itself: pod/NAME' }
    : podProblem(pod, container);

const compare = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

const byName = (a: FoundPod, b: FoundPod): number =>
  compare(a.pod.metadata?.namespace, b.pod.metadata?.namespace) ||
  compare(a.pod.metadata?.name, b.pod.metadata?.name) ||
  compare(a.container, b.container);

function nothingLeft(passed: readonly PassedPod[]): GkeprofError {
  const { namespace, name, why, hint } = passed[0]!;
  const first = `pod "${name}" in namespace "${namespace}" ${why}`;
  return clusterError(
    passed.length === 1
      ? first
      : `none of the ${passed.length} pods that were found is a possible target: ${first}`,
    hint || undefined,
  );
}

/** kubectl takes a lone `pod` for the kind, also where a pod has this name. */
function notesOn({ kindWord }: TargetRefs, found: readonly FoundPod[]): string[] {
  const pod = kindWord !== undefined && found.find((each) => each.pod.metadata?.name === kindWord);
  return pod
    ? [`"${kindWord}" was taken for a kind, as kubectl does; the pod of this name alone is pod/${kindWord}`]
    : [];
}

/** Above so many nodes one list takes less time than a call for each. */
const MOST_NODE_CALLS = 4;

/** The nodes by their names. One that does not exist is missing. */
async function readNodes(names: readonly string[], cluster: Cluster): Promise<ReadonlyMap<string, V1Node>> {
  const nodes = await (names.length > MOST_NODE_CALLS
    ? cluster.listNodes().catch((error: unknown) => {
        // Whoever may not list nodes may still read each of them.
        if (apiCode((error as Error).cause) !== 403) throw error;
        return readEach(names, cluster);
      })
    : readEach(names, cluster));
  return new Map(nodes.map((node) => [node.metadata?.name ?? '', node]));
}

const readEach = async (names: readonly string[], cluster: Cluster): Promise<V1Node[]> =>
  (
    await Promise.all(
      names.map((name) =>
        cluster.readNode(name).catch((error: unknown) => {
          if (apiCode((error as Error).cause) !== 404) throw error;
          return undefined;
        }),
      ),
    )
  ).filter((node) => node !== undefined);

/** What one command takes without `--max-targets`. */
export interface TargetLimits {
  readonly pods: number;
  readonly nodes: number;
}

export const CAPTURE_LIMITS: TargetLimits = { pods: 10, nodes: 5 };

/** So many targets are listed before a command is refused. */
const MOST_LISTED = 50;

/**
 * Throws a usage error if these are more targets than `--max-targets` allows, or than are taken without it, after it has
 * listed them.
 */
export function checkMany(
  targets: readonly Target[],
  maxTargets: number | undefined,
  log: Pick<Log, 'line'>,
  limits: TargetLimits = CAPTURE_LIMITS,
): void {
  const pods = targets.length;
  const nodes = new Set(targets.map(({ node }) => node)).size;
  if (maxTargets === undefined ? pods <= limits.pods && nodes <= limits.nodes : pods <= maxTargets) return;
  const rows = targets
    .slice(0, MOST_LISTED)
    .map((target) =>
      target.kind === 'pod' ? [target.namespace, target.name, target.node] : ['', '', target.node],
    );
  const listed = table(
    ['NAMESPACE', 'POD', 'NODE'].map((title) => ({ title })),
    rows,
  );
  for (const line of listed.trimEnd().split('\n')) log.line(line);
  if (pods > MOST_LISTED) log.line(`… and ${pods - MOST_LISTED} more`);
  const found =
    targets[0]?.kind === 'node'
      ? counted(nodes, 'node')
      : `${counted(pods, 'pod')} on ${counted(nodes, 'node')}`;
  const most = [
    ...(Number.isFinite(limits.pods) ? [counted(limits.pods, 'pod')] : []),
    counted(limits.nodes, 'node'),
  ].join(' or ');
  throw usageError(
    maxTargets === undefined
      ? `these targets are ${found}, and more than ${most} need --max-targets`
      : `these targets are ${found}, which is more than --max-targets ${maxTargets} allows`,
    `to take all of them: --max-targets ${pods}`,
  );
}

/** What a second look at a set of targets showed. */
export interface SetLook {
  /** What was not there before, one phrase each. */
  readonly changes: readonly string[];
  /** Why it is not known whether pods have appeared; absent if it is. */
  readonly unknown?: string;
}

/** So many new pods are named. */
const MOST_NAMED = 20;

/**
 * Lists the pods again by the same words after a capture, and says which have appeared meanwhile. Never rejects, because
 * the capture does not depend on the answer.
 */
export async function changedSet(before: TargetSet, refs: TargetRefs, cluster: Cluster): Promise<SetLook> {
  const open = refs.refs.filter(({ kind }) => kind !== 'pod' && kind !== 'id' && kind !== 'node');
  if (open.length === 0 && refs.kinds.length === 0) return { changes: [] };
  const groups = await findGroups({ ...refs, refs: open }, undefined, cluster);
  const now = groups.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const fresh = new Map(now.map(({ pod }) => [pod.metadata?.uid ?? '', pod]));
  for (const uid of before.seen) fresh.delete(uid);
  const names = [...fresh.values()]
    .map(({ metadata }) => `${refs.allNamespaces ? `${metadata?.namespace}/` : ''}${metadata?.name}`)
    .toSorted();
  const unknown = groups.find((each) => each.status === 'rejected' && !saysNoPods(each.reason));
  return {
    changes: [
      ...names.slice(0, MOST_NAMED).map((name) => `pod ${printable(name)} appeared during the capture`),
      ...(names.length > MOST_NAMED
        ? [`${names.length - MOST_NAMED} more pods appeared during the capture`]
        : []),
    ],
    ...(unknown?.status === 'rejected' && { unknown: reasonOf(unknown.reason) }),
  };
}

/** Whether the answer was that there are no pods any more: then none has appeared. */
const saysNoPods = ({ cause }: Error): boolean => cause === undefined || apiCode(cause) === 404;
