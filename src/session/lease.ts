import { ctlOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { Plan } from '../plan/plan.ts';
import { containerOf } from './debug-pod.ts';
import type { SessionContext } from './session-context.ts';

/**
 * Tells the node every so many milliseconds that this client is still there: without that `files` ends (node/files.sh),
 * and a command is hung up on (collectors/command/command.sh). A lease that cannot be renewed is no error here; whatever
 * needs the pod says what is wrong. `firstMs`: when it is told for the first time.
 */
export async function renewLease(
  plan: Plan,
  everyMs: number,
  { cluster, sleep }: SessionContext,
  until: AbortSignal,
  firstMs = everyMs,
): Promise<void> {
  for (let pause = firstMs; !until.aborted; pause = everyMs) {
    if (pause > 0) await sleep(pause, until).catch(() => {});
    if (!until.aborted)
      await cluster
        .exec(containerOf(plan, 'files'), request('lease', `${ctlOf(plan)}/lease`), until)
        .catch(() => {});
  }
}
