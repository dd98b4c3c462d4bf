import { clusterError, GkeprofError, reasonOf } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { KubectlRefusal, KubectlTrouble } from './kubectl-words.ts';

/** The fields of metav1.Status, the API server's error answer, that are read here. */
interface ApiStatus {
  readonly message?: string;
  readonly reason?: string;
}

/** The status code of an answer of the API server, or undefined for anything else that was thrown. */
export function apiCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  // A DOMException, such as a timeout, also has a numeric code, which is below 100.
  return typeof code === 'number' && code >= 100 ? code : undefined;
}

/** The reason and the message that kubectl prints for an API error: `Error from server (NotFound): pods "x" not found`. */
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
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN|ECONNRESET|ECONNABORTED|EPIPE|socket hang up|fetch failed|Connect Timeout|other side closed|the proxy closed/;
const BAD_CERTIFICATE = /certificate|self.signed|unable to verify|CERT_/i;
const TIMED_OUT = /timed? ?out|TimeoutError|aborted due to timeout/i;

/** What an API server says whose admission plugins have not read the objects of the cluster yet: it is only starting. */
const NOT_READY = /not yet ready to handle request/;

/**
 * Whether the same call may succeed later: the API server could not be reached, did not answer in time, or said that it is
 * in trouble (5xx), busy (429) or not ready. False for every other refusal, and for what this computer itself cannot do.
 */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof GkeprofError) || error.cause === undefined) return false;
  const { cause } = error;
  if (cause instanceof KubectlTrouble) return true;
  const code = apiCode(cause);
  if (code === 403) return NOT_READY.test(error.message);
  if (code !== undefined) return code >= 500 || code === 429 || code === 408;
  const text = causes(cause);
  return TIMED_OUT.test(text) || (UNREACHABLE.test(text) && !BAD_CERTIFICATE.test(text));
}

/**
 * Whether the user lacks a right, by the API server or by the kubelet, which asks the API server. An API server that has just
 * started says the same of everybody, until it has read the roles of the cluster.
 */
export function isMissingRight(error: unknown): boolean {
  if (!(error instanceof GkeprofError)) return false;
  const isRefusal = error.cause instanceof KubectlRefusal || apiCode(error.cause) === 403;
  return isRefusal && MISSING_RIGHT.test(error.message);
}

/** The words of an authorizer; those of an admission policy, a webhook or a quota are others. */
const MISSING_RIGHT = /forbidden: User .* cannot |unable to upgrade connection: Forbidden/;

/** How long the server wants to be left alone, in milliseconds (Retry-After, RFC 9110 10.2.3); undefined if it does not say. */
export function retryAfterMs(error: unknown): number | undefined {
  const { headers } = ((error as Error).cause ?? {}) as { headers?: Readonly<Record<string, string>> };
  const text = headers?.['retry-after'];
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined;
}

/** Turns anything that an API call threw into an error with one line, a hint and exit code 3. */
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
  if (TIMED_OUT.test(text)) {
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
      `the cluster is unreachable: ${printable(text)}`,
      'check the context with `kubectl config current-context` and the connection with `kubectl version`',
      error,
    );
  }
  return clusterError(printable(text), 'check whether `kubectl get pods` works with the same flags', error);
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
    return 'debug pods need a namespace with the Pod Security level "privileged", even with --least-privilege: create one with `kubectl gkeprof manifests | kubectl apply -f -`, or choose one with --debug-namespace';
  }
  if (/GKE Warden|autogke-/.test(message)) {
    return 'GKE Autopilot does not run privileged pods; use a Standard cluster';
  }
  if (/security context constraint/.test(message)) {
    return 'OpenShift needs a SecurityContextConstraints for debug pods, and users need the role to use it: `kubectl gkeprof manifests --openshift` prints both';
  }
  if (/exceeded quota/.test(message))
    return 'the namespace has a quota: check it with `kubectl describe quota`';
  if (/cannot|is forbidden: User/.test(message)) {
    return 'ask an administrator for the role that `kubectl gkeprof manifests` prints; `kubectl auth can-i --list` shows what you are allowed to do';
  }
  return 'an admission policy or webhook of the cluster refused the request; the message above names it';
}
