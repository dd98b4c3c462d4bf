import type { Plan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { quoteFor } from '../text/shell-quote.ts';
import type { WaitsFacts } from '../waits/facts.ts';
import { groupWords } from '../waits/wording.ts';

/** A smaller share of a group's time does not stand out. */
const LEAST_SHARE = 0.05;

/**
 * The commands that find where in a program its threads wait for locks, if they do. /proc has the address of a lock, and of the
 * stack only the part in the kernel: the rest could only be read from a thread that is stopped, which would change what is measured.
 */
export function lockHint(
  { groups }: Pick<WaitsFacts, 'groups'>,
  { target }: Pick<Plan, 'target'>,
  windows: boolean,
): string | undefined {
  const time = (group: WaitsFacts['groups'][number]) => group.seconds * group.shares.lock;
  const [most] = groups
    .filter(({ shares }) => shares.lock >= LEAST_SHARE)
    .sort((one, other) => time(other) - time(one));
  if (!most || target.kind === 'node') return undefined;
  const words = [
    ...['kubectl', 'gkeprof', 'flamegraph', `pod/${target.name}`],
    ...(target.container ? ['-c', target.container.name] : []),
    ...['-n', target.namespace, '--off-cpu'],
  ];
  const command = words.map(quoteFor(windows)).join(' ');
  return `where in the program ${printable(groupWords(most))} waited for locks: ${command}; then only these waits: kubectl gkeprof render @last --include futex`;
}
