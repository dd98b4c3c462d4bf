/** What a frame is of. Said beside its name, never glued to it. `thread`: the thread's name, below the root. */
export type FrameKind = 'thread' | 'user' | 'kernel' | 'jit' | 'inlined';

export interface Frame {
  readonly name: string;
  readonly kind: FrameKind;
  /** The object it is in, as perf names it; empty when perf did not say. */
  readonly dso: string;
  /** perf found no symbol: the name is that of the object, `[libc.so.6]`, as FlameGraph has it. */
  readonly unknown: boolean;
}

/** Brackets that are not the kernel's: memory areas of a process (Linux fs/proc/task_mmu.c, mm names). */
const USER_AREA = /^\[(?:vdso|vsyscall|vvar|heap|stack|anon|unknown|uprobes|JIT\b|:)/;

function kindOf(dso: string, address: string): FrameKind {
  if (dso === 'inlined') return 'inlined';
  if (/(?:^|\/)perf-\d+\.map$|(?:^|\/)jitted-\d+-\d+\.so$|^\[JIT\]/.test(dso)) return 'jit';
  if (/^\[.*\]$/.test(dso)) {
    if (dso === '[unknown]') return isKernelAddress(address) ? 'kernel' : 'user';
    return USER_AREA.test(dso) ? 'user' : 'kernel';
  }
  return /\.ko(?:\.\w+)?$|(?:^|\/)vmlinux[^/]*$/.test(dso) ? 'kernel' : 'user';
}

/** The upper half of the address space is the kernel's on x86-64 and arm64. */
const isKernelAddress = (address: string): boolean => address.length === 16 && /^[89a-f]/.test(address);

/**
 * A line of a call chain as `perf script` prints it: `<hex address> <symbol>+0x<offset> (<dso>)`
 * (Linux tools/perf/util/evsel_fprintf.c, sample__fprintf_callchain). Read from the right: a symbol may hold
 * anything, brackets included, and so may a path (`/opt/my app/x (deleted)`). Undefined when it is no such line.
 */
export function parseFrame(line: string): Frame | undefined {
  const head = /^\s*([0-9a-f]+)(?:\s+|$)/.exec(line);
  if (!head) return undefined;
  const rest = line.slice(head[0].length).trimEnd();
  // Most lines have an offset, and behind it nothing but the object: no need to look for its bracket.
  const plain = /^(.*?)\+0x[0-9a-f]+ \((.*)\)$/.exec(rest);
  const open = plain ? -1 : openingBracket(rest);
  const dso = plain ? plain[2]! : open < 0 ? '' : rest.slice(open + 1, -1);
  const symbol = plain
    ? plain[1]!
    : (open < 0 ? rest : rest.slice(0, open)).trim().replace(/\+0x[0-9a-f]+$/, '');
  const file = dso.replace(/ \(deleted\)$/, '');
  const unknown = symbol === '' || symbol === '[unknown]';
  return { name: unknown ? objectName(file) : symbol, kind: kindOf(file, head[1]!), dso, unknown };
}

function objectName(file: string): string {
  if (file === '') return '[unknown]';
  return file.startsWith('[') ? file : `[${file.slice(file.lastIndexOf('/') + 1)}]`;
}

/** Where the bracket opens that the line's last one closes; -1 without one. */
function openingBracket(text: string): number {
  if (!text.endsWith(')')) return -1;
  let depth = 0;
  for (let at = text.length - 1; at >= 0; at -= 1) {
    if (text[at] === ')') depth += 1;
    else if (text[at] === '(') depth -= 1;
    if (depth === 0) return at === 0 || text[at - 1] === ' ' ? at : -1;
  }
  return -1;
}
