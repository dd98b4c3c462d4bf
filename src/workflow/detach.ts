import type { Context } from '../cli/command.ts';
import type { RawOptions } from '../cli/option-spec.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Collector } from '../collectors/collector.ts';
import { EXIT, GkeprofError, reasonOf, usageError } from '../errors.ts';
import { printResult } from '../output/result.ts';
import type { Plan } from '../plan/plan.ts';
import { type FailedTarget, failedTarget, namedInResult, podText } from '../report/failed-target.ts';
import { beginSession } from '../session/session.ts';
import type { SessionContext } from '../session/session-context.ts';
import { sessionLine } from '../session/session-list.ts';
import { counted, formatDuration } from '../text/quantity.ts';

/** Throws if a flag was typed that tells what to do with the recording, which a detached command never sees. */
export function checkDetach(raw: RawOptions, names: readonly string[]): void {
  const idle = raw.flag('detach') ? names.find((name) => raw.isTyped(name)) : undefined;
  if (idle === undefined) return;
  throw usageError(
    `--detach and --${idle} cannot be used together, because --detach does not wait for the recording`,
    `leave --${idle} out, and use render or analyze when the session is collected`,
  );
}

/**
 * Begins one session for each debug pod, and prints how to collect them, as soon as the nodes record. `passed` are targets that
 * are left out. Rejects with exit code 5 if anything of what the user named is not recorded.
 */
export async function detach(
  pods: ReadonlyArray<readonly Plan[]>,
  passed: readonly FailedTarget[],
  collector: Collector,
  options: CaptureOptions,
  cluster: Cluster,
  context: Context & Pick<SessionContext, 'stacks'>,
): Promise<void> {
  const release = context.interrupts.hold();
  const begun = await Promise.allSettled(
    pods.map((plans) => {
      const log = pods.length > 1 ? context.log.of(plans[0]!.node) : context.log;
      return beginSession(plans, collector, { ...context, log, cluster }).catch((error: unknown) => {
        context.stacks?.without(plans[0]);
        throw error;
      });
    }),
  ).finally(release);
  context.log.end();
  const problems = begun.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  if (problems.length === pods.length) throw problems[0];
  const missing = begun.flatMap((each, at) =>
    each.status === 'fulfilled'
      ? each.value
      : pods[at]!.map((plan) => ({ plan, error: each.reason as unknown })),
  );
  for (const { plan, error } of missing) {
    context.log.warn(`${podText(plan)} is not recorded: ${reasonOf(error)}`);
    if (error instanceof GkeprofError && error.hint !== undefined) context.log.hint(error.hint);
  }
  const facts = pods
    .map((plans) => plans.filter((plan) => missing.every((each) => each.plan !== plan)))
    .filter((plans) => plans.length > 0)
    .map((plans) => sessionFacts(plans, cluster));
  const failed = [...passed, ...missing.map(({ plan, error }) => failedTarget(plan, error))];
  await printResult(
    context,
    options.format,
    () =>
      facts.length === 1 && failed.length === 0
        ? facts[0]!
        : { kind: 'DetachedSessions', version: 1, sessions: facts, failed },
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
      `${failed.length} of ${counted(passed.length + pods.flat().length, 'target')} ${failed.length === 1 ? 'is' : 'are'} not recorded`,
      'the reasons stand above; the sessions of the others go on',
    );
}

/** A session that was begun, as `-o json` has it. */
function sessionFacts(plans: readonly Plan[], cluster: Cluster) {
  const plan = plans[0]!;
  const { id } = plan.session;
  const { target, namespace } = namedInResult(plan);
  const { durationSeconds, keepSeconds } = plan.limits;
  const { namespace: where, name } = plan.debugPod;
  const line = (action: Parameters<typeof sessionLine>[0]) => sessionLine(action, id, where, cluster);
  return {
    kind: 'Session',
    version: 1,
    session: id,
    target,
    ...(namespace !== undefined && { targetNamespace: namespace }),
    ...(plans.length > 1 && { targets: plans.map(namedInResult) }),
    node: plan.node,
    debugPod: { namespace: where, name },
    durationSeconds,
    keepSeconds,
    commands: { collect: line('collect'), attach: line('attach'), stop: line('stop') },
  };
}
