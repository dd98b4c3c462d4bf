import { clusterError } from '../errors.ts';
import { startKubectl } from './ask-kubectl.ts';
import type { KubectlHome } from './kubectl-home.ts';
import { askedOf, refusedByKubectl } from './read-kubeconfig.ts';

const WORDS = ['version', '--client', '-o', 'json'] as const;

/** The version of the user's kubectl, such as `v1.34.1`. Rejects if there is none, or if it does not tell within `boundMs`. */
export async function kubectlVersion(home: KubectlHome, boundMs: number): Promise<string> {
  const asked = startKubectl(WORDS, home);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    asked.abandon();
  }, boundMs);
  try {
    const { status, stdout, stderr } = await askedOf(WORDS, home, asked);
    if (isLate)
      throw clusterError(
        `kubectl did not tell its version within ${boundMs / 1000} s`,
        'kubectl version --client',
      );
    if (status !== 0) throw refusedByKubectl(stderr, 'kubectl version --client');
    const version = versionIn(stdout);
    if (version === undefined)
      throw clusterError('kubectl did not print its version', 'kubectl version --client');
    return version;
  } finally {
    clearTimeout(timer);
  }
}

function versionIn(text: string): string | undefined {
  try {
    const { clientVersion } = JSON.parse(text) as { clientVersion?: { gitVersion?: unknown } };
    return typeof clientVersion?.gitVersion === 'string' ? clientVersion.gitVersion : undefined;
  } catch {
    return undefined;
  }
}
