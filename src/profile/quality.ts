import { counted, formatRate } from '../text/quantity.ts';
import type { Frame } from './frame.ts';
import { nodesFromBefore, waitsFromBefore } from './from-before.ts';
import type { Profile } from './profile.ts';
import { reasonFor } from './unnamed.ts';
import { type StacksBy, stacksText } from './unwinding.ts';
import { OFF_CPU, sampleWord } from './weighing.ts';

/** A limit for the reading of a profile, and what helps. */
export interface Limit {
  readonly kind:
    | 'few-samples'
    | 'no-call-chains'
    | 'cut-stacks'
    | 'deep-stacks'
    | 'unnamed'
    | 'interpreter'
    | 'many-waits'
    | 'many-threads';
  /** The share of the samples that it concerns, 0 to 1. */
  readonly share: number;
  /** One line for people. */
  readonly text: string;
  /** The value of --call-graph with which perf finds these callers. */
  readonly callGraph?: string;
}

export interface Quality {
  /** Share of the samples whose innermost function has no name, 0 to 1. */
  readonly unnamedInnermost: number;
  /** Share of the samples whose stack reaches the start of its thread, 0 to 1; undefined if the input does not say. */
  readonly wholeStacks: number | undefined;
  /** The most important first. */
  readonly limits: readonly Limit[];
}

/** With fewer samples than these, a share has an error as large as itself: one of 30 is between 0.1 and 17 %. */
export const FEW_SAMPLES = 30;

/** The least share that is reported: a smaller one does not change how a profile is read. */
const WORTH_SAYING = 0.05;
/** The least share of stacks that end early which is reported: their callers are missing. */
const MANY_CUT = 0.2;
/** perf's limit of a stack, kernel.perf_event_max_stack. */
const DEEPEST = 127;

/**
 * Functions in which a thread begins: programs by glibc and musl, threads of both, C++, Go, the JVM, CPython and Node.js,
 * and the kernel's own threads and idle loop (arch/x86/entry/entry_64.S, arch/arm64/kernel/head.S, kernel/kthread.c).
 */
const START =
  /^(?:_start|_start_c|main|_main|__libc_start_main.*|__libc_start_call_main|libc_start_main_stage2|generic_start_main|_dl_start|_dl_start_user|start_thread|thread_start|_?_?clone[23]?|__clone_internal|execute_native_thread_routine|thread_native_entry|ThreadJavaMain|JavaMain|Py_BytesMain|Py_RunMain|pythread_wrapper|thread_run|node::Start|thr_wrapper|.*::thread_start|std::rt::lang_start(?:_internal)?|_?rt0_\w+|runtime\.(?:goexit|mstart[01]?|rt0_go|main|systemstack|mcall|morestack)(?:\.abi0)?|ret_from_fork(?:_asm)?|kthread|secondary_startup_64\w*|__secondary_switched|__primary_switched|start_secondary|start_kernel|cpu_startup_entry|asm_cpu_bringup_and_idle)$/;

/** Whether a thread or a program begins in a function of this name. */
export const isThreadStart = (name: string): boolean => START.test(name);

/** The C library and the loader: whatever they call from outside themselves is where a program or a thread begins. */
const C_LIBRARY = /(?:^|\/)(?:libc|libpthread|ld)(?:[-.]|$)|(?:^|\/)ld-(?:linux|musl)/;

/**
 * Interpreters by the function that runs their programs, with what makes perf name the programs' own functions. The unwinder of
 * the image names those of each: test/stacks/programs.ts has what was tried.
 */
const INTERPRETERS: ReadonlyArray<{
  readonly loop: RegExp;
  /** A name that the profile contains if the functions are named. */
  readonly named: RegExp;
  readonly language: string;
  readonly help: string;
}> = [
  {
    loop: /^_?PyEval_EvalFrame(?:Default|Ex)/,
    named: /^py::/,
    language: 'Python',
    help: 'start it with python -X perf (Python 3.12 or later)',
  },
  {
    loop: /^(?:vm_exec_core|rb_vm_exec|vm_exec)$/,
    named: /^(?:rb::|yjit)/,
    language: 'Ruby',
    help: 'rbspy or another profiler for Ruby names them',
  },
  {
    loop: /^(?:execute_ex|zend_execute_scripts|zend_execute)$/,
    named: /^php::/,
    language: 'PHP',
    help: 'phpspy or another profiler for PHP names them',
  },
  {
    loop: /^Perl_runops_(?:standard|debug)$/,
    named: /^perl::/,
    language: 'Perl',
    help: 'Devel::NYTProf names them',
  },
];

/** The quality of a profile. Pure; one pass over the nodes and one over the stacks. */
export function qualityOf(profile: Profile): Quality {
  const { samples } = profile;
  const counts = walk(profile);
  const share = (count: number) => count / Math.max(1, samples);
  const limits: Limit[] = [];
  if (samples > 0 && samples < FEW_SAMPLES && !isHeldUp(profile))
    limits.push({
      kind: 'few-samples',
      share: 1,
      text: `there ${samples === 1 ? 'is' : 'are'} only ${counted(samples, sampleWord(profile.event))}, too few for shares: record longer${profile.event === OFF_CPU ? '' : ', or at a higher frequency'}`,
    });
  limits.push(...costLimits(profile), ...lookLimits(profile));
  const tells = counts.whole > 0 || counts.hasObjects;
  if (samples >= FEW_SAMPLES) {
    if (counts.hasObjects && counts.deepest <= 1)
      limits.push({
        kind: 'no-call-chains',
        share: 1,
        text: 'the stacks have one function each: record with a call graph (perf record -g) to see the callers',
      });
    else if (tells) limits.push(...cutLimits(profile, counts, share));
    limits.push(...unnamedLimits(profile, counts, share), ...interpreterLimits(profile, share));
  }
  return {
    unnamedInnermost: share(counts.unnamed),
    wholeStacks: samples > 0 && tells && counts.deepest > 1 ? share(counts.whole) : undefined,
    limits: limits.sort((a, b) => b.share - a.share),
  };
}

/** Most of the time off the CPU are waits that began before the recording: a longer one would not have more of them. */
const isHeldUp = (profile: Profile): boolean => (waitsFromBefore(profile)?.share ?? 0) > 0.5;

/** With so many waits per second their recording takes about five percent of a core; docs/performance.md has how that was measured. */
const MANY_WAITS = 5000;

/** What the recording of waits did to the target: it takes time at each of them. */
function costLimits({ event, samples, about: { seconds = 0 } }: Profile): Limit[] {
  const perSecond = samples / seconds;
  if (event !== OFF_CPU || !(perSecond > MANY_WAITS) || seconds <= 0) return [];
  return [
    {
      kind: 'many-waits',
      share: 1,
      text: `there were ${formatRate(perSecond)} waits per second, and to record each took about 9 µs of its thread: the target was slower than it is without the recording`,
    },
  ];
}

/** Threads of which it is not known whether they waited when the recording began, or when it ended. */
const lookLimits = ({ about: { notLookedAt = 0 } }: Profile): Limit[] =>
  notLookedAt === 0
    ? []
    : [
        {
          kind: 'many-threads',
          share: 1,
          text: `there were too many threads: ${counted(notLookedAt, 'thread was', 'threads were')} not looked at when the recording began and ended, and their waits at these times are missing`,
        },
      ];

interface StackCounts {
  /** Samples. */
  whole: number;
  unnamed: number;
  /** Samples of stacks that end early, as deep as perf goes. */
  deep: number;
  /** The others that end early: by the object of their outermost function. */
  readonly cutIn: Map<string, number>;
  /** Unnamed innermost functions by their object and its kind. */
  readonly unnamedIn: Map<string, { kind: Frame['kind']; samples: number }>;
  /** Samples by the object of their innermost function, with or without a name. */
  readonly of: Map<string, number>;
  deepest: number;
  hasObjects: boolean;
}

/** What `walk` needs to know of a frame, as bits: one byte a frame, because a profile may have millions of nodes. */
const THREAD = 1;
const INLINED = 2;
const KERNEL = 4;
const BEGINS = 8;
const IN_LIBRARY = 16;
const ENDS_RUBY = 32;

/**
 * A function of Ruby as image/unwinder/text.go writes it. The unwinder leaves out what calls Ruby's interpreter, so such a function is
 * the outermost one of a whole stack. While Ruby collects garbage, no functions are read.
 */
const OF_RUBY = /^\[ruby\] (?!<gc>$)/;

const isNoFunction = (kind: Frame['kind']): boolean => kind === 'thread' || kind === 'state';

const bitsOf = ({ name, kind, dso }: Frame): number =>
  (isNoFunction(kind) ? THREAD : kind === 'inlined' ? INLINED : kind === 'kernel' ? KERNEL : 0) |
  (!isNoFunction(kind) && isThreadStart(name) ? BEGINS : 0) |
  (C_LIBRARY.test(dso) ? IN_LIBRARY : 0) |
  (OF_RUBY.test(dso) ? ENDS_RUBY : 0);

function walk({ frames, tree, stacks }: Profile): StackCounts {
  const bits = Uint8Array.from(frames, bitsOf);
  const size = tree.frame.length;
  const outermost = new Int32Array(size).fill(-1);
  const depth = new Int32Array(size);
  const reaches = new Uint8Array(size);
  for (let node = 1; node < size; node += 1) {
    const frame = tree.frame[node]!;
    const parent = tree.parent[node]!;
    const own = bits[frame]!;
    const deep = depth[parent]! + (own & (THREAD | INLINED) ? 0 : 1);
    const first = outermost[parent]!;
    depth[node] = deep;
    outermost[node] = first;
    if (own & THREAD) continue;
    reaches[node] = reaches[parent]!;
    if (first < 0) outermost[node] = frame;
    // Folded text may have the name of the thread first, and frames of the loader may lie below the start.
    if (deep > 4) continue;
    if (own & BEGINS || (deep === 1 && own & ENDS_RUBY)) reaches[node] = 1;
    const isCalledByLibrary = bits[outermost[node]!]! & IN_LIBRARY && !(own & IN_LIBRARY);
    if (deep === 2 && isCalledByLibrary && !(own & KERNEL)) reaches[node] = 1;
  }
  const counts: StackCounts = {
    ...{ whole: 0, unnamed: 0, deep: 0, deepest: 0 },
    ...{ cutIn: new Map(), unnamedIn: new Map(), of: new Map() },
    hasObjects: frames.some(({ dso }) => dso !== ''),
  };
  const add = (map: Map<string, number>, key: string, count: number) =>
    map.set(key, (map.get(key) ?? 0) + count);
  const isFromBefore = nodesFromBefore({ frames, tree });
  for (let row = 0; row < stacks.node.length; row += 1) {
    const node = stacks.node[row]!;
    const count = stacks.samples[row]!;
    const leaf = frames[tree.frame[node]!];
    if (depth[node]! > counts.deepest) counts.deepest = depth[node]!;
    if (reaches[node]) counts.whole += count;
    else if (depth[node]! >= DEEPEST) counts.deep += count;
    // Nothing cut the stack of a wait that began before the recording: it has a frame that says so.
    else if (depth[node]! > 0 && !isFromBefore[node]) add(counts.cutIn, frames[outermost[node]!]!.dso, count);
    if (!leaf || isNoFunction(leaf.kind)) continue;
    add(counts.of, leaf.dso, count);
    if (!leaf.unknown) continue;
    counts.unnamed += count;
    const entry = counts.unnamedIn.get(leaf.dso) ?? { kind: leaf.kind, samples: 0 };
    entry.samples += count;
    counts.unnamedIn.set(leaf.dso, entry);
  }
  return counts;
}

/** Stacks that end before the start of their thread: what cuts them depends on how they were found. */
function cutLimits(profile: Profile, counts: StackCounts, share: (count: number) => number): Limit[] {
  const by = profile.about.stacks;
  const limits: Limit[] = [];
  if (share(counts.deep) >= WORTH_SAYING)
    limits.push({
      kind: 'deep-stacks',
      share: share(counts.deep),
      text: `${percent(share(counts.deep))} of the stacks are deeper than the ${DEEPEST} functions that the kernel records: their outermost callers are missing (kernel.perf_event_max_stack on the node)`,
    });
  const cut = [...counts.cutIn.values()].reduce((sum, count) => sum + count, 0);
  if (share(cut) < MANY_CUT) return limits;
  const [most, count] = [...counts.cutIn].sort((a, b) => b[1] - a[1])[0]!;
  const ended = UNWINDING_ENDED.exec(most)?.[1];
  const where =
    ended !== undefined
      ? `at ${ended}`
      : most === '' || most === '[unknown]'
        ? 'at an address that is in no file'
        : `in ${base(most)}`;
  const isOfWaits = profile.event === OFF_CPU;
  const callGraph = isOfWaits ? undefined : betterCallGraph(most, by);
  limits.push({
    kind: 'cut-stacks',
    share: share(cut),
    text: `${percent(share(cut))} of the stacks end before the start of their thread, ${count === cut ? 'all' : 'most'} of them ${where}: ${isOfWaits ? WHY_CUT_WAITS : whyCut(by)}; callers are missing there, the innermost functions are right`,
    ...(callGraph !== undefined && { callGraph }),
  });
  return limits;
}

/** The frame in which image/unwinder says why it could not walk a stack to its start. */
const UNWINDING_ENDED = /^\[unwinding ended: (.*)\]$/;

/** Waits are recorded with frame pointers only (cli/off-cpu.ts). */
const WHY_CUT_WAITS = 'code that was built without frame pointers, by which alone callers of waits are found';

function whyCut(by: StacksBy | undefined): string {
  if (by?.way === 'dwarf')
    return `they are longer than the copied part (${stacksText(by)}), or the code has no unwind tables`;
  if (by?.way === 'ebpf') return 'the unwinder could not walk them further';
  return 'code that was built without frame pointers, which perf record --call-graph dwarf does not need';
}

/** perf's largest copy of a stack. */
const MOST_STACK_BYTES = 65_528;

/** Code that a compiler made at run time has no unwind tables, so only its own frame pointers help. */
const MADE_AT_RUN_TIME = /perf-\d+\.map$|jitted-|^(?:\/\/anon|\[anon|\/memfd:)|(?:^|\/)libjvm\.so$/;

/** What --call-graph finds the callers that are missing from code in this object; undefined if nothing of perf does. */
function betterCallGraph(object: string, by: StacksBy | undefined): string | undefined {
  if (MADE_AT_RUN_TIME.test(object) || by?.way === 'ebpf') return undefined;
  if (by?.way !== 'dwarf') return 'dwarf';
  return by.bytes !== undefined && by.bytes < MOST_STACK_BYTES ? `dwarf,${MOST_STACK_BYTES}` : undefined;
}

function unnamedLimits(profile: Profile, counts: StackCounts, share: (count: number) => number): Limit[] {
  const { event, frames, threads, lookups } = profile;
  const hasJvm = frames.some(({ dso }) => /(?:^|\/)libjvm\.so$/.test(dso));
  const hasNode =
    frames.some(({ name }) => /^(?:node|v8)::/.test(name)) || threads.some(({ comm }) => comm === 'node');
  // Each process has its own map of a JIT, but the reason is the same for all.
  const groups = new Map<string, { samples: number; all: number; kind: Frame['kind']; dso: string }>();
  for (const [dso, { samples, kind }] of counts.unnamedIn) {
    const name = /perf-\d+\.map$/.test(dso) ? 'perf-PID.map' : base(dso);
    const group = groups.get(name) ?? { samples: 0, all: 0, kind, dso };
    group.samples += samples;
    group.all += counts.of.get(dso)!;
    groups.set(name, group);
  }
  return [...groups]
    .filter(([, { samples }]) => share(samples) >= WORTH_SAYING)
    .map(([name, { samples, all, kind, dso }]) => {
      const made = kind === 'jit' || /^(?:\/\/anon|\[anon|\/memfd:)/.test(dso);
      const byEbpf = namedByEbpf(profile);
      const why =
        made && hasJvm
          ? `code of the JVM, without a map of its functions: ${byEbpf}start java with -XX:+PreserveFramePointer, and run jcmd PID Compiler.perfmap before the recording ends`
          : made && hasNode
            ? `code of Node.js, without a map of its functions: ${byEbpf}start node with --perf-basic-prof`
            : reasonFor(dso, kind, samples === all, lookups);
      const place =
        dso === '' || dso === '[unknown]'
          ? 'at addresses that are in no file'
          : `in functions of ${name} without a name`;
      return {
        kind: 'unnamed' as const,
        share: share(samples),
        text: `${percent(share(samples))} of the ${sampleWord(event)}s are ${place}: ${why}`,
        ...(made && (hasJvm || hasNode) && canBeNamed(profile) && { callGraph: 'ebpf' }),
      };
    });
}

/** Whether a recording of this command would have the names of scripts and of compiled code if the unwinder of the image made it. */
const canBeNamed = ({ event, about: { stacks } }: Profile): boolean =>
  event !== OFF_CPU && (stacks?.way === 'fp' || stacks?.way === 'dwarf');

const namedByEbpf = (profile: Profile): string =>
  canBeNamed(profile) ? 'record them with --call-graph ebpf and an image that has gkeprof-unwinder, or ' : '';

function interpreterLimits(profile: Profile, share: (count: number) => number): Limit[] {
  const { event, frames, tree, stacks } = profile;
  return INTERPRETERS.flatMap(({ loop, named, language, help }) => {
    const script = `[${language.toLowerCase()}]`;
    if (frames.some(({ name, dso }) => named.test(name) || dso.startsWith(script))) return [];
    const runs = Uint8Array.from(frames, ({ name }) => (loop.test(name) ? 1 : 0));
    if (!runs.includes(1)) return [];
    const within = new Uint8Array(tree.frame.length);
    for (let node = 1; node < within.length; node += 1)
      within[node] = within[tree.parent[node]!]! | runs[tree.frame[node]!]!;
    const count = stacks.node.reduce((sum, node, row) => sum + (within[node] ? stacks.samples[row]! : 0), 0);
    if (share(count) < WORTH_SAYING) return [];
    return [
      {
        kind: 'interpreter' as const,
        share: share(count),
        text: `${percent(share(count))} of the ${sampleWord(event)}s are in the interpreter of ${language}, and the functions of its programs are not named: ${namedByEbpf(profile)}${help}`,
        ...(canBeNamed(profile) && { callGraph: 'ebpf' }),
      },
    ];
  });
}

const base = (dso: string): string => dso.slice(dso.lastIndexOf('/') + 1);

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
