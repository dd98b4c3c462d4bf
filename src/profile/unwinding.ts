/**
 * How the callers of a sampled function are found: by frame pointers, by DWARF from a copy of the stack, or by the eBPF
 * unwinder in the diagnostic image.
 */
export const UNWINDINGS = ['fp', 'dwarf', 'ebpf'] as const;
export type Unwinding = (typeof UNWINDINGS)[number];

/** Why `--call-graph auto` chose its way, with the words of collectors/perf/stacks.sh, as a clause behind "because". */
export const WHY_CHOSEN = {
  'no-unwinder': 'the image has no gkeprof-unwinder',
  'look-failed': 'gkeprof-unwinder could not find out what the programs need',
  'frame-pointers': 'the programs set up frame pointers',
  'no-frame-pointers': 'some of the programs do not set up frame pointers',
  libraries: 'some of the libraries that the programs use do not set up frame pointers',
  interpreter: 'an interpreter runs there, and perf cannot name the functions of its programs',
  jit: 'a JIT compiler runs there, and perf can name its functions only by a map of them',
  'no-bpf':
    'some of the programs or of their libraries do not set up frame pointers, and the kernel cannot run the eBPF unwinder',
  'ebpf-failed': 'the eBPF unwinder failed on this node',
  'whole-node': 'a whole node is sampled',
  'no-processes': 'no process runs there yet',
  'too-large': 'DWARF might need more room or time on the node than there is',
  'no-memory': 'the node has too little memory for an eBPF unwinder for each of so many targets',
  unwinder: 'gkeprof-unwinder chose it',
  others: 'another target of the command needs it, and all are recorded in the same way',
} as const;
export type WhyChosen = keyof typeof WHY_CHOSEN;

export const WHYS = Object.keys(WHY_CHOSEN) as readonly WhyChosen[];

/** How the stacks of a recording were found. */
export interface StacksBy {
  readonly way: Unwinding;
  /** For DWARF: how much of the stack was copied with each sample. */
  readonly bytes?: number;
  /** Present if the node chose the way. */
  readonly why?: WhyChosen;
}

const NAMES: Readonly<Record<Unwinding, string>> = { fp: 'frame pointers', dwarf: 'DWARF', ebpf: 'eBPF' };

/** `frame pointers`, `DWARF, 16 KiB`, `eBPF`. */
export const stacksText = ({ way, bytes }: StacksBy): string =>
  way === 'dwarf' && bytes !== undefined ? `DWARF, ${stackSizeText(bytes)}` : NAMES[way];

/** The same, and behind it why the node chose it. */
export const chosenText = (by: StacksBy): string =>
  by.why === undefined ? stacksText(by) : `${stacksText(by)}, because ${WHY_CHOSEN[by.why]}`;

/** A size that is not a multiple of 1 KiB is printed in bytes, as it was typed. */
const stackSizeText = (bytes: number): string =>
  bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
