import type { Process } from './proc.ts';

/** A process in its place among its relatives, with what `ps f` draws before its command. */
export interface Branch {
  readonly proc: Process;
  readonly drawn: string;
}

/**
 * Processes as a forest: each below its parent, where that is among them, relatives by pid. Drawn as procps draws it:
 * ` \_ ` before a child, and a line down past those whose brothers are still to come.
 */
export function forest(processes: readonly Process[]): Branch[] {
  const known = new Set(processes.map((each) => each.pid));
  const children = new Map<number, Process[]>();
  const roots: Process[] = [];
  for (const proc of processes) {
    if (!known.has(proc.ppid) || proc.ppid === proc.pid) roots.push(proc);
    else children.set(proc.ppid, [...(children.get(proc.ppid) ?? []), proc]);
  }
  const branches: Branch[] = [];
  const grow = (proc: Process, above: string, depth: number, last: boolean) => {
    branches.push({ proc, drawn: depth === 0 ? '' : `${above} \\_ ` });
    const below = depth === 0 ? '' : `${above}${last ? '    ' : ' |  '}`;
    const own = children.get(proc.pid) ?? [];
    own.forEach((child, at) => {
      grow(child, below, depth + 1, at === own.length - 1);
    });
  };
  for (const root of roots) grow(root, '', 0, true);
  return branches;
}
