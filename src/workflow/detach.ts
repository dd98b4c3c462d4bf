import type { Context } from '../cli/command.ts';
import { PROGRAM } from '../cli/help.ts';
import type { RawOptions } from '../cli/option-spec.ts';
import type { CaptureOptions } from '../cli/options.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { shownFlags } from '../cluster/connection.ts';
import type { Collector } from '../collectors/collector.ts';
import { usageError } from '../errors.ts';
import { printResult } from '../output/result.ts';
import { type Plan, targetText } from '../plan/plan.ts';
import { beginSession } from '../session/session.ts';
import { formatDuration } from '../text/quantity.ts';
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

/** Begins a session and prints how to collect it, as soon as the node records. */
export async function detach(
  plan: Plan,
  collector: Collector,
  { connection, debugPod, format }: CaptureOptions,
  cluster: Cluster,
  context: Context,
): Promise<void> {
  const release = context.interrupts.hold();
  await beginSession(plan, collector, { ...context, cluster }).finally(release);
  const { id } = plan.session;
  const { durationSeconds, keepSeconds } = plan.limits;
  const flags = [
    ...shownFlags(connection),
    ...(debugPod.namespace === 'gkeprof' ? [] : [`--debug-namespace=${debugPod.namespace}`]),
  ];
  const line = (action: string) => [PROGRAM, 'sessions', action, id, ...flags.map(shellQuote)].join(' ');
  const command = { collect: line('collect'), attach: line('attach'), stop: line('stop') };
  await printResult(
    context,
    format,
    () => ({
      kind: 'Session',
      version: 1,
      session: id,
      target: targetText(plan.target),
      node: plan.node,
      debugPod: { namespace: debugPod.namespace, name: plan.debugPod.name },
      durationSeconds,
      keepSeconds,
      commands: command,
    }),
    [id],
    () => `${command.collect}\n`,
  );
  context.log.line(
    `session ${id} goes on without this command: it stops after ${formatDuration(durationSeconds)}, and then its file is kept for ${formatDuration(keepSeconds)}`,
  );
  context.log.line(`to follow it until it is collected: ${command.attach}`);
}
