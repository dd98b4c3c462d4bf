import { ThreadLooks } from './looks.ts';
import { isOffCpu } from './off-cpu.ts';

/** A container with the names that the runtime has for it. */
export interface NamedContainer {
  readonly id: string;
  readonly podUid: string;
  readonly namespace: string;
  readonly pod: string;
  readonly name: string;
}

type Five = [string, string, string, string, string];

/** What the lines with a `#` before the samples and behind them say. */
export class CommentLines {
  /** `# key : value` of `--header`; the first of each key. */
  readonly header = new Map<string, string>();
  /** Names of containers, which the node's script prints (collectors/perf/text.sh). */
  readonly containers: NamedContainer[] = [];
  /** Of a recording of waits: what its threads did at its start and at its end. */
  readonly looks = new ThreadLooks();

  /** Keeps what a line says. Returns whether it is the command of a recording of waits. */
  read(text: string): boolean {
    if (this.looks.read(text)) return false;
    const container = /^# container: ([0-9a-f]{64}) (\S+) (\S+) (\S+) (\S+)$/.exec(text);
    if (container) {
      const [, id, podUid, namespace, pod, name] = container as unknown as [string, ...Five];
      this.containers.push({ id, podUid, namespace, pod, name });
      return false;
    }
    const fact = /^#\s*([a-z][\w ]*?)\s*:\s(.*)$/.exec(text);
    if (fact && !this.header.has(fact[1]!)) this.header.set(fact[1]!, fact[2]!.trim());
    return fact?.[1] === 'cmdline' && isOffCpu(fact[2]!);
  }
}
