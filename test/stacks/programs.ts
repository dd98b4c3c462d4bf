import type { Parts } from './measure.ts';

/** The ways to walk a stack. */
export type Way = 'auto' | 'fp' | 'dwarf' | 'ebpf';

export const WAYS: readonly Way[] = ['fp', 'dwarf', 'ebpf', 'auto'];

/** What a user types for a way. */
export const wordsOf = (way: Way): readonly string[] => ['--call-graph', way];

export const PARTS: Parts = {
  sixty_percent: /\bsixty_percent\b/,
  thirty_percent: /\bthirty_percent\b/,
  ten_percent: /\bten_percent\b/,
};

export const TRUTH = { sixty_percent: 0.6, thirty_percent: 0.3, ten_percent: 0.1 };

/** A program of test/cluster/images/programs, alone in its container. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** The ways that have to name its functions. By the others it is recorded too, and what they find is printed. */
  readonly namedBy: readonly Way[];
  /** The file has no names: nobody can name its functions, and nobody may name them wrongly. */
  readonly nameless?: boolean;
  /** Ends while it is recorded, after so many seconds of CPU time. */
  readonly endsAfter?: number;
  /** What is typed into its container while it is recorded. */
  readonly meanwhile?: string;
  /** Is in the short run too. */
  readonly quick?: boolean;
}

const ALL: readonly Way[] = ['auto', 'fp', 'dwarf', 'ebpf'];
/** Without frame pointers: by the tables for unwinding. */
const BY_TABLES: readonly Way[] = ['auto', 'dwarf', 'ebpf'];
/**
 * Frame pointers, and no tables that perf finds: Go writes none for native unwinders, and GCC's static programs have them without
 * the index (.eh_frame_hdr). By DWARF perf finds no caller in either.
 */
const NOT_BY_DWARF: readonly Way[] = ['auto', 'fp', 'ebpf'];
/** Interpreted and compiled at run time. */
const BY_LANGUAGE: readonly Way[] = ['auto', 'ebpf'];

const compiled = (name: string, namedBy: readonly Way[], more: Partial<Program> = {}): Program => ({
  name,
  command: [`/programs/${name}`],
  namedBy,
  ...more,
});

/**
 * Node.js writes its jitdump file a page at a time, so the last functions are not in it while nothing else is compiled. A service
 * compiles ever more; here another thread does. A function that was inlined has no place of its own in the file.
 */
const COMPILE = `import { Worker } from 'worker_threads'; new Worker("setInterval(() => new Function('return ' + Math.random())(), 50)", { eval: true });`;
const JITDUMP = ['--perf-prof', '--interpreted-frames-native-stack', '--no-turbo-inlining'];

/** One thread that runs Erlang: what the program counts is the CPU time of all threads. */
const ERLANG = '+S 1 +SDio 1 +SDcpu 1 -noinput -pa /programs -run shares main'.split(' ');

/** Another program with the same code takes its place, and names of that one in the stacks would be wrong ones. */
const REPLACED = 'cp /programs/c-fp /tmp/program; exec /tmp/program';
const REPLACE = 'cp /programs/c-other /tmp/new; mv /tmp/new /tmp/program';

export const PROGRAMS: readonly Program[] = [
  compiled('c-fp', ALL, { quick: true }),
  compiled('c-nofp', BY_TABLES, { quick: true }),
  compiled('c-fp-static', NOT_BY_DWARF),
  compiled('c-nofp-static', ['auto', 'ebpf']),
  compiled('c-fp-stripped', [], { nameless: true }),
  compiled('c-nofp-stripped', [], { nameless: true }),
  compiled('c-fp-static-stripped', [], { nameless: true }),
  compiled('c-nofp-static-stripped', [], { nameless: true }),
  compiled('cpp', BY_TABLES),
  compiled('rust', BY_TABLES),
  compiled('go', NOT_BY_DWARF),
  compiled('go-stripped', NOT_BY_DWARF),
  { name: 'python', command: ['python3', '/programs/shares.py'], namedBy: BY_LANGUAGE, quick: true },
  { name: 'ruby', command: ['ruby', '/programs/shares.rb'], namedBy: BY_LANGUAGE },
  { name: 'php', command: ['php', '/programs/shares.php'], namedBy: BY_LANGUAGE },
  { name: 'perl', command: ['perl', '/programs/shares.pl'], namedBy: BY_LANGUAGE },
  { name: 'node', command: ['node', '/programs/shares.mjs'], namedBy: BY_LANGUAGE },
  {
    name: 'node-jitdump',
    command: [
      'node',
      ...JITDUMP,
      '--import',
      `data:text/javascript,${encodeURIComponent(COMPILE)}`,
      '/programs/shares.mjs',
    ],
    namedBy: ['auto', 'fp', 'ebpf'],
    quick: true,
  },
  { name: 'java', command: ['java', '-cp', '/programs', 'Shares'], namedBy: BY_LANGUAGE },
  { name: 'erlang', command: ['erl', ...ERLANG], namedBy: BY_LANGUAGE },
  compiled('forker', ALL),
  { name: 'ends', command: ['sh', '-c', '/programs/c-fp 10; sleep 600'], namedBy: ALL, endsAfter: 10 },
  { name: 'container-ends', command: ['/programs/c-fp', '10'], namedBy: ALL, endsAfter: 10 },
  { name: 'replaced', command: ['sh', '-c', REPLACED], namedBy: ALL, meanwhile: REPLACE },
];
