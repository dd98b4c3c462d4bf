import type { ClusterNames } from '../../cluster/completion-names.ts';
import { resourceOf } from '../../plan/target.ts';
import { printable } from '../../text/printable.ts';
import type { Choice, LineSoFar, Wanted } from './request.ts';

/** Directives of cobra for the shell, which kubectl passes on (spf13/cobra completions.go). */
export const DIRECTIVE = {
  default: 0,
  noSpace: 2,
  noFiles: 4,
  /** The choices are file name endings. */
  filesEnding: 8,
  folders: 16,
  keepOrder: 32,
} as const;

export interface CompletionAnswer {
  readonly choices: readonly Choice[];
  /** The sum of some directives. */
  readonly directive: number;
}

const PACKED = ['', '.gz', '.zst', '.xz'];
const ENDINGS: Readonly<Record<'capture' | 'profile', readonly string[]>> = {
  capture: ['pcap', 'pcapng', 'cap'].flatMap((ending) => PACKED.map((packed) => ending + packed)),
  profile: [
    'svg',
    ...['perf-script.txt', 'txt', 'folded'].flatMap((e) => PACKED.map((packed) => e + packed)),
    ...['pb', 'pb.gz', 'pprof', 'speedscope.json'],
  ],
};

/** The prefixes of targets, with the short names of kubectl. */
const KINDS = ['pod/', 'node/', 'deploy/', 'sts/', 'ds/', 'rs/', 'job/', 'cronjob/', 'svc/'];

const only = (choices: readonly Choice[], more = 0): CompletionAnswer => ({
  choices,
  directive: DIRECTIVE.noFiles + more,
});

/** Finds the names that are wanted. Rejects with whatever `names` rejects with. */
export async function answerTo(wanted: Wanted, names: ClusterNames): Promise<CompletionAnswer> {
  if (wanted.kind === 'choices') return only(wanted.choices);
  const { of, begun, line } = wanted;
  const fitting = (found: readonly Choice[], before = '') =>
    found
      .map(({ text, about }) => ({ text: before + text, ...(about && { about }) }))
      .filter(({ text }) => text.startsWith(begun));
  switch (of) {
    case 'file':
      return { choices: [], directive: DIRECTIVE.default };
    case 'folder':
      return { choices: [], directive: DIRECTIVE.folders };
    case 'capture':
    case 'profile':
      if (begun.startsWith('@')) return only(fitting(recent(of)), DIRECTIVE.keepOrder);
      return { choices: ENDINGS[of].map((text) => ({ text })), directive: DIRECTIVE.filesEnding };
    case 'target':
      return targets(begun, line, names, fitting);
    case 'node-target':
      return only(fitting(await names.list('nodes'), 'node/'));
    case 'node':
      return only(fitting(await names.list('nodes')));
    case 'container':
      return only(fitting(await containersOf(line, names)));
    case 'namespace':
      return only(fitting(await names.list('namespaces')));
    default:
      return only(fitting(await names.configured(of)));
  }
}

const recent = (of: 'capture' | 'profile'): Choice[] => {
  const what = of === 'capture' ? 'capture' : 'recording';
  return [
    { text: '@last', about: `The newest ${what} of this folder` },
    { text: '@2', about: 'The one before' },
    { text: '@3', about: 'The one before that' },
  ];
};

/**
 * Bare pod names, running pods first, and the kinds; after `KIND/`, or a kind as the first word, the names of that kind.
 * Targets that were named already are left out.
 */
async function targets(
  begun: string,
  { positionals }: LineSoFar,
  names: ClusterNames,
  fitting: (found: readonly Choice[], before?: string) => Choice[],
): Promise<CompletionAnswer> {
  const fresh = (found: readonly Choice[]) => found.filter(({ text }) => !positionals.includes(text));
  const slash = begun.indexOf('/');
  if (slash >= 0) {
    const resource = resourceOf(begun.slice(0, slash));
    const found = resource === undefined ? [] : await names.list(resource);
    return only(fresh(fitting(inOrder(found, resource), begun.slice(0, slash + 1))), DIRECTIVE.keepOrder);
  }
  const kind = resourceOf(positionals[0] ?? '');
  if (kind !== undefined) {
    const others = new Set(positionals.slice(1));
    const found = inOrder(await names.list(kind), kind).filter(({ text }) => !others.has(text));
    return only(fitting(found), DIRECTIVE.keepOrder);
  }
  const kinds = KINDS.filter((each) => each.startsWith(begun)).map((text) => ({ text }));
  const pods = fresh(fitting(inOrder(await names.list('pods'), 'pods')));
  // If only kinds match, the name follows directly after the slash.
  return only([...pods, ...kinds], DIRECTIVE.keepOrder + (pods.length ? 0 : DIRECTIVE.noSpace));
}

const inOrder = (found: readonly Choice[], resource: string | undefined): readonly Choice[] => {
  if (resource !== 'pods') return found;
  const isRunning = ({ about }: Choice) => about?.split(' ')[0] === 'Running';
  return [...found.filter(isRunning), ...found.filter((each) => !isRunning(each))];
};

/** The containers of the first target. */
async function containersOf({ positionals }: LineSoFar, names: ClusterNames): Promise<readonly Choice[]> {
  const [first = '', second] = positionals;
  const slash = first.indexOf('/');
  const kind = slash < 0 && second !== undefined ? resourceOf(first) : undefined;
  const resource = kind ?? (slash < 0 ? 'pods' : resourceOf(first.slice(0, slash)));
  const name = kind === undefined ? first.slice(slash + 1) : second!;
  if (name === '' || resource === undefined || resource === 'nodes') return [];
  return names.containers(resource, name);
}

/** The format of cobra: each choice with its description on a line, then the directive. */
export const answerText = ({ choices, directive }: CompletionAnswer): string =>
  `${choices
    .map(({ text, about }) => `${printable(text)}${about ? `\t${printable(about)}` : ''}\n`)
    .join('')}:${directive}\n`;
