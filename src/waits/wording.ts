import type { GroupFacts, NeighbourFacts, PeerFacts, WaitFacts } from './facts.ts';

/** A share of 0 to 1 for people: `12.3 %`; `0 %` only where it is 0. */
export function shareText(share: number): string {
  if (share <= 0) return '0 %';
  return share < 0.0005 ? '<0.1 %' : `${(100 * share).toFixed(1)} %`;
}

/** What is waited for: `to pod/postgres-0:5432`, `from pod/web-1 on port 6379`, `/data/file`. */
export function waitText({ peer, what }: Pick<WaitFacts, 'peer' | 'what'>): string {
  return peer ? peerText(peer) : (what ?? 'not known');
}

function peerText(peer: PeerFacts): string {
  const { name, address, port, protocol, direction } = peer;
  const udp = protocol === 'udp' ? ' (UDP)' : '';
  if (direction === 'in') {
    const on = port === undefined ? '' : ` on port ${port}`;
    return `from ${name ?? address ?? 'an unknown address'}${on}${udp}`;
  }
  return `to ${hostAndPort(peer)}${udp}`;
}

/** `pod/postgres-0:5432`, `10.0.0.9:5432`, `[fd00::1]:5432`. */
function hostAndPort({ name, address, port }: PeerFacts): string {
  const host = name ?? (address?.includes(':') ? `[${address}]` : address) ?? 'an unknown address';
  return port === undefined ? host : `${host}:${port}`;
}

/** What a thread waits for, in a sentence: `pod/postgres-0:5432`, `its client pod/web-1 on port 6379`. */
export const peerWords = ({ peer, what }: Pick<WaitFacts, 'peer' | 'what'>): string =>
  peer
    ? peerText(peer)
        .replace(/^to /, '')
        .replace(/^from /, 'its client ')
    : (what ?? 'an unknown peer');

/** `the 50 threads pool-N-thread-N`, `the thread redis-server`. */
export const groupWords = ({ name, threads }: Pick<GroupFacts, 'name' | 'threads'>): string =>
  threads === 1 ? `the thread ${name}` : `the ${threads} threads ${name}`;

/** `stress of pod/neighbour`. */
export const neighbourText = ({ name, pod, container }: NeighbourFacts): string =>
  `${name ?? 'a process'} of ${pod ?? (container === undefined ? 'the node' : `container ${container}`)}`;

/** A CPU limit as Kubernetes writes it: `200m`, `2`. */
export const cpuQuantity = (cores: number): string =>
  Number.isInteger(cores) ? String(cores) : `${Math.round(cores * 1000)}m`;
