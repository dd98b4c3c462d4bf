/**
 * The kind of code of a frame. It is kept beside the name, never appended to it. `thread`: the thread's name, below the
 * root. `state`: why a thread was off the CPU, below that. `script`: a function that an interpreter runs.
 */
export type FrameKind = 'thread' | 'state' | 'user' | 'kernel' | 'jit' | 'script' | 'inlined';

export interface Frame {
  readonly name: string;
  readonly kind: FrameKind;
  /** The object (dso) of the function, as perf prints it; empty if perf did not print it. */
  readonly dso: string;
  /** perf found no symbol. The name is then that of the object, `[libc.so.6]`, as in FlameGraph. */
  readonly unknown: boolean;
}

/**
 * Brackets that are not the kernel's: memory areas of a process (Linux fs/proc/task_mmu.c, mm names), addresses in no
 * object, which unwinding without frame pointers makes up, high ones too, and the end of a stack that could not be walked to
 * its start (image/unwinder/text.go).
 */
const USER_AREA = /^\[(?:vdso|vsyscall|vvar|heap|stack|anon|unknown|uprobes|JIT\b|unwinding ended|:)/;
/** The file names of JIT maps: those that perf reads (Linux tools/perf/util/symbol.c) and writes (util/jitdump.c). */
const JIT_FILE = /(?:^|\/)perf-\d+\.map$|(?:^|\/)jitted-\d+-\d+\.so$|^\[JIT\]/;
/** Kernel modules, the kernel image, and compiled BPF programs (Linux kernel/bpf/core.c, trampoline.c: ksymbol names). */
const KERNEL_FILE = /\.ko(?:\.\w+)?$|(?:^|\/)vmlinux[^/]*$|^bpf_(?:prog|trampoline|dispatcher)_/;

/** What image/unwinder/text.go writes before the source file of a function: the language of an interpreter, or of a JIT. */
const SCRIPT = /^\[(?:python|ruby|php|perl)\]/;
const COMPILED = /^\[(?:java|javascript|dotnet|beam)\]/;

/** The kind of a frame of this object. */
export function frameKindOf(dso: string): FrameKind {
  if (dso === 'inlined') return 'inlined';
  if (SCRIPT.test(dso)) return 'script';
  if (COMPILED.test(dso)) return 'jit';
  if (JIT_FILE.test(dso)) return 'jit';
  if (/^\[.*\]/.test(dso)) return USER_AREA.test(dso) ? 'user' : 'kernel';
  return KERNEL_FILE.test(dso) ? 'kernel' : 'user';
}

/**
 * A line of a call chain as `perf script` prints it: `<hex address> <symbol>+0x<offset> (<dso>)`
 * (Linux tools/perf/util/evsel_fprintf.c, sample__fprintf_callchain). Read from the right: a symbol may hold
 * anything, brackets included, and so may a path (`/opt/my app/x (deleted)`).
 *
 * The frames of the line, the caller first: perf-map-agent writes what a JIT inlined as `caller->callee`. None for a
 * process's name in brackets, which is no frame; undefined when it is no such line.
 */
export function parseFrameLine(line: string): readonly Frame[] | undefined {
  const head = /^\s*([0-9a-f]+)(?:\s+|$)/.exec(line);
  if (!head) return undefined;
  const rest = line.slice(head[0].length).trimEnd();
  // Most lines have an offset, and behind it nothing but the object, whatever brackets its path holds.
  const plain = /^(.*?)\+0x[0-9a-f]+ \((.*)\)$/.exec(rest);
  const open = plain ? -1 : openingBracket(rest);
  const object = plain ? plain[2]! : open < 0 ? '' : rest.slice(open + 1, -1);
  // With the field dsoff the place in the file stands behind the object. It is not a part of it: all that has no name in one
  // object is one function.
  const dso = object.replace(/(?<=.)\+0x[0-9a-f]+$/, '');
  // One blank stands before the bracket: others are the symbol's, such as of a JIT's `RegExp:^ `.
  const symbol = plain
    ? plain[1]!
    : (open < 0 ? rest : rest.slice(0, Math.max(0, open - 1))).replace(/\+0x[0-9a-f]+$/, '');
  const file = dso.replace(/ \(deleted\)$/, '');
  const kind = frameKindOf(file);
  if (symbol.trim() === '' || symbol === '[unknown]')
    return [{ name: objectName(file), kind, dso, unknown: true }];
  if (/^\([^()]*\)$/.test(symbol)) return [];
  const split = kind === 'jit' ? symbol.split('->').filter((part) => part !== '') : [];
  const parts = split.length ? split : [symbol];
  return parts.map((part, at) => ({
    name: shortName(part, kind === 'jit'),
    kind: at > 0 ? 'inlined' : kind,
    dso,
    unknown: false,
  }));
}

/** As stackcollapse-perf.pl names it, its own brackets around whatever perf printed: `[libc.so.6]`, `[[vdso]]`. */
function objectName(file: string): string {
  if (file === '' || file === '[unknown]') return '[unknown]';
  return `[${file.slice(file.lastIndexOf('/') + 1)}]`;
}

/** The position of the bracket that the last one of the line closes; -1 if there is none. */
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

/** A name of C++, Rust or D that is still mangled. */
export const isMangled = (name: string): boolean => /^(?:_{1,3}Z[A-Z0-9]|_R[A-Z]|_D\d)\w+/.test(name);

/**
 * A symbol without its arguments, as stackcollapse-perf.pl has it (`tidy_generic`, `tidy_java`), but for where that
 * script cuts too much: brackets within template arguments, lambdas and `operator()` are part of a name. `;`
 * separates frames in folded text, and becomes `:`.
 */
export function shortName(symbol: string, jit = false): string {
  // `Lorg/foo/Bar;::baz`, a type as the JVM writes it; one without a package keeps its L, as it does there.
  const java = /^L[^;:()\s]*\//.test(symbol) && (jit || symbol.includes(';'));
  const whole = rustName(java ? symbol.slice(1) : symbol);
  // What would leave nothing is no list of arguments.
  return (withoutArguments(whole) || whole).replaceAll(';', ':');
}

/** `_$LT$A$u20$as$u20$B$GT$::f::h0123456789abcdef`: Rust's first mangling where only C++'s was undone. */
function rustName(symbol: string): string {
  const rust = /^(.*)::h[0-9a-f]{16}$/.exec(symbol);
  if (!rust) return symbol;
  return rust[1]!
    .replace(/(^|::)_\$/g, '$1$')
    .replaceAll('..', '::')
    .replace(/\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$/g, (whole, code: string) =>
      code[0] === 'u' ? codePoint(code.slice(1), whole) : RUST_CODES[code as keyof typeof RUST_CODES],
    );
}

/** Of rust-lang/rust compiler/rustc_symbol_mangling/src/legacy.rs. */
const RUST_CODES = { SP: '@', BP: '*', RF: '&', LT: '<', GT: '>', LP: '(', RP: ')', C: ',' } as const;

function codePoint(hex: string, whole: string): string {
  const code = Number.parseInt(hex, 16);
  return code >= 0x20 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    ? String.fromCodePoint(code)
    : whole;
}

/** What may stand behind `operator` and is no bracket of its own. */
const OPERATOR = /operator(?:\(\)|\[\]|<=>|->\*?|<<=?|>>=?|<=?|>=?)/y;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '<': '>', '{': '}', '[': ']' };

/**
 * The lists in round brackets outside of all others, from their bracket to the place behind the closing one. Undefined
 * where brackets do not close, such as in `a < b(c)`.
 */
function bracketLists(symbol: string): Array<readonly [from: number, to: number]> | undefined {
  const lists: Array<readonly [number, number]> = [];
  const open: string[] = [];
  let from = 0;
  for (let at = 0; at < symbol.length; at += 1) {
    const letter = symbol[at]!;
    const closing = CLOSING[letter];
    if (letter === 'o') {
      OPERATOR.lastIndex = at;
      const operator = OPERATOR.exec(symbol);
      if (operator && !/\w/.test(symbol[at - 1] ?? '')) at += operator[0].length - 1;
    } else if (letter === '-' && symbol[at + 1] === '>') {
      at += 1;
    } else if (closing) {
      if (open.length === 0) from = at;
      open.push(closing);
    } else if (letter === ')' || letter === '}' || letter === ']') {
      // `(a < b)` within template arguments: what was taken for a bracket was an operator.
      while (open.length > 0 && open.at(-1) !== letter) open.pop();
      if (open.pop() === undefined) return undefined;
      if (open.length === 0 && letter === ')' && symbol[from] === '(') lists.push([from, at + 1]);
    } else if (letter === '>' && open.at(-1) === '>') {
      open.pop();
    }
  }
  return open.length === 0 ? lists : undefined;
}

/** What may follow a list of arguments that ends a name: qualifiers, the type a JIT or Swift returns, a requires clause. */
const QUALIFIERS =
  /^(?: ?(?:const|volatile|noexcept(?:\(.*\))?|&&?)(?![\w:]))*(?: requires .*| ?(?:->|throws ->|async ->) .*|\[\w*\]|\[*(?:[VZBCSIJFD]|L[^;]*;))?$/;
/** The parts of a function that the compiler moves: `[clone .cold]`, as LLVM's demangler has it ` (.cold)`. They stay apart. */
const CLONE = /(?: \[clone [^\]]+\]| \(\.[\w.]+\))+$/;
/** A closure or a function within one, as Swift names it: `closure #1 (Swift.Int) -> () in main.f(x: Swift.Int) -> ()`. */
const SWIFT_LOCAL = / #\d+ /;

/** A symbol without the list of arguments that ends it. Lists within, of the function that a lambda is in, are part of the name. */
function withoutArguments(symbol: string): string {
  if (!symbol.includes('(')) return symbol;
  // A method of a Go type, `net/http.(*Client).Do`, has no arguments in its name.
  if (/\.\(.*\)\./.test(symbol)) return symbol;
  const lists = bracketLists(symbol);
  // Brackets that never close are no template's: the plain rule.
  if (!lists) return symbol.replace(/\((?!anonymous namespace\)).*$/s, '');
  if (SWIFT_LOCAL.test(symbol)) return symbol;
  const clone = CLONE.exec(symbol)?.[0] ?? '';
  const whole = symbol.slice(0, symbol.length - clone.length);
  // `decltype(auto) f<int>(int)`: the type is no part of the name, as little as its brackets are the arguments.
  const type = /^decltype ?$/.test(symbol.slice(0, lists[0]?.[0])) ? lists[0]![1] : 0;
  const start = type === 0 ? 0 : type + /^(?: ?(?:const|&&?|\*))* ?/.exec(symbol.slice(type))![0].length;
  for (const [from, to] of lists) {
    if (from < start || to > whole.length) continue;
    // `int (*f(char))(long)`: a function that returns a pointer to one; `operator void (*)(int)()` converts to one.
    if (/^\((?:\w+::)*[*&]/.test(whole.slice(from, to)) && /^[([]/.test(whole.slice(to))) {
      const inner = whole.slice(from + 1, to - 1).replace(/^(?:\w+::)*[*&]+ ?(?:const )?/, '');
      if (inner !== '') return withoutArguments(inner) + clone;
      continue;
    }
    if (from === start || !QUALIFIERS.test(whole.slice(to))) continue;
    return whole.slice(start, from) + clone;
  }
  return symbol.slice(start);
}
