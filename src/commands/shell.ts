import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS, type DebugPodOptions, debugPodOptions, TARGET_NODE } from '../cli/options.ts';
import { EXIT, usageError } from '../errors.ts';
import { parseTarget, type TargetRef } from '../plan/target.ts';
import { printable } from '../text/printable.ts';
import { startAccessCheck } from '../workflow/access.ts';
import { findTarget } from '../workflow/find-target.ts';
import { resolveId } from '../workflow/resolve-id.ts';
import { RAW, runOnNode } from '../workflow/run-on-node.ts';

interface ShellOptions {
  readonly debugPod: DebugPodOptions;
  readonly ref: TargetRef;
  readonly container?: string;
  readonly enter: readonly string[];
  readonly words: readonly string[];
  /** Whether -i or -t was given. */
  readonly interactive: boolean;
  readonly raw: boolean;
}

const NAMESPACES = ['net', 'pid', 'mnt', 'ipc', 'uts'];
const GROUP = 'Shell:';

const OPTIONS: OptionTable = {
  enter: {
    type: 'string',
    describe: `Enter these namespaces of the pod: ${NAMESPACES.join(', ')}; mnt replaces the tools by the pod's files`,
    group: GROUP,
    value: 'KINDS',
    defaultText: 'none: a shell on the node with the tools',
    notPresettable: true,
    words: NAMESPACES,
  },
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Container whose pid, mnt, ipc and uts namespaces are entered',
    group: GROUP,
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  // As kubectl exec and kubectl debug take them. A shell has both wherever there is a terminal.
  stdin: {
    type: 'boolean',
    alias: 'i',
    describe: 'Accepted as in kubectl exec: the shell reads from your terminal anyway',
    group: GROUP,
    notPresettable: true,
    unlisted: true,
  },
  tty: {
    type: 'boolean',
    alias: 't',
    describe: 'Accepted as in kubectl exec: the shell runs on your terminal anyway',
    group: GROUP,
    notPresettable: true,
    unlisted: true,
  },
  raw: RAW,
  ...DEBUG_POD_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

export const shell: Command<ShellOptions> = {
  name: 'shell',
  describe: 'Open a root shell on a node, or in the namespaces of a pod',
  usage: 'TARGET [flags] [--] [COMMAND…]',
  args: { noun: 'target', min: 1, max: 1, rest: 'inline', tooMany: 'put the command after --' },
  examples: [
    [
      'kubectl gkeprof shell node/NODE',
      'Open a shell with perf, tcpdump, ip and crictl; the debug pod ends with it',
    ],
    [
      'kubectl gkeprof shell pod/redis-0 --enter net -- ss -tnp',
      'List the sockets of a pod with ss, which the pod does not need to contain',
    ],
  ],
  options: OPTIONS,
  completion: ['target'],
  failureCode: EXIT.own,

  validate(raw) {
    if (raw.flag('least-privilege'))
      throw usageError(
        '--least-privilege: a shell on the node has all privileges, so it cannot be opened with this flag',
        'open it with --least-privilege=false; ps, whois and crictl work with the flag',
      );
    const ref = parseTarget(raw.positionals[0]!, raw.text('node'));
    const enter = (raw.text('enter') ?? '').split(',').filter(Boolean);
    const unknown = enter.find((kind) => !NAMESPACES.includes(kind));
    if (unknown !== undefined)
      throw usageError(
        `--enter: unknown namespace "${printable(unknown)}"`,
        `namespaces: ${NAMESPACES.join(', ')}`,
      );
    const container = raw.text('container');
    if (ref.kind === 'node' && (enter.length > 0 || container !== undefined))
      throw usageError(
        `--enter and -c cannot be used with a node`,
        'the shell is already in the network and PID namespaces of the node',
      );
    if (container === undefined && enter.some((kind) => kind !== 'net'))
      throw usageError(`--enter ${enter.join(',')} needs a container`, 'choose one with -c NAME');
    return {
      debugPod: debugPodOptions(raw),
      ref,
      ...(container !== undefined && { container }),
      enter,
      words: raw.rest,
      interactive: raw.flag('stdin') || raw.flag('tty'),
      raw: raw.flag('raw'),
    };
  },

  async run({ debugPod, ref: typed, container, enter, words, interactive, raw }, context) {
    const tty = context.stdin.isTTY === true && context.stdout.isTTY === true;
    if (!tty && words.length === 0)
      throw usageError(
        'shell: there is no terminal here',
        'add a command: kubectl gkeprof shell TARGET -- COMMAND',
      );
    if (!tty && interactive)
      context.log.warn('-i, -t: there is no terminal here, so the command runs without input');
    const cluster = await context.openCluster(debugPod.connection);
    const allowed = startAccessCheck(cluster, debugPod, tty);
    const ref = await resolveId(typed, debugPod, cluster, context);
    if (!ref) return EXIT.done;
    const target = await findTarget(ref, container, cluster);
    await allowed;
    return runOnNode(
      {
        target,
        options: debugPod,
        what: {
          collector: 'shell',
          scope: 'node',
          about: '',
          keys: [
            `label=${target.kind === 'pod' && enter.length ? target.name : target.node}`,
            ...(enter.length ? [`enter=${enter.join(',')}`] : []),
          ],
          words,
          stdin: tty,
          tty,
        },
        raw,
      },
      cluster,
      context,
    );
  },
};
