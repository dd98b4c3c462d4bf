import { describe, expect, it } from 'vitest';
import { apiError } from '../src/cluster/api-errors.ts';

const answer = (code: number, message: string, reason = '') =>
  Object.assign(new Error('x'), { code, body: JSON.stringify({ message, reason }) });
const nested = (message: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new AggregateError([new Error(message)], '')) });

describe('apiError', () => {
  it.each<[string, unknown, RegExp, RegExp | undefined]>([
    [
      'expired credentials',
      answer(401, 'Unauthorized', 'Unauthorized'),
      /^You must be logged in to the server/,
      /log in again/,
    ],
    [
      'Pod Security',
      answer(403, 'pods "x" is forbidden: violates PodSecurity "baseline:latest": privileged', 'Forbidden'),
      /^Error from server \(Forbidden\): pods "x" is forbidden: violates PodSecurity/,
      /manifests/,
    ],
    [
      'RBAC',
      answer(403, 'pods is forbidden: User "a" cannot create resource "pods"', 'Forbidden'),
      /cannot create resource/,
      /ask an administrator for the role/,
    ],
    [
      'Autopilot',
      answer(
        403,
        'GKE Warden rejected the request because … [denied by autogke-disallow-privilege]',
        'Forbidden',
      ),
      /GKE Warden/,
      /Autopilot does not run privileged pods/,
    ],
    [
      'OpenShift',
      answer(
        403,
        'pods "x" is forbidden: unable to validate against any security context constraint: [provider "privileged": Forbidden: not usable by user or serviceaccount]',
        'Forbidden',
      ),
      /unable to validate against any security context constraint/,
      /manifests --openshift/,
    ],
    ['a quota', answer(403, 'exceeded quota: compute', 'Forbidden'), /exceeded quota/, /describe quota/],
    [
      'a policy',
      answer(403, "ValidatingAdmissionPolicy 'x' denied request: no", 'Forbidden'),
      /denied request: no/,
      /admission policy/,
    ],
    [
      'an answer that is no JSON',
      Object.assign(new Error('x'), { code: 502, body: '<html>\x1b[31m' }),
      /^Error from server \(502\): <html>\\x1b\[31m$/,
      undefined,
    ],
    [
      'nobody there',
      nested('connect ECONNREFUSED 127.0.0.1:1'),
      /unreachable: .*ECONNREFUSED/,
      /kubectl config current-context/,
    ],
    ['no such host', new Error('getaddrinfo ENOTFOUND nope'), /unreachable/, undefined],
    [
      'no answer in time',
      new DOMException('The operation was aborted due to timeout', 'TimeoutError'),
      /did not answer in time/,
      /--request-timeout/,
    ],
    [
      'a wrong certificate',
      nested('self-signed certificate in certificate chain'),
      /certificate was not accepted/,
      /certificate-authority/,
    ],
  ])('%s', (_what, thrown, reason, hint) => {
    const error = apiError(thrown);
    expect(error.message).toMatch(reason);
    expect(error.code).toBe(3);
    if (hint) expect(error.hint).toMatch(hint);
    expect(error.cause).toBe(thrown);
  });
});
