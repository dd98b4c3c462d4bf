import type { Context } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import type { RawOptions } from '../cli/option-spec.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { shownFlags } from '../cluster/connection.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { printResult } from '../output/result.ts';
import { type Plan, targetText } from '../plan/plan.ts';
import { beginSession } from '../session/session.ts';
import { counted, formatDuration } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';

/** Throws if a flag was typed that tells what to do with the recording, which a detached command never sees. */
export function checkDetach(raw: RawOptions, names: readonly string[]): void {
  const idle = raw.flag('detach') ? names.find((name) => raw.isTyped(name)) : undefined;
  if (idle === undefined) return;
  throw usageError(
    `--detach and --${idle} cannot be used together, because --detach does not wait for the recording`,
    `leave --${idle} out, and use render or analyze when the session is collected`,
  );
}

/** Begins one session for each debug pod, and prints how to collect them, as soon as the nodes record. */
export async function detach(
  pods: ReadonlyArray<readonly Plan[]>,
  collector: Collector,
  options: CaptureOptions,
  cluster: Cluster,
  context: Context,
): Promise<void> {
  const release = context.interrupts.hold();
  const begun = await Promise.allSettled(
    pods.map((plans) => {
      const log = pods.length > 1 ? context.log.of(plans[0]!.node) : context.log;
      return beginSession(plans, collector, { ...context, log, cluster });
    }),
  ).finally(release);
  context.log.end();
  const failed = begun.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (failed.length === pods.length) throw failed[0];
  const facts = pods
    .filter((_, at) => begun[at]!.status === 'fulfilled')
    .map((plans) => sessionFacts(plans, options));
  await printResult(
    context,
    options.format,
    () => (facts.length === 1 ? facts[0]! : { kind: 'DetachedSessions', version: 1, sessions: facts }),
    facts.map(({ session }) => session),
    () => facts.map(({ commands }) => `${commands.collect}\n`).join(''),
  );
  for (const { session, durationSeconds, keepSeconds, commands } of facts) {
    context.log.line(
      `session ${session} goes on without this command: it stops after ${formatDuration(durationSeconds)}, and then its file is kept for ${formatDuration(keepSeconds)}`,
    );
    context.log.line(`to follow it until it is collected: ${commands.attach}`);
  }
  if (failed.length > 0)
    throw new GkeprofError(
      EXIT.incomplete,
      `${counted(failed.length, 'node')} of ${pods.length} did not begin to record: ${failed.map(reasonOf).join('; ')}`,
    );
}

/** A session that was begun, as `-o json` has it. */
function sessionFacts(plans: readonly Plan[], { connection, debugPod }: CaptureOptions) {
  const plan = plans[0]!;
  const { id } = plan.session;
  const { durationSeconds, keepSeconds } = plan.limits;
  const flags = [
    ...shownFlags(connection),
    ...(debugPod.namespace === 'gkeprof' ? [] : [`--debug-namespace=${debugPod.namespace}`]),
  ];
  const line = (action: string) => [PROGRAM, 'sessions', action, id, ...flags.map(shellQuote)].join(' ');
  return {
    kind: 'Session',
    version: 1,
    session: id,
    target: targetText(plan.target),
    ...(plans.length > 1 && { targets: plans.map(({ target }) => targetText(target)) }),
    node: plan.node,
    debugPod: { namespace: debugPod.namespace, name: plan.debugPod.name },
    durationSeconds,
    keepSeconds,
    commands: { collect: line('collect'), attach: line('attach'), stop: line('stop') },
  };
}
