import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { INSPECT_OPTIONS, type InspectOptions, inspectOptions } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { clusterError, EXIT, usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { humanAge } from '../snapshot/age.ts';
import { type Probe, probeOf } from '../snapshot/probe.ts';
import { startAccessCheck } from '../workflow/access.ts';
import { inspectNodes, inspectPlan } from '../workflow/inspect-nodes.ts';
import { preview } from '../workflow/preview.ts';

interface NodesOptions {
  readonly inspect: InspectOptions;
  readonly probe: boolean;
  readonly substrings: readonly string[];
  readonly selector?: string;
  readonly pods?: string;
  readonly format: OutputFormat;
}

const GROUP = 'Nodes:';

const OPTIONS: OptionTable = {
  selector: {
    type: 'string',
    alias: 'l',
    describe: 'List only nodes with these labels',
    group: GROUP,
    value: 'LABELS',
    notPresettable: true,
  },
  pods: {
    type: 'string',
    describe: 'List only nodes that run pods with these labels in the namespace of -n, and those pods',
    group: GROUP,
    value: 'LABELS',
    notPresettable: true,
  },
  output: outputOption('node/NAME', 'the OS image, the external address and the results of --probe', GROUP),
  probe: {
    type: 'boolean',
    describe:
      'Find out the cgroup version and whether there is a PMU, with a debug pod on each node (at most 5)',
    group: GROUP,
    notPresettable: true,
  },
  ...INSPECT_OPTIONS,
  ...CLUSTER_OPTIONS,
};

/** A node as it is listed. */
interface NodeRow {
  readonly name: string;
  readonly status: string;
  readonly roles: string;
  readonly createdAt: string;
  readonly version: string;
  readonly internalIp: string;
  readonly externalIp: string;
  readonly zone: string;
  readonly machineType: string;
  readonly preemptible: boolean;
  readonly runtime: string;
  readonly kernel: string;
  readonly osImage: string;
  readonly arch: string;
  readonly taints: readonly string[];
  readonly pods?: readonly string[];
  readonly probe?: Probe;
}

export const nodes: Command<NodesOptions> = {
  name: 'nodes',
  describe: 'List nodes, and the nodes of certain pods. Needs no debug pod',
  usage: '[SUBSTRING…] [flags]',
  args: { noun: 'substring', min: 0 },
  examples: [
    ['kubectl gkeprof nodes redis-ratelimiting', 'List the nodes whose names contain a text'],
    ['kubectl gkeprof nodes --pods app=redis -n redis', 'List the nodes that run these pods, with the pods'],
  ],
  options: OPTIONS,
  completion: ['node'],
  repeats: true,

  validate(raw) {
    const selector = raw.text('selector');
    const pods = raw.text('pods');
    return {
      inspect: inspectOptions(raw),
      probe: raw.flag('probe'),
      substrings: raw.positionals,
      ...(selector !== undefined && { selector }),
      ...(pods !== undefined && { pods }),
      format: outputFormatOf(raw, { wide: true }),
    };
  },

  async run(options, context) {
    const { substrings, selector, pods: podSelector, format } = options;
    const cluster = await context.openCluster(options.inspect.connection);
    if (options.inspect.explain) {
      const { nodesByHand } = await import('../collectors/snapshot/by-hand.ts');
      context.stdout.write(nodesByHand(options, cluster.namespace, cluster.kubectlLine()));
      return EXIT.done;
    }
    const [all, pods] = await Promise.all([
      cluster.listNodes(selector),
      podSelector === undefined ? undefined : cluster.listPods(cluster.namespace, podSelector),
    ]);
    const podsOf = pods && Map.groupBy(pods.filter(isRunning), ({ spec }) => spec?.nodeName ?? '');
    const rows = all
      .map((node) => nodeRow(node, podsOf && (podsOf.get(node.metadata?.name ?? '') ?? [])))
      .filter(({ name }) => substrings.length === 0 || substrings.some((each) => name.includes(each)))
      .filter((row) => row.pods === undefined || row.pods.length > 0);
    if (rows.length === 0) {
      const wanted = [...substrings.map((each) => `"${each}"`), ...(selector ? [`-l ${selector}`] : [])];
      throw clusterError(
        podSelector === undefined
          ? `no node matches ${wanted.join(', ') || 'anything: the cluster has none'}`
          : `no matching node runs pods with ${podSelector} in namespace "${cluster.namespace}"`,
        podSelector === undefined
          ? 'kubectl get nodes'
          : `kubectl get pods -n ${cluster.namespace} -l ${podSelector}`,
      );
    }
    const shown = options.probe ? await probed(rows, options, cluster, context) : rows;
    if (!shown) return EXIT.done;
    await printResult(
      context,
      format,
      () => ({ kind: 'NodeList', version: 1, nodes: shown }),
      shown.map(({ name }) => `node/${name}`),
      () => nodeTable(shown, format.kind === 'wide', context.now()),
    );
    return EXIT.done;
  },
};

const MOST_PROBED = 5;

/** Asks all nodes at the same time. Undefined after a preview of the debug pods. */
async function probed(
  rows: readonly NodeRow[],
  { inspect: options }: NodesOptions,
  cluster: Cluster,
  context: Context,
): Promise<NodeRow[] | undefined> {
  if (rows.length > MOST_PROBED)
    throw usageError(
      `--probe: ${rows.length} nodes would each get a debug pod, but at most ${MOST_PROBED} are allowed`,
      'choose fewer by a part of their names, by -l or by --pods',
    );
  const allowed = startAccessCheck(cluster, options);
  const user = await cluster.whoAmI();
  const plans = rows.map(({ name }) => inspectPlan(name, ['probe'], options, user));
  if (await preview({ plans, work: inspect }, options, cluster, context)) return undefined;
  await allowed;
  return inspectNodes(plans, options, cluster, context, async (outlooks) => {
    const views = await Promise.all(outlooks.map((outlook) => outlook.inspect()));
    return rows.map((row, at) => ({ ...row, probe: probeOf(views[at]!.snapshot) }));
  });
}

const isRunning = ({ status }: V1Pod): boolean => status?.phase === 'Running';

/** `here`: those of the pods that the user asked for that run on this node. */
function nodeRow(node: V1Node, here: readonly V1Pod[] | undefined): NodeRow {
  const { metadata, spec, status } = node;
  const labels = metadata?.labels ?? {};
  const info = status?.nodeInfo;
  const name = metadata?.name ?? '';
  const address = (type: string) => status?.addresses?.find((each) => each.type === type)?.address ?? '';
  return {
    name,
    status: statusText(node),
    roles: rolesText(labels),
    createdAt: new Date(metadata?.creationTimestamp ?? 0).toISOString(),
    version: info?.kubeletVersion ?? '',
    internalIp: address('InternalIP'),
    externalIp: address('ExternalIP'),
    zone: labels['topology.kubernetes.io/zone'] ?? '',
    machineType: labels['node.kubernetes.io/instance-type'] ?? '',
    preemptible: isPreemptible(labels),
    runtime: info?.containerRuntimeVersion ?? '',
    kernel: info?.kernelVersion ?? '',
    osImage: info?.osImage ?? '',
    arch: info?.architecture ?? '',
    taints: (spec?.taints ?? []).map(
      ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
    ),
    ...(here && { pods: here.map((pod) => pod.metadata?.name ?? '').sort() }),
  };
}

/** As `kubectl get nodes` prints it (kubernetes pkg/printers/internalversion/printers.go, printNode). */
function statusText({ status, spec }: V1Node): string {
  const ready = status?.conditions?.find((each) => each.type === 'Ready')?.status;
  const text = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesText(labels: Readonly<Record<string, string>>): string {
  const roles = Object.entries(labels).flatMap(([key, value]) => {
    if (key.startsWith('node-role.kubernetes.io/')) return [key.slice('node-role.kubernetes.io/'.length)];
    return key === 'kubernetes.io/role' && value ? [value] : [];
  });
  return [...new Set(roles.filter(Boolean))].sort().join(',');
}

/** Whether a label of the cloud marks the node as one that may be taken away. */
const isPreemptible = (labels: Readonly<Record<string, string>>): boolean =>
  labels['cloud.google.com/gke-spot'] === 'true' ||
  labels['cloud.google.com/gke-preemptible'] === 'true' ||
  labels['eks.amazonaws.com/capacityType'] === 'SPOT' ||
  labels['kubernetes.azure.com/scalesetpriority'] === 'spot' ||
  labels['karpenter.sh/capacity-type'] === 'spot';

const probeCells = (probe: Probe | undefined): string[] =>
  probe ? [probe.cgroup, probe.pmu ? 'yes' : 'no'] : ['<unknown>', '<unknown>'];

const orNone = (text: string): string => text || '<none>';

function nodeTable(rows: readonly NodeRow[], wide: boolean, nowMs: number): string {
  const withPods = rows.some((row) => row.pods !== undefined);
  const probed = rows.some((row) => row.probe !== undefined);
  return table(
    [
      ...['NAME', 'STATUS', 'ROLES', 'AGE', 'VERSION', 'INTERNAL-IP'],
      ...(wide ? ['EXTERNAL-IP'] : []),
      ...['ZONE', 'MACHINE-TYPE', 'PREEMPTIBLE', 'RUNTIME', 'KERNEL', 'ARCH'],
      ...(wide ? ['OS-IMAGE'] : []),
      'TAINTS',
      ...(wide || probed ? ['CGROUP', 'PMU'] : []),
      ...(withPods ? ['PODS'] : []),
    ].map((title) => ({ title })),
    rows.map((row) => [
      row.name,
      row.status,
      orNone(row.roles),
      humanAge(nowMs - Date.parse(row.createdAt)),
      row.version,
      orNone(row.internalIp),
      ...(wide ? [orNone(row.externalIp)] : []),
      orNone(row.zone),
      orNone(row.machineType),
      row.preemptible ? 'true' : '',
      row.runtime,
      row.kernel,
      row.arch,
      ...(wide ? [row.osImage] : []),
      orNone(row.taints.join(',')),
      ...(wide || probed ? probeCells(row.probe) : []),
      ...(withPods ? [(row.pods ?? []).join(',')] : []),
    ]),
  );
}
