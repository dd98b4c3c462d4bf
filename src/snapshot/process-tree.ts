import type { Process } from './proc.ts';

/** A process in the forest, with what `ps f` draws before its command. */
export interface Branch {
  readonly proc: Process;
  readonly drawn: string;
}

/** Processes can be nested without limit; below this depth they are drawn without further indentation. */
const DEEPEST = 100;

/**
 * Processes as a forest: each below its parent if that is among them, children of one parent by pid. It is drawn as procps
 * does: ` \_ ` before a child, and a vertical line where more children of the same parent follow.
 */
export function forest(processes: readonly Process[]): Branch[] {
  const known = new Set(processes.map((each) => each.pid));
  const children = new Map<number, Process[]>();
  const roots: Process[] = [];
  for (const proc of processes) {
    const siblings = children.get(proc.ppid);
    if (!known.has(proc.ppid) || proc.ppid === proc.pid) roots.push(proc);
    else if (siblings) siblings.push(proc);
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
