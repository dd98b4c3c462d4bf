import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** Arguments of crictl, parsed as far as is needed to know what they do and where the target's ids belong. */
export interface CrictlWords {
  /** Flags before the subcommand. */
  readonly globals: readonly string[];
  /** The main name, also if an alias was typed; empty for flags that need no subcommand. */
  readonly subcommand: string;
  readonly rest: readonly string[];
}

/** What a subcommand may do on the node, and where the id of a pod goes if none was given. */
interface Subcommand {
  /** `read` changes nothing, `exec` runs something in a container, `change` is everything else. */
  readonly rights: 'read' | 'exec' | 'change';
  readonly aliases?: readonly string[];
  /** `--flag`: as the value of this flag, unless the flag or an argument was given. `first`: as the first argument. */
  readonly insert?: {
    readonly id: 'pod' | 'container';
    readonly at: 'first' | `--${string}`;
    readonly or?: readonly string[];
  };
  /** Flags that take a value, so that the value is not mistaken for an argument. */
  readonly valued?: readonly string[];
}

const read = (more: Omit<Subcommand, 'rights'> = {}): Subcommand => ({ rights: 'read', ...more });
const change: Subcommand = { rights: 'change' };
const STREAM_VALUED = [
  '--timeout',
  '-r',
  '--transport',
  '--tls-sni-server',
  '--tls-ca',
  '--tls-cert',
  '--tls-key',
];
const INSPECT_VALUED = ['-o', '--output', '--template'];

/** Every subcommand of crictl 1.30 (cri-tools, cmd/crictl/main.go) and newer. */
const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  ps: read({ insert: { id: 'pod', at: '--pod', or: ['-p', '--id'] } }),
  pods: read({ insert: { id: 'pod', at: '--id' } }),
  inspect: read({ insert: { id: 'container', at: 'first' }, valued: INSPECT_VALUED }),
  inspectp: read({ insert: { id: 'pod', at: 'first' }, valued: INSPECT_VALUED }),
  inspecti: read(),
  images: read({ aliases: ['image', 'img'] }),
  imagefsinfo: read(),
  info: read(),
  version: read(),
  logs: read({
    insert: { id: 'container', at: 'first' },
    valued: ['--tail', '-n', '--limit-bytes', '--since'],
  }),
  stats: read({ insert: { id: 'pod', at: '--pod', or: ['-p', '--id'] } }),
  statsp: read({ insert: { id: 'pod', at: '--id' } }),
  metricsp: read(),
  events: read({ aliases: ['event'] }),
  'runtime-config': read(),
  completion: read(),
  help: read({ aliases: ['h'] }),
  exec: { rights: 'exec', insert: { id: 'container', at: 'first' }, valued: STREAM_VALUED },
  attach: { rights: 'exec', insert: { id: 'container', at: 'first' }, valued: STREAM_VALUED },
  // It would listen on the node, where every process could connect.
  'port-forward': { rights: 'change', insert: { id: 'pod', at: 'first' } },
  ...Object.fromEntries(
    [
      'checkpoint',
      'config',
      'create',
      'pull',
      'rm',
      'rmi',
      'rmp',
      'run',
      'runp',
      'start',
      'stop',
      'stopp',
      'update',
    ].map((name) => [name, change]),
  ),
  'update-runtime-config': change,
};

/** The main names, without aliases. */
export const CRICTL_SUBCOMMANDS: readonly string[] = Object.keys(SUBCOMMANDS);

const GLOBAL_SWITCHES = new Set(['-h', '--help', '-v', '--version', '-D', '--debug']);

/** Parses the arguments after `--`. Refuses flags that this tool sets itself (endpoint, configuration). */
export function parseCrictlWords(words: readonly string[]): CrictlWords {
  const parsed = takeApart(words);
  // The script on the node reads one argument per line, to check what they do.
  const odd = words.find((word) => word.includes('\n'));
  if (odd !== undefined && rightsOf(parsed) === 'read')
    throw usageError(
      `crictl ${parsed.subcommand}: "${printable(odd)}" contains a line feed, which the node refuses`,
    );
  return parsed;
}

function takeApart(words: readonly string[]): CrictlWords {
  let at = 0;
  while (words[at]?.startsWith('-')) {
    const word = words[at]!;
    if (word === '-t' || word === '--timeout') at += 2;
    else if (GLOBAL_SWITCHES.has(word) || /^--timeout=/.test(word)) at += 1;
    else
      throw usageError(
        `crictl ${printable(word)} is not allowed: the node knows its endpoint and configuration`,
        'allowed global flags of crictl: --timeout, --debug, --help and --version',
      );
  }
  const globals = words.slice(0, at);
  const typed = words[at];
  if (typed === undefined) {
    if (globals.length === 0)
      throw usageError('crictl: missing subcommand', 'for example: kubectl gkeprof crictl node/NODE -- ps');
    return { globals, subcommand: '', rest: [] };
  }
  const [name] =
    Object.entries(SUBCOMMANDS).find(([first, { aliases }]) => first === typed || aliases?.includes(typed)) ??
    [];
  if (name === undefined)
    throw usageError(
      `crictl: unknown subcommand "${printable(typed)}"`,
      'kubectl gkeprof crictl node/NODE -- --help',
    );
  const rest = words.slice(at + 1);
  // Help about a subcommand that changes something is requested as `help NAME`, which cannot run it.
  if (SUBCOMMANDS[name]!.rights !== 'read' && isHelp(rest))
    return { globals, subcommand: 'help', rest: [name] };
  return { globals, subcommand: name, rest };
}

/** What these arguments may do on the node. */
export const rightsOf = ({ subcommand }: CrictlWords): Subcommand['rights'] =>
  subcommand === '' ? 'read' : SUBCOMMANDS[subcommand]!.rights;

const isHelp = (rest: readonly string[]): boolean => {
  const first = rest.findIndex((word) => !word.startsWith('-'));
  const flags = first < 0 ? rest : rest.slice(0, first);
  return flags.includes('--help') || flags.includes('-h');
};

/** The index of the first argument after the subcommand that is not a flag; -1 if there is none. */
export function firstPositional({ subcommand, rest }: CrictlWords): number {
  const valued = SUBCOMMANDS[subcommand]?.valued ?? [];
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at]!;
    if (!word.startsWith('-') || word === '-') return at;
    if (word === '--') return at + 1 < rest.length ? at + 1 : -1;
    if (valued.includes(word)) at += 1;
  }
  return -1;
}

/**
 * The index of the container of `exec` or `attach`. Flags that choose the container are refused: crictl newer than 1.30
 * chooses containers by --name, --latest and the like, and runs in all of them (cri-tools cmd/crictl/exec.go).
 */
export function containerWord(words: CrictlWords): number {
  const at = firstPositional(words);
  const flags = at < 0 ? words.rest : words.rest.slice(0, at);
  const odd = flags.find((word, index) => {
    if (word === '--' || STREAM_VALUED.includes(flags[index - 1] ?? '')) return false;
    const [name = ''] = word.split('=');
    return !STREAM_VALUED.includes(name) && !/^(-[ist]+|--(interactive|sync|tty))$/.test(name);
  });
  if (odd !== undefined)
    throw usageError(
      `crictl ${words.subcommand} ${printable(odd)} is not allowed: it does not name one container`,
      'give the id of one container, or a pod with -c NAME',
    );
  return at;
}

/** The ids of a pod. Only the node knows the id of the sandbox, so that one is filled in there. */
export interface TargetIds {
  /** The container that was named with -c, or the only one. */
  readonly container?: string;
  /** The ids of all containers of the pod. A first argument that is the beginning of one of them means it. */
  readonly containers: readonly string[];
  /** Whether the container was named with -c. */
  readonly isContainerGiven: boolean;
}

export interface Placed {
  /** All arguments, including the subcommand. */
  readonly words: readonly string[];
  /** The index of the argument that the node replaces by the id of the sandbox. */
  readonly podWord?: number;
}

/** Adds the ids of the target, unless the arguments already name something. */
export function placeIds(words: CrictlWords, ids: TargetIds | undefined): Placed {
  const { globals, subcommand, rest } = words;
  const start = [...globals, ...(subcommand ? [subcommand] : [])];
  const insert = SUBCOMMANDS[subcommand]?.insert;
  const plain = { words: [...start, ...rest] };
  if (!ids || !insert || isHelp(rest)) return plain;
  const first = firstPositional(words);
  if (insert.at !== 'first') {
    const flags = [insert.at, ...(insert.or ?? [])];
    if (first >= 0 && rest.some((word) => flags.includes(word.split('=')[0]!))) return plain;
    if (rest.some((word) => flags.includes(word.split('=')[0]!))) return plain;
    // With -c, select the container instead of its pod. `pods` and `statsp` cannot select containers.
    if (ids.isContainerGiven && insert.or?.includes('--id'))
      return { words: [...start, '--id', ids.container!, ...rest] };
    return { words: [...start, insert.at, '', ...rest], podWord: start.length + 1 };
  }
  const given = first < 0 ? undefined : rest[first]!;
  if (given !== undefined && (subcommand !== 'exec' || ids.containers.some((id) => id.startsWith(given))))
    return plain;
  const flags = first < 0 ? rest : rest.slice(0, first);
  const after = first < 0 ? [] : rest.slice(first);
  if (insert.id === 'pod')
    return { words: [...start, ...flags, '', ...after], podWord: start.length + flags.length };
  if (ids.container === undefined)
    throw usageError(`crictl ${subcommand}: the pod has several containers`, 'choose one with -c NAME');
  return { words: [...start, ...flags, ids.container, ...after] };
}

/** Whether flags before the first argument, alone or grouped, ask for input and for a terminal. */
export function interaction(words: CrictlWords): { stdin: boolean; tty: boolean } {
  if (words.subcommand !== 'exec' && words.subcommand !== 'attach') return { stdin: false, tty: false };
  const first = firstPositional(words);
  const flags = first < 0 ? words.rest : words.rest.slice(0, first);
  const has = (letter: string, long: string) =>
    flags.some(
      (word) => word === long || word === `${long}=true` || (/^-[a-z]+$/.test(word) && word.includes(letter)),
    );
  return { stdin: has('i', '--interactive'), tty: has('t', '--tty') };
}

/** Removes the flags that ask for a terminal, for a caller who has none. */
export const withoutTerminal = (words: CrictlWords): CrictlWords => {
  const first = firstPositional(words);
  const end = first < 0 ? words.rest.length : first;
  const flags = words.rest
    .slice(0, end)
    .map((word) => (/^-[a-z]+$/.test(word) ? word.replaceAll('t', '') : word))
    .filter((word) => word !== '-' && word !== '--tty' && word !== '--tty=true');
  return { ...words, rest: [...flags, ...words.rest.slice(end)] };
};
