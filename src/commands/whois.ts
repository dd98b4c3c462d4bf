import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { INSPECT_OPTIONS, type InspectOptions, inspectOptions } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { regularExpression } from '../cli/regexp.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import { EXIT, toolError, usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import type { SnapshotPart } from '../plan/plan.ts';
import { parseTarget, type TargetRef } from '../plan/target.ts';
import { shortId } from '../snapshot/container-list.ts';
import { pidsBehind } from '../snapshot/links.ts';
import { type ProcessRow, processJson, processRow } from '../snapshot/process-list.ts';
import {
  isSameEndpoint,
  parseAddress,
  parseEndpoint,
  type SocketAddress,
  socketsOf,
} from '../snapshot/sockets.ts';
import { printable } from '../text/printable.ts';
import { parseCount } from '../text/quantity.ts';
import { startAccessCheck } from '../workflow/access.ts';
import { findTarget } from '../workflow/find-target.ts';
import { inspectNodes, inspectPlan, type NodeView, sayCuts } from '../workflow/inspect-nodes.ts';
import { preview } from '../workflow/preview.ts';

/** What is asked about; each finds processes. */
type Question =
  | { readonly by: 'pid'; readonly pid: number }
  | { readonly by: 'match'; readonly match: RegExp }
  | { readonly by: 'port'; readonly port: number }
  | {
      readonly by: 'socket';
      readonly local: SocketAddress;
      readonly remote: SocketAddress;
      readonly text: string;
    }
  | { readonly by: 'ip'; readonly ip: string }
  | { readonly by: 'cgroup'; readonly path: string }
  | { readonly by: 'container'; readonly id: string }
  | { readonly by: 'veth'; readonly name: string };

interface WhoisOptions {
  readonly inspect: InspectOptions;
  readonly ref: TargetRef;
  readonly questions: readonly Question[];
  readonly format: OutputFormat;
}

const GROUP = 'Lookup:';

const OPTIONS: OptionTable = {
  match: {
    type: 'array',
    describe: 'Look up processes whose command line matches',
    group: GROUP,
    value: 'REGEXP',
    notPresettable: true,
  },
  port: {
    type: 'array',
    describe: 'Look up who listens on this TCP or UDP port, in any pod',
    group: GROUP,
    value: 'PORT',
    notPresettable: true,
  },
  socket: {
    type: 'array',
    describe: 'Look up who has this connection open, such as 10.0.0.1:6379-10.0.0.2:40000',
    group: GROUP,
    value: 'LOCAL-REMOTE',
    notPresettable: true,
  },
  ip: {
    type: 'array',
    describe: 'Look up the containers of the pod with this address',
    group: GROUP,
    value: 'ADDRESS',
    notPresettable: true,
  },
  cgroup: {
    type: 'array',
    describe: 'Look up what runs in this cgroup and below it',
    group: GROUP,
    value: 'PATH',
    notPresettable: true,
  },
  container: {
    type: 'array',
    describe: 'Look up a container or sandbox (pod) by its full or short id',
    group: GROUP,
    value: 'ID',
    notPresettable: true,
  },
  veth: {
    type: 'array',
    describe: 'Look up the pod behind this interface of the node',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
  },
  output: outputOption('the pods, and node/NAME for processes outside of pods', 'full ids and the cgroup'),
  ...INSPECT_OPTIONS,
  ...CLUSTER_OPTIONS,
};

export const whois: Command<WhoisOptions> = {
  name: 'whois',
  describe: 'Find the pod of a PID, port, address or cgroup on a node',
  usage: 'node/NODE [PID…] [flags]',
  args: { noun: 'node', min: 1 },
  examples: [
    ['kubectl gkeprof whois node/NODE 7154', 'Show the container, pod, addresses and cgroup of a PID'],
    ['kubectl gkeprof whois node/NODE --port 6379', 'Show who listens on a port, in all pods'],
    [
      'kubectl gkeprof whois node/NODE --container 89e7d6da5f404',
      'Look up a container by the id that crictl prints',
    ],
  ],
  options: OPTIONS,
  completion: ['node-target'],

  validate(raw) {
    const [target, ...pids] = raw.positionals;
    const questions = [
      ...pids.map((text) => ({ by: 'pid' as const, pid: parseCount(text, 'PID', 1, 2 ** 22) })),
      ...questionsOf(raw),
    ];
    if (questions.length === 0)
      throw usageError(
        'whois: nothing to look up',
        'give a PID of the node, or --match, --port, --socket, --ip, --cgroup, --container or --veth',
      );
    return {
      inspect: inspectOptions(raw),
      ref: parseTarget(target!),
      questions,
      format: outputFormatOf(raw, { wide: true }),
    };
  },

  async run(options, context) {
    const cluster = await context.openCluster(options.inspect.connection);
    const allowed = startAccessCheck(cluster, options.inspect);
    const { node } = await findTarget(options.ref, undefined, cluster);
    const plans = [inspectPlan(node, partsFor(options.questions), options.inspect, await cluster.whoAmI())];
    const question = { of: 'owners', questions: options.questions } as const;
    if (await preview({ plans, work: inspect, question }, options.inspect, cluster, context))
      return EXIT.done;
    await allowed;
    return inspectNodes(plans, options.inspect, cluster, context, async ([outlook]) =>
      answer(await outlook!.inspect(), options, context),
    );
  },
};

function questionsOf(raw: RawOptions): Question[] {
  return [
    ...raw.list('match').map((text) => ({ by: 'match' as const, match: regularExpression(text, '--match') })),
    ...raw
      .list('port')
      .map((text) => ({ by: 'port' as const, port: parseCount(text, '--port', 1, 65_535, 6379) })),
    ...raw.list('socket').map(socketQuestion),
    ...raw.list('ip').map((text) => {
      const ip = parseAddress(text);
      if (ip === undefined)
        throw usageError(`--ip: "${printable(text)}" is not an address`, '10.0.0.1, or fd00::1');
      return { by: 'ip' as const, ip };
    }),
    ...raw
      .list('cgroup')
      .map((path) => ({ by: 'cgroup' as const, path: `/${path.replace(/^\/+|\/+$/g, '')}` })),
    ...raw.list('container').map((id) => {
      if (!/^[0-9a-f]{6,64}$/.test(id))
        throw usageError(
          `--container: "${printable(id)}" is not an id`,
          'give at least 6 of its hex digits, as crictl prints them',
        );
      return { by: 'container' as const, id };
    }),
    ...raw.list('veth').map((name) => ({ by: 'veth' as const, name })),
  ];
}

function socketQuestion(text: string): Question {
  const [local, remote] = text.split('-').map(parseEndpoint);
  if (!local || !remote)
    throw usageError(
      `--socket: "${printable(text)}" does not name both ends of a connection`,
      'write it as 10.0.0.1:6379-[fd00::2]:40000',
    );
  return { by: 'socket', local, remote, text };
}

function partsFor(questions: readonly Question[]): SnapshotPart[] {
  const by = new Set(questions.map((each) => each.by));
  return [
    'processes',
    'runtime',
    ...(by.has('port') || by.has('socket') ? ['sockets' as const] : []),
    ...(by.has('veth') ? ['links' as const] : []),
  ];
}

/** Prints what was found, and warns about what was not, which also changes the exit code. */
async function answer(
  view: NodeView,
  { questions, format }: WhoisOptions,
  context: Context,
): Promise<number> {
  const rows = view.snapshot.processes.map((proc) =>
    processRow(view.node, view.snapshot, proc, view.roster.ownerOf(proc)),
  );
  const answers = questions.map((question) => ({ question, found: findFor(question, rows, view) }));
  const found = [...new Set(answers.flatMap((each) => each.found))];
  sayCuts(
    view,
    found,
    questions.some(({ by }) => by === 'match'),
    context,
  );
  const missing = answers
    .filter((each) => each.found.length === 0)
    .map(({ question }) => nothing(question, view));
  if (found.length === 0) throw toolError(missing.join('; '));
  await printResult(
    context,
    format,
    () => ({ kind: 'OwnerList', version: 1, owners: found.map(processJson) }),
    [...new Set(found.map(nameOf))],
    () => ownerTable(found, format.kind === 'wide'),
  );
  for (const each of missing) context.log.warn(each);
  return missing.length || view.snapshot.isCut ? EXIT.incomplete : EXIT.done;
}

/** The owner as a target that the user can type. */
const nameOf = ({ node, owner }: ProcessRow): string =>
  owner.pod === undefined ? `node/${node}` : `pod/${owner.pod}`;

function findFor(question: Question, rows: readonly ProcessRow[], view: NodeView): ProcessRow[] {
  switch (question.by) {
    case 'pid':
      return rows.filter(({ proc }) => proc.pid === question.pid);
    case 'match':
      return rows.filter(({ command }) => question.match.test(command));
    case 'port':
      return holders(rows, view, ({ local, listening }) => listening && local.port === question.port);
    case 'socket':
      return holders(
        rows,
        view,
        ({ local, remote }) =>
          isSameEndpoint(local, question.local) && isSameEndpoint(remote, question.remote),
      );
    case 'ip':
      return mainOnes(rows.filter(({ owner }) => owner.ips.some((ip) => parseAddress(ip) === question.ip)));
    case 'cgroup':
      return rows.filter(
        ({ owner }) => question.path === '/' || `${owner.cgroup}/`.startsWith(`${question.path}/`),
      );
    case 'container':
      return mainOnes(rows.filter(({ owner }) => isCalled(owner, question.id)));
    case 'veth': {
      const pids = new Set(pidsBehind(question.name, view.snapshot));
      return mainOnes(rows.filter(({ proc }) => pids.has(proc.pid)));
    }
  }
}

/** Whether an id begins like this: the id of the container, or that of the sandbox, which stands for the whole pod. */
const isCalled = (owner: ProcessRow['owner'], id: string): boolean =>
  (owner.containerId?.startsWith(id) ?? false) || (owner.sandboxId?.startsWith(id) ?? false);

function holders(
  rows: readonly ProcessRow[],
  { snapshot }: NodeView,
  isMeant: (socket: ReturnType<typeof socketsOf>[number]) => boolean,
): ProcessRow[] {
  const pids = new Set(
    socketsOf(snapshot)
      .filter(isMeant)
      .flatMap((socket) => socket.pids),
  );
  return rows.filter(({ proc }) => pids.has(proc.pid));
}

/** The process of each container that started first. */
function mainOnes(rows: readonly ProcessRow[]): ProcessRow[] {
  const first = new Map<string, ProcessRow>();
  for (const row of rows) {
    const key = row.owner.containerId ?? row.owner.sandboxId ?? `pid ${row.proc.pid}`;
    const known = first.get(row.owner.what === 'sandbox' ? `sandbox ${key}` : key);
    if (!known || row.proc.startTicks < known.proc.startTicks)
      first.set(row.owner.what === 'sandbox' ? `sandbox ${key}` : key, row);
  }
  return [...first.values()];
}

function nothing(question: Question, { node, snapshot }: NodeView): string {
  switch (question.by) {
    case 'pid':
      return `no process ${question.pid} on node ${node}: it may have ended`;
    case 'match':
      return `no process on node ${node} matches ${question.match.source}`;
    case 'port':
      return `no process listens on port ${question.port} on node ${node}`;
    case 'socket':
      return `no process on node ${node} has the connection ${question.text} open`;
    case 'ip':
      return `no pod on node ${node} has the address ${question.ip}`;
    case 'cgroup':
      return `no process on node ${node} is in the cgroup ${question.path}`;
    case 'container':
      return `no container or sandbox that runs on node ${node} has an id that begins with ${question.id}`;
    case 'veth':
      return pidsBehind(question.name, snapshot) === undefined
        ? `node ${node} has no interface ${question.name}`
        : `no pod is behind the interface ${question.name} of node ${node}`;
  }
}

function ownerTable(rows: readonly ProcessRow[], wide: boolean): string {
  const id = wide ? (text: string) => text : shortId;
  return table(
    [
      { title: 'PID', right: true },
      { title: 'NSPID', right: true },
      { title: 'WHAT' },
      ...['NAMESPACE', 'POD', 'CONTAINER', 'IPS', 'QOS', 'CONTAINER ID', 'POD ID'].map((title) => ({
        title,
      })),
      ...(wide ? [{ title: 'CGROUP' }] : []),
      { title: 'COMMAND', ...(!wide && { longest: 60 }) },
    ],
    rows.map(({ proc, owner, command }) => [
      String(proc.pid),
      String(proc.nsPids.at(-1)!),
      owner.what,
      owner.namespace ?? '-',
      owner.pod ?? (owner.podUid === undefined ? '-' : `uid ${owner.podUid}`),
      owner.container ?? '-',
      owner.ips.join(',') || '-',
      owner.qos ?? '-',
      id(owner.containerId ?? '-'),
      id(owner.sandboxId ?? '-'),
      ...(wide ? [owner.cgroup] : []),
      command,
    ]),
  );
}
