import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command } from '../cli/command.ts';
import {
  CRICTL_SUBCOMMANDS,
  type CrictlWords,
  containerWord,
  interaction,
  type Placed,
  parseCrictlWords,
  placeIds,
  rightsOf,
  withoutTerminal,
} from '../cli/crictl-args.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS, type DebugPodOptions, debugPodOptions, TARGET_NODE } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { clusterError, EXIT, usageError } from '../errors.ts';
import { type PodTarget, parseTarget, type Target, type TargetRef } from '../plan/target.ts';
import { bareId, statusesOf } from '../snapshot/owner.ts';
import { startAccessCheck } from '../workflow/access.ts';
import { findTarget } from '../workflow/find-target.ts';
import { resolveId } from '../workflow/resolve-id.ts';
import { RAW, runOnNode } from '../workflow/run-on-node.ts';

interface CrictlOptions {
  readonly debugPod: DebugPodOptions;
  readonly ref: TargetRef;
  readonly container?: string;
  readonly words: CrictlWords;
  readonly dangerous: boolean;
  readonly raw: boolean;
}

const OPTIONS: OptionTable = {
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Container of the pod',
    group: 'crictl:',
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  dangerous: {
    type: 'boolean',
    describe:
      'Allow commands that change the node (stop, rm, rmi …), and exec in containers that belong to no pod',
    group: 'crictl:',
    notPresettable: true,
  },
  raw: RAW,
  ...DEBUG_POD_OPTIONS,
  ...TARGET_NODE,
  ...CLUSTER_OPTIONS,
};

export const crictl: Command<CrictlOptions> = {
  name: 'crictl',
  describe: 'Run crictl on a node; for a pod, its ids are filled in',
  usage: 'TARGET [flags] [--] ARGS…',
  args: { noun: 'target', min: 1, max: 1, rest: 'inline', tooMany: 'put the arguments of crictl after --' },
  examples: [
    ['kubectl gkeprof crictl pod/redis-0 -- ps', 'List the containers of the pod'],
    [
      'kubectl gkeprof crictl node/NODE -- pods --namespace redis',
      'List the pods of a namespace on the node',
    ],
    ['kubectl gkeprof crictl pod/redis-0 -c redis -- exec -it sh', 'Open a shell in the container'],
  ],
  options: OPTIONS,
  completion: ['target'],
  restWords: CRICTL_SUBCOMMANDS,
  failureCode: EXIT.own,

  validate(raw) {
    const [target] = raw.positionals;
    if (raw.rest.length === 0 && CRICTL_SUBCOMMANDS.includes(target!))
      throw usageError(
        `crictl: missing target before "${target}"`,
        `for example: kubectl gkeprof crictl pod/NAME -- ${target}`,
      );
    const container = raw.text('container');
    const words = parseCrictlWords(raw.rest);
    const dangerous = raw.flag('dangerous');
    if (rightsOf(words) === 'change' && !dangerous)
      throw usageError(`crictl ${words.subcommand} changes the node`, 'to allow it: --dangerous');
    return {
      debugPod: debugPodOptions(raw),
      ref: parseTarget(target!, raw.text('node')),
      ...(container !== undefined && { container }),
      words,
      dangerous,
      raw: raw.flag('raw'),
    };
  },

  async run(options, context) {
    const { debugPod, container, dangerous } = options;
    const cluster = await context.openCluster(debugPod.connection);
    const asked = interaction(options.words);
    const allowed = startAccessCheck(cluster, debugPod, asked.stdin || asked.tty);
    const ref = await resolveId(options.ref, debugPod, cluster, context);
    if (!ref) return EXIT.done;
    const target = await findTarget(ref, container, cluster);
    const hasTerminal = context.stdin.isTTY === true && context.stdout.isTTY === true;
    if (asked.tty && !hasTerminal)
      context.log.warn('-t: there is no terminal here, so crictl runs without one');
    const typed = asked.tty && !hasTerminal ? withoutTerminal(options.words) : options.words;
    const ids = target.kind === 'pod' ? idsOf(target) : undefined;
    const placed =
      rightsOf(typed) === 'exec'
        ? await entering(parseCrictlWords(placeIds(typed, ids).words), target, dangerous, cluster)
        : placeIds(typed, ids);
    await allowed;
    return runOnNode(
      {
        target,
        options: debugPod,
        what: {
          collector: 'crictl',
          scope: 'node',
          about: typed.subcommand || 'help',
          keys: [
            `rights=${rightsOf(typed) === 'read' ? 'read' : 'any'}`,
            ...(placed.podWord === undefined ? [] : [`pod_word=${placed.podWord}`]),
          ],
          words: placed.words,
          stdin: asked.stdin,
          tty: asked.tty && hasTerminal,
        },
        raw: options.raw,
      },
      cluster,
      context,
    );
  },
};

const idsOf = ({ containers, container }: PodTarget) => {
  const running = containers.filter((each) => each.running);
  const only = container ?? (running.length === 1 ? running[0] : undefined);
  return {
    ...(only && { container: only.id }),
    containers: containers.map(({ id }) => id),
    isContainerGiven: container !== undefined,
  };
};

/**
 * Checks that the user may create pods/exec for the pod: whoever may not do so by the API may not do so by the node. An id
 * that is not that of exactly one container has no pod to ask about, and needs --dangerous. Returns the words with the id
 * in full.
 */
async function entering(
  words: CrictlWords,
  target: Target,
  dangerous: boolean,
  cluster: Cluster,
): Promise<Placed> {
  const at = containerWord(words);
  const id = words.rest[at] ?? '';
  const all = [...words.globals, words.subcommand, ...words.rest];
  if (id === '')
    throw usageError(`crictl ${words.subcommand}: missing container`, 'give its id, or a pod with -c NAME');
  const found = (await cluster.listAllPods(target.node)).flatMap((pod) =>
    statusesOf(pod)
      .map((status) => ({ pod, id: bareId(status.containerID ?? '') }))
      .filter((each) => /^[0-9a-f]+$/.test(id) && each.id.startsWith(id)),
  );
  const [only] = found;
  if (!only || found.length > 1) {
    if (dangerous) return { words: all };
    throw clusterError(
      `"${id}" is not the id of a container of one pod on node ${target.node}`,
      'to enter a container that belongs to no pod: --dangerous',
    );
  }
  const { namespace = '', name = '' } = only.pod.metadata ?? {};
  const question = { namespace, name, verb: 'create', resource: 'pods', subresource: 'exec', strict: true };
  if (await cluster.isAllowed(question))
    return { words: all.with(all.length - words.rest.length + at, only.id) };
  throw clusterError(
    `you may not create pods/exec for pod "${name}" in namespace "${namespace}", so you may not do that by its node either`,
    `kubectl auth can-i create pods/exec -n ${namespace}`,
  );
}
