import type { ClusterNames } from '../../cluster/completion-names.ts';
import { resourceOf } from '../../plan/target.ts';
import { printable } from '../../text/printable.ts';
import type { Choice, Wanted } from './request.ts';

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
const KINDS = ['pod/', 'node/', 'deploy/', 'sts/', 'ds/', 'rs/', 'job/'];

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
      return targets(begun, names, fitting);
    case 'node-target':
      return only(fitting(await names.list('nodes'), 'node/'));
    case 'node':
      return only(fitting(await names.list('nodes')));
    case 'container': {
      const [target] = line.positionals;
      return only(target === undefined ? [] : fitting(await containersOf(target, names)));
    }
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

/** Bare pod names, running pods first, and the kinds; after `KIND/` the names of that kind. */
async function targets(
  begun: string,
  names: ClusterNames,
  fitting: (found: readonly Choice[], before?: string) => Choice[],
): Promise<CompletionAnswer> {
  const slash = begun.indexOf('/');
  if (slash >= 0) {
    const resource = resourceOf(begun.slice(0, slash));
    const found = resource === undefined ? [] : await names.list(resource);
    return only(fitting(inOrder(found, resource), begun.slice(0, slash + 1)), DIRECTIVE.keepOrder);
  }
  const kinds = KINDS.filter((kind) => kind.startsWith(begun)).map((text) => ({ text }));
  const pods = fitting(inOrder(await names.list('pods'), 'pods'));
  // If only kinds match, the name follows directly after the slash.
  return only([...pods, ...kinds], DIRECTIVE.keepOrder + (pods.length ? 0 : DIRECTIVE.noSpace));
}

const inOrder = (found: readonly Choice[], resource: string | undefined): readonly Choice[] => {
  if (resource !== 'pods') return found;
  const isRunning = ({ about }: Choice) => about?.split(' ')[0] === 'Running';
  return [...found.filter(isRunning), ...found.filter((each) => !isRunning(each))];
};

async function containersOf(target: string, names: ClusterNames): Promise<readonly Choice[]> {
  const slash = target.indexOf('/');
  const resource = slash < 0 ? 'pods' : resourceOf(target.slice(0, slash));
  if (resource === undefined || resource === 'nodes') return [];
  return names.containers(resource, target.slice(slash + 1));
}

/** The format of cobra: each choice with its description on a line, then the directive. */
export const answerText = ({ choices, directive }: CompletionAnswer): string =>
  `${choices
    .map(({ text, about }) => `${printable(text)}${about ? `\t${printable(about)}` : ''}\n`)
    .join('')}:${directive}\n`;
