import { execa } from 'execa';
import { gkeprof, world } from './world.ts';

/** A process as `ps -o json` and `whois -o json` have it. */
export interface ProcessJson {
  readonly pid: number;
  readonly ppid: number;
  readonly nsPid: number;
  readonly uid: number;
  readonly what: string;
  readonly container?: string;
  readonly containerId?: string;
  readonly sandboxId?: string;
  readonly pod?: string;
  readonly namespace?: string;
  readonly podUid?: string;
  readonly ips: readonly string[];
  readonly qos?: string;
  readonly argv: readonly string[];
  readonly tty: string;
  readonly vszBytes: number;
}

/** The kubelet of a node, by its pid. */
export async function kubeletOf(node: string): Promise<string> {
  const { stdout } = await execa('pgrep', ['-f', `kubelet .*--hostname-override=${node}`]);
  return stdout.split('\n')[0]!;
}

/** crictl on a node, by way of its kubelet: the runtime's own answer, without us. */
export async function crictl(node: string, ...words: string[]): Promise<string> {
  const endpoint = `unix:///proc/${await kubeletOf(node)}/root/run/containerd/containerd.sock`;
  const result = await execa(`${world().binDir}/crictl`, ['--config', '/dev/null', '-r', endpoint, ...words]);
  return result.stdout;
}

/** `crictl ps -o json`. */
export interface RuntimeJson {
  readonly containers: ReadonlyArray<{
    readonly id: string;
    readonly podSandboxId: string;
    readonly metadata: { readonly name: string };
    readonly labels: Readonly<Record<string, string>>;
  }>;
}

/** What a command prints with `-o json`; fails when the command does. */
export const json = async <T>(...words: string[]): Promise<T> => {
  const run = await gkeprof([...words, '-o', 'json']);
  if (run.code !== 0) throw new Error(`${run.code}: ${run.stderr}`);
  return JSON.parse(run.stdout) as T;
};

/** As much of an id as crictl prints. */
export const own = (text: string, width = 13) => text.slice(0, width);
