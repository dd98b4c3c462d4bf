import { startKubectl, viewWords } from './ask-kubectl.ts';
import type { KubectlHome, ReadAhead } from './kubectl-home.ts';

/**
 * Has kubectl read the configuration while this process still takes its command line apart, which is half of the time before
 * the first answer of the API; the launcher of the bundle does so before it loads the program. Undefined where help is
 * asked for. What the words turn out to mean is not decided here: where they name another file after
 * all, this answer is not used.
 */
export function readAhead(
  words: readonly string[],
  home: Pick<KubectlHome, 'env' | 'windows'>,
): ReadAhead | undefined {
  if (words.includes('--help') || words.includes('-h')) return undefined;
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
