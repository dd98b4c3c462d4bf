import { mkdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { controlPlane, ensureApiServer } from '../cluster/control-plane.ts';
import { NODES } from '../cluster/layout.ts';
import { containerd, ensureKubelet, enterNode, kubelet } from '../cluster/node.ts';
import { type Daemon, ensureDaemon, findDaemon } from '../cluster/processes.ts';
import { until } from '../cluster/waiting.ts';
import { KEEP_SECONDS } from '../faults/matrix.ts';
import { type Recording, wordsFor } from './fault-cell.ts';
import { finalFiles } from './final-files.ts';
import { kubectl, NAMESPACE, start } from './world.ts';

/** Faults of the whole node or of the API server's own process, which every session notices. */

const node = NODES[0]!;

async function endDaemon(daemon: Daemon): Promise<void> {
  const running = await findDaemon(daemon);
  process.kill(running!.pid, 'SIGKILL');
  await until(`the end of ${daemon.name}`, 30, async () => {
    if (await findDaemon(daemon)) return undefined;
    // The first thread may be a zombie while another one still ends, and until then its ports are in use.
    const threads = await readdir(`/proc/${running!.pid}/task`).catch(() => []);
    return threads.length <= 1 || undefined;
  });
}

export async function restartApiServer(): Promise<void> {
  await endDaemon(controlPlane().find(({ name }) => name === 'kube-apiserver')!);
  await ensureApiServer();
}

export async function restartKubelet(): Promise<void> {
  await endDaemon(kubelet(node));
  await ensureKubelet(node);
}

export async function restartContainerd(): Promise<void> {
  await endDaemon(containerd(node));
  await ensureDaemon(containerd(node));
}

/** Ends the kubelet, and starts it again when the cluster has found that the node does not answer. */
export async function loseNode({ restore }: Recording): Promise<void> {
  restore.push(() => ensureKubelet(node));
  await endDaemon(kubelet(node));
  await kubectl(['wait', `node/${node.name}`, '--for=condition=Ready=Unknown', '--timeout=180s']);
  await ensureKubelet(node);
}

/** Drains the node of debug pods, as an administrator drains it of everything. */
export async function drainNode(recording: Recording): Promise<void> {
  await recording.uid();
  recording.restore.push(() => kubectl(['uncordon', node.name]));
  const only = ['--pod-selector', 'app.kubernetes.io/managed-by=kubectl-gkeprof'];
  const allowed = ['--force', '--ignore-daemonsets', '--delete-emptydir-data'];
  await kubectl(['drain', node.name, ...only, ...allowed, '--timeout=120s']);
}

/** Nineteen other sessions of the same target at the same time: rejects if one of them does not get its file. */
export async function nineteenOthers({ folder, target }: Recording): Promise<void> {
  const [verb, ...flags] = wordsFor('create', KEEP_SECONDS);
  const others = Array.from({ length: 19 }, async (_, at) => {
    const own = `${folder}-${at}`;
    mkdirSync(own);
    const run = await start([verb!, target, '-n', NAMESPACE, '--output-dir', own, ...flags]);
    const states = finalFiles(own).map(({ state }) => state);
    if (run.exitCode !== 0 || !states.includes('same') || states.includes('broken'))
      throw new Error(`one of twenty ended with ${run.exitCode} and ${states.join(', ')}:\n${run.stderr}`);
  });
  await Promise.all(others);
}

/**
 * Gives a debug pod whose image is still being pulled a small disk for its files. The node's own disk is not filled. Both the
 * pod and the kubelet take the small one for it. Returns its folder, by its path on this machine.
 */
export async function giveSmallDisk(recording: Recording): Promise<string> {
  const scratch = 'volumes/kubernetes.io~empty-dir/scratch';
  const volume = join('/var/lib/kubelet/pods', await recording.uid(), scratch);
  const inNode = (...words: string[]) => {
    const [enter, ...rest] = [...enterNode(node), ...words];
    return execa(enter!, rest, { reject: words[0] !== 'umount' });
  };
  const { stdout: group } = await inNode('stat', '-c', '%g', volume);
  await inNode('mount', '-t', 'tmpfs', '-o', `size=64m,mode=2777,gid=${group}`, 'gkeprof-small', volume);
  recording.restore.push(() => inNode('umount', '--lazy', volume));
  const agent = await findDaemon(containerd(node));
  return join(`/proc/${agent!.pid}/root`, volume);
}
