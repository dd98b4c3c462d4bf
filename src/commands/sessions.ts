import { CLUSTER_OPTIONS, connectionOf } from '../cli/cluster-options.ts';
import type { Command, Context } from '../cli/command.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS, debugNamespace, OUTPUT_DIR, VERBOSE, writableFolder } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Connection } from '../cluster/connection.ts';
import { clusterError, EXIT, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { SCRATCH } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { planOfPod } from '../session/plan-of-pod.ts';
import { resumeSession } from '../session/session.ts';
import { type ListedSession, listSessions, sessionLine } from '../session/session-list.ts';
import { humanAge } from '../snapshot/age.ts';
import { printable } from '../text/printable.ts';
import { counted, formatBytes } from '../text/quantity.ts';
import { presentCollected } from '../workflow/collect-session.ts';
import { isNamed, namedSession, onlySession, sessionsOf } from '../workflow/find-session.ts';
import { prepareFolder } from '../workflow/output-folder.ts';

const ACTIONS = ['list', 'attach', 'stop', 'collect', 'delete'] as const;
type Action = (typeof ACTIONS)[number];

interface SessionsOptions {
  readonly connection: Connection;
  readonly namespace: string;
  readonly action: Action;
  readonly words: readonly string[];
  readonly isOfAll: boolean;
  readonly isExpired: boolean;
  readonly outputDir: string;
  readonly format: OutputFormat;
}

const GROUP = 'Sessions:';

const OPTIONS: OptionTable = {
  'all-users': {
    type: 'boolean',
    alias: 'A',
    describe: 'List the sessions of all users, not only your own',
    group: GROUP,
    notPresettable: true,
  },
  expired: {
    type: 'boolean',
    describe: 'With delete: all sessions that have ended, whose files are gone',
    group: GROUP,
    notPresettable: true,
  },
  output: outputOption(
    'the ids of the sessions, or the files that were written',
    'the owner, the debug pod and what it does',
    GROUP,
  ),
  ...OUTPUT_DIR,
  'debug-namespace': DEBUG_POD_OPTIONS['debug-namespace']!,
  ...VERBOSE,
  ...CLUSTER_OPTIONS,
};

export const sessions: Command<SessionsOptions> = {
  name: 'sessions',
  describe: 'List recordings that go on without their command; attach, stop, collect or delete them',
  details: [
    'A recording runs in its debug pod. It goes on if the command that began it is gone: because it was started with --detach, or because it was killed or lost its connection. It stops by its own limits, its file is kept for as long as --keep said, and then the pod ends by itself.',
    'attach follows a session to its end, just as the command that began it would have done: Ctrl-C stops the recording and collects it. collect downloads the file of a session that has finished. Both verify the file, write its receipt, and delete the debug pod. stop ends a recording now, and its file waits to be collected. SESSION is the id, the beginning of the id, or the name of the debug pod; attach, stop and collect need none if you have only one session.',
  ],
  usage: '[list|attach|stop|collect|delete] [SESSION…] [flags]',
  args: { noun: 'session', min: 0 },
  examples: [
    ['kubectl gkeprof sessions', 'List your sessions'],
    ['kubectl gkeprof sessions collect 4f1c0a9b2e', 'Download the file of a session that has finished'],
    ['kubectl gkeprof sessions attach', 'Follow the only session to its end, and collect it'],
    ['kubectl gkeprof sessions stop 4f1c', 'Stop a recording now; its file waits to be collected'],
    ['kubectl gkeprof sessions delete --expired', 'Delete the debug pods of sessions whose files are gone'],
  ],
  options: OPTIONS,
  subcommands: ACTIONS,

  validate(raw) {
    const [first = 'list', ...words] = raw.positionals;
    const action = ACTIONS.find((each) => each === first);
    if (!action)
      throw usageError(
        `sessions: unknown subcommand "${printable(first)}"`,
        `the subcommands are ${ACTIONS.join(', ')}: kubectl gkeprof sessions list`,
      );
    const isExpired = raw.flag('expired');
    if (isExpired && action !== 'delete')
      throw usageError('--expired needs delete', 'kubectl gkeprof sessions delete --expired');
    if (action === 'list' && words.length > 0)
      throw usageError('sessions list takes no session', 'leave it out');
    if (action !== 'list' && action !== 'delete' && words.length > 1)
      throw usageError(`sessions ${action} takes one session`, 'name one of them');
    if (action === 'delete' && words.length > 0 === isExpired)
      throw usageError(
        isExpired ? 'a session and --expired cannot be used together' : 'sessions delete: missing session',
        isExpired ? 'leave one of them out' : 'name one, or use --expired',
      );
    const isCollecting = action === 'attach' || action === 'collect';
    return {
      connection: connectionOf(raw),
      namespace: debugNamespace(raw),
      action,
      words,
      isOfAll: raw.flag('all-users'),
      isExpired,
      outputDir: isCollecting ? writableFolder(raw.text('output-dir') ?? '.') : '.',
      format: outputFormatOf(raw, { wide: true }),
    };
  },

  async run(options, context) {
    const cluster = await context.openCluster(options.connection);
    return RUN[options.action](options, cluster, context);
  },
};

type Run = (options: SessionsOptions, cluster: Cluster, context: Context) => Promise<number>;

const RUN: Readonly<Record<Action, Run>> = {
  list,
  attach: collect,
  collect,
  stop,
  delete: remove,
};

async function list(options: SessionsOptions, cluster: Cluster, context: Context): Promise<number> {
  const { namespace, isOfAll, format } = options;
  const found = await sessionsOf(cluster, namespace, isOfAll);
  const isWide = format.kind === 'wide';
  await printResult(
    context,
    format,
    () => ({ kind: 'SessionList', version: 1, sessions: found.map(sessionFacts) }),
    found.map(({ id }) => id),
    () => (found.length === 0 ? '' : sessionTable(found, isWide, isOfAll, context.now())),
  );
  if (found.length === 0)
    context.log.line(`there are no sessions${isOfAll ? '' : ' of yours'} in namespace ${namespace}`);
  return EXIT.done;
}

/** A session as `-o json` has it: times as ISO 8601. */
const sessionFacts = ({ createdAt, endsAt, expiresAt, scratch: _scratch, ...rest }: ListedSession) => ({
  ...rest,
  createdAt: new Date(createdAt).toISOString(),
  ...(endsAt !== undefined && { endsAt: new Date(endsAt).toISOString() }),
  ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
});

function sessionTable(
  found: readonly ListedSession[],
  isWide: boolean,
  isOfAll: boolean,
  now: number,
): string {
  const until = (at: number | undefined) =>
    at === undefined ? '-' : at <= now ? 'now' : `in ${humanAge(at - now)}`;
  return table(
    [
      { title: 'SESSION' },
      { title: 'NAMESPACE' },
      { title: 'TARGET', longest: 50 },
      { title: 'NODE', longest: 50 },
      { title: 'STATE' },
      { title: 'AGE' },
      { title: 'SIZE', right: true },
      { title: 'ENDS' },
      { title: 'EXPIRES' },
      ...(isWide || isOfAll ? [{ title: 'OWNER' }] : []),
      ...(isWide ? [{ title: 'DEBUG POD' }, { title: 'WHAT' }] : []),
    ],
    found.map((each) => [
      each.id,
      each.targetNamespace ?? '-',
      each.target,
      each.node,
      each.state,
      humanAge(now - each.createdAt),
      each.bytes === undefined ? '-' : formatBytes(each.bytes),
      until(each.endsAt),
      until(each.expiresAt),
      ...(isWide || isOfAll ? [each.owner ?? '-'] : []),
      ...(isWide ? [each.pod, each.what] : []),
    ]),
  );
}

/** The one session that the command is about. */
async function chosen({ words, namespace }: SessionsOptions, cluster: Cluster): Promise<ListedSession> {
  const [word] = words;
  if (word !== undefined)
    return namedSession(word, await listSessions(cluster, namespace, (each) => isNamed(word, each)));
  const own = await sessionsOf(cluster, namespace, false);
  return onlySession(own.filter(({ state }) => !GONE.has(state)));
}

/** States in which there is no file, and there will be none. */
const GONE: ReadonlySet<ListedSession['state']> = new Set(['ended', 'deleting']);

/** Follows a session to its end and collects it; `collect` takes only one that has finished. */
async function collect(options: SessionsOptions, cluster: Cluster, context: Context): Promise<number> {
  const { action, namespace, outputDir, format } = options;
  const session = await chosen(options, cluster);
  const { id, state } = session;
  if (GONE.has(state))
    throw clusterError(
      `session ${id} has ended, and its file is gone`,
      'record again; --keep says how long the node keeps a file',
    );
  if (action === 'collect' && (state === 'starting' || state === 'capturing'))
    throw clusterError(
      `session ${id} has not finished: it is ${state}`,
      `to wait for its end and collect it: ${sessionLine('attach', id, namespace, cluster)}; to end it now: ${sessionLine('stop', id, namespace, cluster)}`,
    );
  const found = planOfPod(await cluster.readPod(namespace, session.pod));
  const { plan, plans, collector } = found;
  await prepareFolder(outputDir, context);
  const more = plans.length > 1 ? `; the same of ${counted(plans.length - 1, 'more target')}` : '';
  context.log.line(`session ${id} on ${plan.node}: ${collector.describe(plan)}${more}`);
  const release = context.interrupts.hold();
  const isOver = state === 'finished' || state === 'failed';
  const outcomes = await resumeSession(found, outputDir, { ...context, cluster }, isOver)
    .catch((error: unknown) => {
      throw stillThere(error, session, context);
    })
    .finally(release);
  if (context.interrupts.stop.aborted && outcomes.every((each) => 'error' in each))
    stillThere(undefined, session, context);
  return presentCollected(id, outcomes, format, cluster, context);
}

/** After Ctrl-C nothing was deleted, so the user is told how to go on. */
function stillThere(error: unknown, { id }: ListedSession, { interrupts, log }: Context): unknown {
  log.end();
  if (interrupts.stop.aborted)
    log.line(`session ${id} stays on the node: kubectl gkeprof sessions shows until when`);
  return error;
}

async function stop(options: SessionsOptions, cluster: Cluster, context: Context): Promise<number> {
  const session = await chosen(options, cluster);
  const { id, state, pod, scratch } = session;
  if (state !== 'capturing' && state !== 'starting')
    throw clusterError(`session ${id} is ${state}, so there is nothing to stop`, 'kubectl gkeprof sessions');
  const ref = { namespace: options.namespace, pod, container: 'files' };
  const { exitCode, stderr } = await cluster.exec(ref, request('stop', `${SCRATCH[scratch]}/ctl/stop`));
  if (exitCode !== 0)
    throw clusterError(
      `session ${id} could not be stopped: ${printable(stderr)}`,
      'kubectl gkeprof sessions',
    );
  const line = sessionLine('attach', id, options.namespace, cluster);
  context.stdout.write(`session ${id} stops; to get its file: ${line}\n`);
  return EXIT.done;
}

/** Deletes the debug pods of sessions, with their files. A name that is no session takes nothing from the others, as with kubectl. */
async function remove(options: SessionsOptions, cluster: Cluster, context: Context): Promise<number> {
  const { namespace, words, isExpired } = options;
  const found = isExpired
    ? await sessionsOf(cluster, namespace, options.isOfAll)
    : await listSessions(cluster, namespace, (each) => words.some((word) => isNamed(word, each)));
  const failures: unknown[] = [];
  const named = words.flatMap((word) => {
    try {
      return [namedSession(word, found)];
    } catch (error) {
      failures.push(error);
      return [];
    }
  });
  const wanted = isExpired ? found.filter(({ state }) => state === 'ended') : [...new Set(named)];
  if (isExpired && wanted.length === 0) context.log.line('no session has expired');
  let deleted = 0;
  for (const { id, pod } of wanted) {
    try {
      await cluster.deletePod(namespace, pod, 5);
      context.stdout.write(`session ${id} deleted\n`);
      deleted += 1;
    } catch (error) {
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) return EXIT.done;
  if (deleted === 0 && others.length === 0) throw first;
  throw new GkeprofError(
    deleted === 0 ? EXIT.cluster : EXIT.incomplete,
    `${counted(failures.length, 'session was', 'sessions were')} not deleted: ${failures.map(reasonOf).join('; ')}`,
    'kubectl gkeprof sessions lists them; -A lists those of all users',
  );
}
