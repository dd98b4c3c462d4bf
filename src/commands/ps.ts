import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { INSPECT_OPTIONS, type InspectOptions, inspectOptions, TARGET_NODE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { regularExpression } from '../cli/regexp.ts';
import { CHOICE_OPTIONS, maxTargets, targetFlags } from '../cli/target-options.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { EXIT, toolError, usageError } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { fitLastColumn, table } from '../output/table.ts';
import type { SnapshotPart } from '../plan/plan.ts';
import { type PodTarget, parseTargets, type Target, type TargetRefs } from '../plan/target.ts';
import {
  type ContainerRow,
  containerCells,
  containersOf,
  containersOfApi,
  shortId,
} from '../snapshot/container-list.ts';
import type { Owner } from '../snapshot/owner.ts';
import { type ProcessRow, processJson, processRow, SORT_KEYS, sorting } from '../snapshot/process-list.ts';
import { forest } from '../snapshot/process-tree.ts';
import { printable } from '../text/printable.ts';
import { startAccessCheck } from '../workflow/access.ts';
import { CAPTURE_LIMITS, checkMany, findTargetSet, type TargetLimits } from '../workflow/find-targets.ts';
import { inspectNodes, inspectPlan, type NodeView, sayCuts } from '../workflow/inspect-nodes.ts';
import { preview } from '../workflow/preview.ts';
import { resolveIds } from '../workflow/resolve-id.ts';

interface PsOptions {
  readonly inspect: InspectOptions;
  readonly refs: TargetRefs;
  readonly maxTargets?: number;
  readonly container?: string;
  readonly match?: RegExp;
  readonly newest: boolean;
  readonly sort?: (a: ProcessRow, b: ProcessRow) => number;
  readonly format: OutputFormat;
  readonly watch: boolean;
}

const GROUP = 'Processes:';

const OPTIONS: OptionTable = {
  ...CHOICE_OPTIONS,
  'max-targets': {
    ...CHOICE_OPTIONS['max-targets']!,
    describe:
      'Allow up to this many pods, or nodes if nodes are named; without it, more than 5 nodes are listed and refused',
  },
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Show only this container',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  match: {
    type: 'string',
    describe: 'Show only processes whose command line matches, as pgrep -f does',
    group: GROUP,
    value: 'REGEXP',
    notPresettable: true,
  },
  newest: {
    type: 'boolean',
    describe: 'Show only the process that started last, as pgrep -n does',
    group: GROUP,
    notPresettable: true,
  },
  sort: {
    type: 'string',
    describe: `Sort by columns instead of showing the tree, such as -rss,pid (${SORT_KEYS.join(', ')})`,
    group: GROUP,
    value: 'KEYS',
    words: SORT_KEYS,
  },
  output: outputOption('only the PIDs', 'UID, parent and ids', GROUP),
  watch: {
    type: 'boolean',
    alias: 'w',
    describe: 'Repeat every 2 seconds until Ctrl-C',
    group: GROUP,
    notPresettable: true,
  },
  ...INSPECT_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

/** It is the debug pods that cost something: one for each node, however many pods are shown of it. */
const LIMITS: TargetLimits = { ...CAPTURE_LIMITS, pods: Number.POSITIVE_INFINITY };

const WATCH_MS = 2000;
const WATCH_LINGER_SECONDS = 60;
const PARTS: readonly SnapshotPart[] = ['processes', 'runtime'];

export const ps: Command<PsOptions> = {
  name: 'ps',
  describe: 'List processes and containers of pods or nodes',
  usage: 'TARGET…|-l LABELS [flags]',
  args: { noun: 'target', min: 0 },
  examples: [
    ['kubectl gkeprof ps pod/redis-0', 'List processes as `ps uwf` does, and containers as crictl does'],
    [
      "kubectl gkeprof ps node/NODE --match 'redis-server .*:6379' --newest -o name",
      'Print a PID, as pgrep -n -f does',
    ],
    [
      'kubectl gkeprof ps deploy/web --sort=-rss',
      'List the processes of all pods of a deployment, largest first',
    ],
    [
      'kubectl gkeprof ps pods -A -l app=agent',
      'List the processes of pods by their labels, in all namespaces',
    ],
  ],
  options: OPTIONS,
  completion: ['target'],
  repeats: true,

  validate(raw) {
    const refs = parseTargets(raw.positionals, targetFlags(raw));
    const most = maxTargets(raw);
    const container = raw.text('container');
    if (container !== undefined && refs.refs[0]?.kind === 'node')
      throw usageError('-c cannot be used with a node', 'name a pod');
    const sort = raw.text('sort');
    const order = sort === undefined ? undefined : sorting(sort);
    if (sort !== undefined && !order)
      throw usageError(`--sort: unknown column in "${printable(sort)}"`, `columns: ${SORT_KEYS.join(', ')}`);
    const match = raw.text('match');
    return {
      inspect: inspectOptions(raw),
      refs,
      ...(most !== undefined && { maxTargets: most }),
      ...(container !== undefined && { container }),
      ...(match !== undefined && { match: regularExpression(match, '--match') }),
      newest: raw.flag('newest'),
      ...(order && { sort: order }),
      format: outputFormatOf(raw, { wide: true }),
      watch: raw.flag('watch'),
    };
  },

  async run(options, context) {
    const cluster = await context.openCluster(options.inspect.connection);
    const allowed = startAccessCheck(cluster, options.inspect);
    const refs = await resolveIds(options.refs, options.inspect, cluster, context);
    if (!refs) return EXIT.done;
    const { targets, passed, notes } = await findTargetSet(refs, options.container, cluster);
    for (const note of notes) context.log.line(note);
    checkMany(targets, options.maxTargets, context.log, LIMITS);
    for (const { namespace, name, why } of passed)
      context.log.warn(`pod "${name}" in namespace "${namespace}" was left out: it ${why}`);
    const nodes = [...new Set(targets.map(({ node }) => node))];
    const asked = { ...options.inspect, ...(options.watch && { lingerSeconds: WATCH_LINGER_SECONDS }) };
    const user = await cluster.whoAmI();
    const plans = nodes.map((node) => inspectPlan(node, PARTS, asked, user));
    const question = { of: 'processes', targets } as const;
    if (await preview({ plans, work: inspect, question }, options.inspect, cluster, context))
      return EXIT.done;
    await allowed;
    return inspectNodes(plans, options.inspect, cluster, context, async (outlooks) => {
      for (;;) {
        try {
          const views = await Promise.all(outlooks.map((outlook) => outlook.inspect()));
          if (options.watch && context.stdout.isTTY) context.stdout.raw.write('\u001b[H\u001b[2J');
          await print(views, targets, options, context);
          if (!options.watch)
            return passed.length > 0 || views.some(({ snapshot }) => snapshot.isCut)
              ? EXIT.incomplete
              : EXIT.done;
          await context.sleep(WATCH_MS, context.interrupts.stop);
        } catch (error) {
          if (options.watch && context.interrupts.stop.aborted) return EXIT.done;
          throw error;
        }
      }
    });
  },
};

async function print(
  views: readonly NodeView[],
  targets: readonly Target[],
  options: PsOptions,
  context: Context,
): Promise<void> {
  const rows = inOrder(
    views.flatMap((view) => chosenRows(view, targets, options)),
    options,
  );
  const containers = views.flatMap((view) => chosenContainers(view, targets, options));
  for (const view of views) sayCuts(view, rows, options.match !== undefined, context);
  if (rows.length === 0) {
    throw toolError(
      options.match
        ? `no process of the target matches ${options.match.source}`
        : 'the target has no processes',
    );
  }
  for (const { snapshot, node } of views)
    if (snapshot.runtimeProblem)
      context.log.warn(
        `node ${node}: ${snapshot.runtimeProblem}; the list of containers is from the API, and CREATED is when they started`,
      );
  await printResult(
    context,
    options.format,
    () => ({
      kind: 'ProcessList',
      version: 1,
      processes: rows.map(processJson),
      containers: containers.map(({ createdMs, ...rest }) => ({
        ...rest,
        createdAt: new Date(createdMs).toISOString(),
      })),
    }),
    rows.map(({ proc }) => String(proc.pid)),
    () =>
      fitLastColumn(processTable(rows, options), options.format.kind === 'wide' ? {} : context.stdout) +
      (containers.length ? `\n${containerTable(containers, options, context.now())}` : ''),
  );
}

/** The processes of the view that belong to the targets, in the order of the view. */
function chosenRows(view: NodeView, targets: readonly Target[], { match }: PsOptions): ProcessRow[] {
  const here = targets.filter(({ node }) => node === view.node);
  const isMeant = ({ owner }: ProcessRow) =>
    here.some((target) => target.kind === 'node' || isOf(owner, target));
  return view.snapshot.processes
    .map((proc) => processRow(view.node, view.snapshot, proc, view.roster.ownerOf(proc)))
    .filter((row) => isMeant(row) && (match?.test(row.command) ?? true));
}

/** Of two processes that started in the same tick, the one with the higher pid is the later one, as for pgrep. */
function inOrder(rows: readonly ProcessRow[], { newest, sort }: PsOptions): readonly ProcessRow[] {
  if (newest)
    return rows
      .toSorted(
        (a, b) =>
          b.startedMs - a.startedMs || b.proc.startTicks - a.proc.startTicks || b.proc.pid - a.proc.pid,
      )
      .slice(0, 1);
  return sort ? rows.toSorted(sort) : rows;
}

/** Whether a process runs in a container of the pod: the sandbox's own process and monitors beside it do not. */
const isOf = ({ podUid, container, containerId }: Owner, target: PodTarget): boolean =>
  podUid === target.uid &&
  containerId !== undefined &&
  (target.container === undefined || container === target.container.name);

function chosenContainers(view: NodeView, targets: readonly Target[], { format }: PsOptions): ContainerRow[] {
  const here = targets.filter(({ node }) => node === view.node);
  const pods = view.pods.filter((pod) =>
    here.some((target) => target.kind === 'node' || target.uid === pod.metadata?.uid),
  );
  // The runtime knows a static pod by the hash of its manifest.
  const uids = new Set(
    pods.flatMap((pod) => [
      pod.metadata?.uid ?? '',
      pod.metadata?.annotations?.['kubernetes.io/config.hash'] ?? '',
    ]),
  );
  const names = here.flatMap((target) =>
    target.kind === 'pod' && target.container ? [target.container.name] : [],
  );
  const all = view.snapshot.runtime ? containersOf(uids, view.snapshot) : containersOfApi(pods, view.roster);
  return all.filter(
    (each) =>
      (names.length === 0 || names.includes(each.name)) &&
      (isForPrograms(format) || each.state === 'Running'),
  );
}

function processTable(rows: readonly ProcessRow[], { sort, format }: PsOptions): string {
  const rowOf = new Map(rows.map((row) => [row.proc, row]));
  const nodes = [...new Set(rows.map(({ node }) => node))];
  const drawn = sort
    ? rows.map((row) => ({ row, drawn: '' }))
    : nodes.flatMap((node) =>
        forest(rows.filter((row) => row.node === node).map(({ proc }) => proc)).map((branch) => ({
          row: rowOf.get(branch.proc)!,
          drawn: branch.drawn,
        })),
      );
  const wide = format.kind === 'wide';
  const right = (title: string) => ({ title, right: true });
  const left = (title: string) => ({ title });
  return table(
    [
      left('USER'),
      ...(wide ? [right('UID')] : []),
      right('PID'),
      ...(wide ? [right('PPID')] : []),
      right('NSPID'),
      ...['%CPU', '%MEM', 'VSZ', 'RSS'].map(right),
      ...['TTY', 'STAT', 'START'].map(left),
      ...['TIME', 'NLWP'].map(right),
      ...['CONTAINER', 'POD', 'NAMESPACE'].map(left),
      ...(wide ? ['NODE', 'CONTAINER ID', 'POD ID'].map(left) : []),
      left('COMMAND'),
    ],
    drawn.map(({ row, drawn: branch }) => [
      row.user,
      ...(wide ? [String(row.proc.uid)] : []),
      String(row.proc.pid),
      ...(wide ? [String(row.proc.ppid)] : []),
      String(row.proc.nsPids.at(-1)!),
      row.cpu,
      row.memory,
      String(row.vszKb),
      String(row.proc.rssKb),
      row.tty,
      row.stat,
      row.start,
      row.time,
      String(row.proc.threads),
      row.owner.container ?? row.owner.what,
      row.owner.pod ?? '-',
      row.owner.namespace ?? '-',
      ...(wide ? [row.node, shortId(row.owner.containerId ?? '-'), shortId(row.owner.sandboxId ?? '-')] : []),
      branch + row.command,
    ]),
  );
}

const containerTable = (rows: readonly ContainerRow[], { format }: PsOptions, nowMs: number): string =>
  table(
    ['CONTAINER', 'IMAGE', 'CREATED', 'STATE', 'NAME', 'ATTEMPT', 'POD ID', 'POD', 'NAMESPACE'].map(
      (title) => ({ title }),
    ),
    rows.map((row) => [
      ...(format.kind === 'wide' ? wideCells(row, nowMs) : containerCells(row, nowMs)),
      row.namespace,
    ]),
  );

const wideCells = (row: ContainerRow, nowMs: number): string[] =>
  containerCells(row, nowMs).with(0, row.id).with(1, row.image).with(6, row.sandboxId);
