import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS, inspectOptions } from '../cli/options.ts';
import { outputOption } from '../cli/output-option.ts';
import { script } from '../collectors/by-hand/debugger.ts';
import { inspect } from '../collectors/snapshot/snapshot.ts';
import type { Check, CheckStatus } from '../doctor/check.ts';
import { runChecks } from '../doctor/checks.ts';
import type { Facts } from '../doctor/facts.ts';
import { rightText } from '../doctor/rights.ts';
import { checkTable } from '../doctor/table.ts';
import { EXIT, usageError } from '../errors.ts';
import { isForPrograms } from '../output/format.ts';
import { wantsColours } from '../output/log.ts';
import { printResult } from '../output/result.ts';
import { parseTarget } from '../plan/target.ts';
import { counted } from '../text/quantity.ts';
import { COLUMNS } from '../text/wrap.ts';
import { type Examination, examine } from '../workflow/examine.ts';
import { findTarget } from '../workflow/find-target.ts';
import { inspectPlan } from '../workflow/inspect-nodes.ts';
import { preview } from '../workflow/preview.ts';

const OPTIONS: OptionTable = {
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Check this container of the pod',
    group: 'Checks:',
    value: 'NAME',
    notPresettable: true,
    completion: 'container',
  },
  output: outputOption('the names of the checks that found a problem', undefined, 'Checks:'),
  ...DEBUG_POD_OPTIONS,
  ...CLUSTER_OPTIONS,
};

export const doctor: Command<Examination> = {
  name: 'doctor',
  describe: 'Check everything that a capture needs, with a fix for each problem',
  details: [
    'Without a target it looks at kubectl, the cluster, your rights, the namespace for debug pods and all nodes, and creates nothing: the debug pods of flamegraph and pcap are only submitted as a dry run. With a target it also looks at the target and its node, and creates one short-lived debug pod there, which reads what only the node knows of its kernel.',
    'The exit code is 3 if a check found a problem, otherwise 0. A warning concerns only some commands or some nodes; unknown is what could not be found out, with the reason. The fix for a missing right is for an administrator.',
  ],
  usage: '[TARGET] [flags]',
  args: { noun: 'target', min: 0, max: 1 },
  examples: [
    ['kubectl gkeprof doctor', 'Check the client, the cluster, your rights and all nodes'],
    [
      'kubectl gkeprof doctor pod/redis-0',
      'Check whether this pod can be recorded, with a debug pod on its node',
    ],
    ['kubectl gkeprof doctor node/NODE -o json', 'Print the checks of a node for programs'],
    ['kubectl gkeprof doctor --as jane', 'Check the rights of somebody else'],
  ],
  options: OPTIONS,
  completion: ['target'],

  validate(raw) {
    const [text] = raw.positionals;
    const ref = text === undefined ? undefined : parseTarget(text);
    const container = raw.text('container');
    if (container !== undefined && ref?.kind !== 'pod')
      throw usageError('-c needs a pod as target', 'kubectl gkeprof doctor pod/NAME -c CONTAINER');
    const options = inspectOptions(raw);
    if (options.dryRun && !ref)
      throw usageError(
        '--dry-run: without a target nothing is created anyway',
        'name a target, or leave the flag out',
      );
    return {
      options,
      ...(ref && text !== undefined && { ref, text }),
      ...(container !== undefined && { container }),
    };
  },

  async run(request, context) {
    const { options } = request;
    if (options.explain || options.dryRun) {
      await showInstead(request, context);
      return EXIT.done;
    }
    context.log.phase('checking');
    const facts = await examine(request, context);
    const checks = runChecks(facts);
    await print(checks, facts, request, context);
    const problems = checks.filter(({ status }) => status === 'problem').length;
    if (problems === 0) return EXIT.done;
    context.log.error(
      `${problems} of ${counted(checks.length, 'check')} found a problem`,
      'FIX says what to do about each',
    );
    return EXIT.cluster;
  },
};

/** What --explain and --dry-run print in place of checks. */
async function showInstead({ options, ref, container }: Examination, context: Context): Promise<void> {
  const cluster = await context.openCluster(options.connection);
  const target = ref && (await findTarget(ref, container, cluster));
  if (!options.explain) {
    const plans = [inspectPlan(target!.node, ['probe'], options, await cluster.whoAmI())];
    await preview({ plans, work: inspect }, options, cluster, context);
    return;
  }
  const { doctorByHand, kernelByHand } = await import('../doctor/by-hand.ts');
  const kubectl = cluster.kubectlLine();
  const { namespace: debugNamespace } = options.debugPod;
  const general = doctorByHand({ kubectl, targetNamespace: cluster.namespace, debugNamespace });
  const kernel = target ? kernelByHand({ kubectl, node: target.node, debugPod: options.debugPod }) : [];
  context.log.end();
  context.stdout.write(script('what a capture needs', [...general, ...kernel]));
}

async function print(
  checks: readonly Check[],
  facts: Facts,
  { options: { format }, text }: Examination,
  context: Context,
): Promise<void> {
  const { stdout, env } = context;
  if (!isForPrograms(format) && stdout.isTTY) {
    context.log.end();
    // The table is printable already, and colours are control characters.
    stdout.raw.write(
      checkTable(checks, { columns: stdout.columns || COLUMNS, hasColours: wantsColours(env) }),
    );
    return;
  }
  await printResult(
    context,
    format,
    () => ({
      kind: 'CheckList',
      version: 1,
      ...(text !== undefined && { target: text }),
      summary: Object.fromEntries(STATUSES.map((status) => [status, countOf(checks, status)])),
      checks,
      rights: rightsJson(facts),
    }),
    checks.filter(({ status }) => status === 'problem').map(({ check }) => check),
    () => checkTable(checks),
  );
}

const STATUSES: readonly CheckStatus[] = ['ok', 'warning', 'problem', 'unknown'];

const countOf = (checks: readonly Check[], status: CheckStatus): number =>
  checks.filter((each) => each.status === status).length;

/** Each right: `allowed` is null if the API server did not say. */
const rightsJson = ({ rights }: Facts) =>
  rights.map(({ right, isAllowed }) => ({
    right: rightText(right),
    in: right.in,
    allowed: 'value' in isAllowed ? isAllowed.value : null,
    neededFor: right.for,
  }));
