import { clusterError, type GkeprofError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { CallResult } from './cluster.ts';

/** Marks the error of a kubectl call that may succeed later, as an API error is marked by its status code. */
export class KubectlTrouble extends Error {}

/** Marks the error of a kubectl call that the API server or the kubelet refused. */
export class KubectlRefusal extends Error {}

/** What kubectl prints where the API server or the kubelet refused: 401, 403 and 404. */
const REFUSED =
  /You must be logged in to the server|\((?:Unauthorized|Forbidden|NotFound)\)|unable to upgrade connection: (?:Unauthorized|Forbidden)/;

/** The line in which kubectl says that it was refused, without `error:`; undefined for any other failure. */
export function refusalOf(stderr: string): string | undefined {
  const line = stderr.split('\n').find((each) => REFUSED.test(each));
  return line === undefined ? undefined : printable(line.trim().replace(/^error: /, ''));
}

/** The error of a kubectl call that failed, with kubectl's last words: final if it was refused, else it may pass. */
export function kubectlError({ stderr }: CallResult): GkeprofError {
  const refusal = refusalOf(stderr);
  if (refusal !== undefined) return clusterError(refusal, undefined, new KubectlRefusal(refusal));
  const words = printable(
    stderr
      .split('\n')
      .at(-1)
      ?.replace(/^error: /, '') ?? '',
  );
  return clusterError(words || 'kubectl was ended', undefined, new KubectlTrouble(words));
}

/** Whether kubectl failed by itself, and not the command that it ran in a container. */
export const isOfKubectl = ({ exitCode, stderr }: CallResult): boolean =>
  exitCode !== 0 &&
  (stderr === '' ||
    /^(?:error:|Error from server|Unable to connect|The connection to the server)/m.test(stderr));
