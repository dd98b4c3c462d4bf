import { type Asked, startKubectl } from './ask-kubectl.ts';
import type { KubectlHome } from './kubectl-home.ts';

/** kubectl's answer about the configuration, on its way. */
export interface ReadAhead extends Asked {
  /** Of the file that --kubeconfig names; undefined for that of the environment. */
  readonly kubeconfig: string | undefined;
}

/** How kubectl prints the configuration that it reads; of one file where one is named. */
export const viewWords = (kubeconfig: string | undefined): readonly string[] => [
  ...['config', 'view', '--raw', '-o', 'json'],
  ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
];

/**
 * Has kubectl read the configuration while this process still takes its command line apart, which is half of the time before
 * the first answer of the API. What the words turn out to mean is not decided here: where they name another file after
 * all, this answer is not used.
 */
export function readAhead(words: readonly string[], home: KubectlHome): ReadAhead {
  const kubeconfig = namedFile(words);
  const asked = startKubectl(viewWords(kubeconfig), home);
  asked.said.catch(() => {}); // Told by whoever waits for it.
  return { ...asked, kubeconfig };
}

function namedFile(words: readonly string[]): string | undefined {
  const end = words.indexOf('--');
  const before = end < 0 ? words : words.slice(0, end);
  const values = before.flatMap((word, at) =>
    word === '--kubeconfig'
      ? [before[at + 1] ?? '']
      : word.startsWith('--kubeconfig=')
        ? [word.slice('--kubeconfig='.length)]
        : [],
  );
  return values.at(-1) || undefined;
}
