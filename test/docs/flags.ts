/** A flag that a page shows. */
export interface ShownFlag {
  /** The command that it is typed for: `perf record`, `perf script`, `tcpdump`, `crictl`, `kubectl`, `gkeprof`; undefined for a flag that stands alone. */
  readonly command: string | undefined;
  /** `-e`, `--cgroup`. */
  readonly flag: string;
  /** The word behind it, or behind its `=`, if that is not a flag itself. */
  readonly value: string | undefined;
  /** The code that it stands in, for messages. */
  readonly code: string;
}

const PROGRAMS: ReadonlySet<string> = new Set(['perf', 'tcpdump', 'crictl', 'kubectl']);

/** Another program, whose flags are not looked at. */
const OTHER = 'other';

/** Where another command begins within a line of a shell. */
const SEPARATOR = /^(?:\\?\||\|\||&&|;|>)$/;

/** The flags in the code of a page: its code spans, its indented code, and the lines that its blocks show as typed. */
export const flagsOf = (text: string): ShownFlag[] => piecesOf(text).flatMap(flagsIn);

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  const prose: string[] = [];
  let fence: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) fence = fence === undefined ? line : undefined;
    else if (fence !== undefined) {
      // What a console prints is the program's own, and test/e2e/docs.test.ts compares it.
      if (!fence.startsWith('```console')) pieces.push(line);
      else if (line.startsWith('$ ')) pieces.push(line.slice(2));
    } else if (line.startsWith('    ')) pieces.push(line.trim());
    else prose.push(line);
  }
  for (const [, span] of prose.join('\n').matchAll(/`([^`]+)`/g)) pieces.push(span!.replaceAll('\n', ' '));
  return pieces.map((piece) => piece.replace(/(?:^|\s)# .*$/, ''));
}

/** The flags of a line of a shell, each with the command that it is for. */
export function flagsIn(code: string): ShownFlag[] {
  const words = code.split(/\s+/).filter(Boolean);
  const flags: ShownFlag[] = [];
  let command: string | undefined = words[0]?.startsWith('-') ? undefined : OTHER;
  for (const [at, word] of words.entries()) {
    const bare = word.replace(/^(?:["'(]|\$\()+/, '').replace(/^.*\/(?=crictl$)/, '');
    if (SEPARATOR.test(word) || word.startsWith('$(')) command = OTHER;
    if (words[at - 1] === 'gkeprof') continue; // A verb, which may be called as a program is.
    if (PROGRAMS.has(bare)) {
      command = bare === 'perf' ? `perf ${words[at + 1]}` : words[at + 1] === 'gkeprof' ? 'gkeprof' : bare;
    } else if (word === '--' && (command === 'gkeprof' || command === 'kubectl')) {
      // What follows belongs to the program on the node.
      command = words.includes('pcap') ? 'tcpdump' : words.includes('crictl') ? 'crictl' : OTHER;
    } else if (command !== OTHER && /^--?[A-Za-z]/.test(word)) {
      const [, flag, given] = /^(--?[A-Za-z][A-Za-z-]*)(?:=(.*))?/.exec(word)!;
      const next = words[at + 1];
      const value = given ?? (next && !/^(?:-|\\?\||&&)/.test(next) ? next : undefined);
      flags.push({ command, flag: flag!, value, code });
    }
  }
  return flags;
}
