import type { Process } from './proc.ts';

/** A process in its place among its relatives, with what `ps f` draws before its command. */
export interface Branch {
  readonly proc: Process;
  readonly drawn: string;
}

/** A process can have children as deep as it likes; below this, relatives are drawn beside each other. */
const DEEPEST = 100;

/**
 * Processes as a forest: each below its parent, where that is among them, relatives by pid. Drawn as procps draws it:
 * ` \_ ` before a child, and a line down past those whose brothers are still to come.
 */
export function forest(processes: readonly Process[]): Branch[] {
  const known = new Set(processes.map((each) => each.pid));
  const children = new Map<number, Process[]>();
  const roots: Process[] = [];
  for (const proc of processes) {
    const brothers = children.get(proc.ppid);
    if (!known.has(proc.ppid) || proc.ppid === proc.pid) roots.push(proc);
    else if (brothers) brothers.push(proc);
    else children.set(proc.ppid, [proc]);
  }
  const branches: Branch[] = [];
  const rest = roots.toReversed().map((proc) => ({ proc, above: '', depth: 0, last: true }));
  for (let next = rest.pop(); next; next = rest.pop()) {
    const { proc, above, depth, last } = next;
    branches.push({ proc, drawn: depth === 0 ? '' : `${above} \\_ ` });
    const below = depth === 0 || depth >= DEEPEST ? above : `${above}${last ? '    ' : ' |  '}`;
    const own = children.get(proc.pid) ?? [];
    for (let at = own.length - 1; at >= 0; at -= 1)
      rest.push({ proc: own[at]!, above: below, depth: depth + 1, last: at === own.length - 1 });
  }
  return branches;
}
