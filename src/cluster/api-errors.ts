import { clusterError, type GkeprofError, reasonOf } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** What the API server answers with: metav1.Status, as far as it is read here. */
interface ApiStatus {
  readonly message?: string;
  readonly reason?: string;
}

/** The status code of an answer of the API server, or undefined for anything else that was thrown. */
export function apiCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  // A DOMException (a time-out) has a small code of its own.
  return typeof code === 'number' && code >= 100 ? code : undefined;
}

/** kubectl's words for a refusal: `Error from server (NotFound): pods "x" not found`. */
export function refusalText(error: unknown): { reason: string; message: string } {
  const body = (error as { body?: unknown }).body;
  const status = parseStatus(body);
  const message = printable(status.message ?? (typeof body === 'string' && body ? body : reasonOf(error)));
  return { reason: status.reason ?? '', message };
}

function parseStatus(body: unknown): ApiStatus {
  if (typeof body !== 'string') return (body ?? {}) as ApiStatus;
  try {
    return JSON.parse(body) as ApiStatus;
  } catch {
    return {};
  }
}

const UNREACHABLE =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNRESET|fetch failed|Connect Timeout|other side closed/;
const BAD_CERTIFICATE = /certificate|self.signed|unable to verify|CERT_/i;

/** Turns whatever an API call threw into one line and a next step; exit code 3. */
export function apiError(error: unknown, hint?: string): GkeprofError {
  const code = apiCode(error);
  if (code === 401) {
    return clusterError(
      'You must be logged in to the server (Unauthorized)',
      'the credentials in the kubeconfig are missing or expired: log in again, then check with `kubectl auth whoami`',
      error,
    );
  }
  if (code !== undefined) {
    const { reason, message } = refusalText(error);
    return clusterError(
      `Error from server (${reason || code}): ${message}`,
      hint ?? hintFor(code, message),
      error,
    );
  }
  const text = causes(error);
  if (/timed? ?out|TimeoutError|aborted due to timeout/i.test(text)) {
    return clusterError(
      `the API server did not answer in time: ${printable(text)}`,
      'raise --request-timeout',
      error,
    );
  }
  if (BAD_CERTIFICATE.test(text)) {
    return clusterError(
      `the API server's certificate was not accepted: ${printable(text)}`,
      "check the cluster's certificate-authority in the kubeconfig",
      error,
    );
  }
  if (UNREACHABLE.test(text)) {
    return clusterError(
      `the cluster cannot be reached: ${printable(text)}`,
      'check the context with `kubectl config current-context`, and the way to it with `kubectl version`',
      error,
    );
  }
  return clusterError(printable(text), 'see whether `kubectl get pods` works with the same flags', error);
}

function causes(error: unknown): string {
  const texts: string[] = [];
  for (
    let at = error;
    at !== undefined && at !== null && texts.length < 4;
    at = (at as { cause?: unknown }).cause
  ) {
    const inner = (at as { errors?: unknown[] }).errors?.[0];
    texts.push(reasonOf(at) || (inner === undefined ? '' : reasonOf(inner)));
  }
  return texts.filter(Boolean).join(': ');
}

function hintFor(code: number, message: string): string | undefined {
  if (code !== 403) return undefined;
  if (/violates PodSecurity/.test(message)) {
    return 'debug pods need a namespace of the level privileged, also with --least-privilege: `kubectl gkeprof manifests | kubectl apply -f -` makes one; or name one with --debug-namespace';
  }
  if (/GKE Warden|autogke-/.test(message)) {
    return 'GKE Autopilot does not run privileged pods; use a node pool of a Standard cluster';
  }
  if (/exceeded quota/.test(message)) return 'the namespace has a quota: see `kubectl describe quota`';
  if (/cannot|is forbidden: User/.test(message)) {
    return 'ask for the role that `kubectl gkeprof manifests` prints; `kubectl auth can-i --list` shows what you may do';
  }
  return 'an admission policy or webhook of the cluster refused it: its message says which';
}
