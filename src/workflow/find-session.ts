import type { Cluster } from '../cluster/cluster.ts';
import { clusterError } from '../errors.ts';
import { type ListedSession, listSessions } from '../session/session-list.ts';
import { printable } from '../text/printable.ts';

/** The sessions of this user, or of all users. Where the API server does not say who asks, all count as this user's. */
export async function sessionsOf(
  cluster: Cluster,
  namespace: string,
  isOfAll: boolean,
): Promise<ListedSession[]> {
  const user = isOfAll ? undefined : await cluster.whoAmI();
  return listSessions(cluster, namespace, ({ owner }) => user === undefined || owner === user);
}

/** Whether a word names a session: its id, the beginning of its id, or its pod with or without `pod/`. */
export function isNamed(word: string, { id, pod }: ListedSession): boolean {
  const name = word.replace(/^pods?\//, '');
  return pod === name || (name !== '' && id.startsWith(name));
}

/** The session that a word names. Throws for none and for several. */
export function namedSession(word: string, sessions: readonly ListedSession[]): ListedSession {
  const found = sessions.filter((each) => isNamed(word, each));
  const [only] = found;
  if (only && found.length === 1) return only;
  throw found.length === 0
    ? clusterError(
        `there is no session "${printable(word)}"`,
        'kubectl gkeprof sessions lists them; -A lists those of all users',
      )
    : clusterError(
        `${found.length} sessions begin with "${printable(word)}": ${found.map(({ id }) => id).join(', ')}`,
        'type more of the id',
      );
}

/** The session that is meant where none is named: the only one that there is. */
export function onlySession(sessions: readonly ListedSession[]): ListedSession {
  const [only] = sessions;
  if (only && sessions.length === 1) return only;
  throw sessions.length === 0
    ? clusterError('you have no session', 'begin one with: kubectl gkeprof flamegraph pod/NAME --detach')
    : clusterError(
        `you have ${sessions.length} sessions: ${sessions.map(({ id }) => id).join(', ')}`,
        'name one of them',
      );
}
