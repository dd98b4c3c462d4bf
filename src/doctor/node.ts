import type { V1Node } from '@kubernetes/client-node';
import {
  conditionsOf,
  hasSandboxes,
  isAutopilot,
  isVirtual,
  refusingPressures,
} from '../plan/node-traits.ts';
import { notReady } from '../plan/target.ts';
import { formatBytes } from '../text/quantity.ts';
import { answerOf, type Finding, failureOf, ok, problem, unknown, unknownBecause, warning } from './check.ts';
import type { Facts } from './facts.ts';

type OfNodes = Pick<Facts, 'nodes'>;

export function checkTarget({ target }: Pick<Facts, 'target'>): Finding {
  if (!target) return ok('none: checked without a target');
  const failure = failureOf(target);
  // The API server said that there is no such object, or nobody was asked because the words can name none.
  if (failure)
    return failure.code === 404 || failure.code === undefined ? lost(failure) : unknownBecause(failure);
  const { text, refusal } = answerOf(target)!;
  return refusal ? problem(refusal.reason, refusal.hint) : ok(text);
}

const lost = (failure: NonNullable<ReturnType<typeof failureOf>>): Finding =>
  failure.isSilent ? unknownBecause(failure) : problem(failure.reason, failure.hint);

/** Whether a debug pod would be started. Cordoned nodes start it too, because it names its node itself. */
export const checkReadiness = (facts: OfNodes): Finding => {
  const failure = failureOf(facts.nodes);
  return failure ? unknownBecause(failure) : ofEach(facts, readiness);
};

function readiness(node: V1Node): Finding {
  const reason = notReady(node);
  const describe = `kubectl describe node ${nameOf(node)}`;
  if (reason !== undefined) return problem(reason, describe);
  const os = node.status?.nodeInfo?.operatingSystem;
  if (os !== undefined && os !== 'linux')
    return problem(`node "${nameOf(node)}" runs ${os}, but perf and tcpdump need Linux`);
  return ok(`ready${node.spec?.unschedulable ? ', cordoned (debug pods start there nevertheless)' : ''}`);
}

/** What the kubelet refuses pods for, or evicts them for. */
export const checkPressure = (facts: OfNodes): Finding =>
  ofEach(facts, (node) => {
    const describe = `kubectl describe node ${nameOf(node)}`;
    const refusing = refusingPressures(node);
    if (refusing.length > 0)
      return problem(`${nameOf(node)} has ${refusing.join(' and ')}: the kubelet takes no pods`, describe);
    return conditionsOf(node).includes('MemoryPressure')
      ? warning(`${nameOf(node)} has MemoryPressure: the kubelet may evict the debug pod`, describe)
      : ok('no pressure');
  });

/** pcap stops at 1 GiB of packets by default, and the packed copy lies beside them. */
const LEAST_DISK_BYTES = 2 * 2 ** 30;

export const checkDisk = (facts: OfNodes): Finding =>
  ofEach(facts, (node) => {
    const bytes = quantityBytes(node.status?.allocatable?.['ephemeral-storage'] ?? '');
    if (bytes === undefined) return unknown(`${nameOf(node)} does not report its ephemeral storage`);
    const text = `${formatBytes(bytes)} for pods`;
    return bytes < LEAST_DISK_BYTES
      ? warning(
          `${nameOf(node)} has ${text}: long recordings stop early, before the disk is full`,
          'Use a shorter --duration, or a smaller --max-size for packets.',
        )
      : ok(text);
  });

/** The architectures that the diagnostic image can be built for (image/Dockerfile). */
const ARCHITECTURES: readonly string[] = ['amd64', 'arm64'];

export const checkArchitecture = (facts: OfNodes & Pick<Facts, 'debugPod'>): Finding =>
  ofEach(facts, (node) => {
    const arch = node.status?.nodeInfo?.architecture ?? node.metadata?.labels?.['kubernetes.io/arch'];
    if (arch === undefined) return unknown(`${nameOf(node)} does not report its architecture`);
    if (!ARCHITECTURES.includes(arch))
      return warning(
        `${nameOf(node)} is ${arch}, for which gkeprof was never tried`,
        'Build image/Dockerfile for this architecture.',
      );
    if (arch === 'amd64' || facts.debugPod.install) return ok(arch);
    return warning(
      `${nameOf(node)} is ${arch}: the image must be built for it too`,
      'docker buildx build --platform linux/amd64,linux/arm64 image',
    );
  });

export const checkVirtual = (facts: OfNodes): Finding =>
  ofEach(facts, (node) =>
    isVirtual(node)
      ? problem(`${nameOf(node)} is a virtual node: no debug pod can run beside its pods`)
      : ok('real'),
  );

/** GKE Sandbox: the pod of the target, otherwise the nodes. */
export function checkGvisor(facts: OfNodes & Pick<Facts, 'target'>): Finding {
  const pod = facts.target && answerOf(facts.target)?.pod;
  if (pod)
    return pod.spec?.runtimeClassName === 'gvisor'
      ? problem(
          'the pod runs in gVisor: the node sees only its sandbox, not its functions or sockets',
          'Use a profiler inside the pod.',
        )
      : ok('the pod does not run in gVisor');
  return ofEach(facts, (node) =>
    hasSandboxes(node)
      ? warning(`pods on ${nameOf(node)} may run in gVisor: the node sees only their sandboxes`)
      : ok('not for GKE Sandbox'),
  );
}

/** Autopilot is only found out by what it says to a debug pod: some clusters allow particular privileged pods. */
export function checkAutopilot({ nodes, admission }: Pick<Facts, 'nodes' | 'admission'>): Finding {
  const answers = Object.values(admission);
  const isRefused = answers.some((each) => /GKE Warden|autogke-/.test(failureOf(each)?.reason ?? ''));
  const named = (answerOf(nodes) ?? []).filter(isAutopilot).map(nameOf);
  if (isRefused || (named.length > 0 && answers.every((each) => answerOf(each) === undefined)))
    return problem(
      'GKE Autopilot refuses privileged pods and host namespaces',
      'Use a node of a Standard cluster.',
    );
  if (named.length > 0) return ok('nodes of GKE Autopilot, which admits the debug pod');
  return answerOf(nodes) ? ok('not a node of GKE Autopilot') : unknown(NO_NODE);
}

/** The runtimes whose pods the scripts can find on a node. */
const RUNTIMES = /^(?:containerd|cri-o|docker):\/\//;

export const checkRuntime = (facts: OfNodes): Finding =>
  ofEach(facts, (node) => {
    const runtime = node.status?.nodeInfo?.containerRuntimeVersion;
    if (runtime === undefined) return unknown(`${nameOf(node)} does not report its container runtime`);
    return RUNTIMES.test(runtime)
      ? ok(runtime)
      : warning(`${nameOf(node)} has ${runtime}, with which gkeprof was never tried`);
  });

/** The row `node` says why. */
const NO_NODE = 'no node is known';

const nameOf = ({ metadata }: V1Node): string => metadata?.name ?? '';

/**
 * What is found of the only node. Of several nodes, those that differ from the good ones are named: a problem of some of them is
 * a warning, because a debug pod can run on the others.
 */
function ofEach({ nodes }: OfNodes, decide: (node: V1Node) => Finding): Finding {
  const all = answerOf(nodes);
  if (!all) return unknown(NO_NODE);
  if (all.length === 0) return problem('the cluster has no nodes', 'kubectl get nodes');
  const findings = all.map(decide);
  const [only, ...others] = findings;
  if (others.length === 0) return only!;
  const bad = findings.filter(({ status }) => status !== 'ok');
  if (bad.length === 0) {
    const kinds = [...Map.groupBy(findings, ({ found }) => found)];
    const texts =
      kinds.length === 1 ? [kinds[0]![0]] : kinds.map(([found, these]) => `${these.length} × ${found}`);
    return ok(`${all.length} nodes: ${texts.join('; ')}`);
  }
  const worst = ['problem', 'warning', 'unknown'].flatMap((status) =>
    bad.filter((each) => each.status === status),
  );
  const { status, found, fix } = worst[0]!;
  const more = bad.length > 1 ? `, and ${bad.length - 1} more` : '';
  return {
    status: status === 'problem' && bad.length < all.length ? 'warning' : status,
    found: `${bad.length} of ${all.length} nodes: ${found}${more}`,
    ...(fix !== undefined && { fix }),
  };
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** A quantity of Kubernetes in bytes (apimachinery pkg/api/resource/quantity.go); undefined for anything else. */
export function quantityBytes(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?(?:[eE]\d+)?)([a-zA-Z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}
