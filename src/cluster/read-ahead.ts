import { startKubectl, viewWords } from './ask-kubectl.ts';
import type { KubectlHome, ReadAhead } from './kubectl-home.ts';

/**
 * Starts kubectl to read the configuration while this process still parses its command line, because reading it is half of
 * the time before the API's first answer. The bundle's launcher does this before it loads the program. Returns undefined
 * where the user asks for help. This only guesses --kubeconfig from the words: if the parsed command line names another
 * file, the output is not used.
 */
export function readAhead(
  words: readonly string[],
  home: Pick<KubectlHome, 'env' | 'windows'>,
): ReadAhead | undefined {
  if (words.includes('--help') || words.includes('-h')) return undefined;
  const kubeconfig = namedFile(words);
  const asked = startKubectl(viewWords(kubeconfig), home);
  asked.output.catch(() => {}); // The caller that awaits the output reports the error.
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
