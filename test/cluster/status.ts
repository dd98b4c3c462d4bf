import { apiGet, isNodeReady } from './api.ts';
import { controlPlane } from './control-plane.ts';
import { KUBECONFIG } from './home.ts';
import { NODES } from './layout.ts';
import { isNetworkUp } from './network.ts';
import { containerd, kubelet } from './node.ts';
import { findDaemon, type ProcessIdentity, startedAt } from './processes.ts';

/** One thing that has to be up. */
type Line = { readonly name: string; readonly isUp: boolean; readonly detail: string };

/** What is up and what is not: the cluster is healthy when everything is. */
export async function status(): Promise<{ readonly lines: readonly Line[]; readonly healthy: boolean }> {
  const daemons = [...controlPlane(), ...NODES.flatMap((node) => [containerd(node), kubelet(node)])];
  const lines: Line[] = [];
  for (const daemon of daemons) {
    const process = await findDaemon(daemon);
    lines.push({
      name: daemon.name,
      isUp: process !== undefined,
      detail: process ? await describe(process) : 'not running',
    });
  }
  lines.push(await check('network', isNetworkUp(), 'bridge, cables and address translation'));
  lines.push(await check('API', apiGet('/readyz').then(Boolean), KUBECONFIG));
  for (const node of NODES) lines.push(await check(node.name, isNodeReady(node.name, 0), node.address));
  return { lines, healthy: lines.every((line) => line.isUp) };
}

async function describe(process: ProcessIdentity): Promise<string> {
  const since = new Date(await startedAt(process)).toISOString().slice(0, 19).replace('T', ' ');
  return `pid ${process.pid} since ${since} UTC`;
}

async function check(name: string, state: Promise<boolean>, detail: string): Promise<Line> {
  return { name, isUp: await state, detail };
}

export function renderStatus(lines: readonly Line[]): string {
  const width = Math.max(...lines.map((line) => line.name.length));
  return lines
    .map(({ name, isUp, detail }) => `${isUp ? 'up  ' : 'DOWN'}  ${name.padEnd(width)}  ${detail}\n`)
    .join('');
}
