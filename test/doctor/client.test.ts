import { describe, expect, it } from 'vitest';
import { checkCluster, checkKubectl, checkUser } from '../../src/doctor/client.ts';
import type { Facts } from '../../src/doctor/facts.ts';
import { HEALTHY, refusal, silence } from './scene.ts';

describe('kubectl', () => {
  it.each<[string, Facts['kubectl'], string, RegExp]>([
    ['a new one', { value: 'v1.34.1' }, 'ok', /^v1\.34\.1$/],
    ['the oldest one', { value: 'v1.23.0' }, 'ok', /v1\.23\.0/],
    ['one of a vendor', { value: 'v1.32.4-dispatcher' }, 'ok', /dispatcher/],
    ['one of a later Kubernetes', { value: 'v2.0.0' }, 'ok', /v2/],
    ['one that is too old', { value: 'v1.22.17' }, 'problem', /v1\.22\.17 is older than 1\.23/],
    ['one that is much too old', { value: 'v1.9.11' }, 'problem', /older/],
    ['one with an unknown version', { value: 'dev\u001b[2J' }, 'unknown', /"dev\\x1b\[2J"/],
    [
      'none',
      { failure: { reason: 'kubectl was not found on PATH', hint: 'install' } },
      'problem',
      /not found/,
    ],
    ['one that does not answer', silence('no answer within 5 s'), 'unknown', /no answer/],
  ])('%s', (_what, kubectl, status, found) => {
    expect(checkKubectl({ kubectl })).toMatchObject({ status, found: expect.stringMatching(found) });
  });
  it('says which one to install', () =>
    expect(checkKubectl({ kubectl: { value: 'v1.20.0' } }).fix).toMatch(/^Install kubectl 1\.23 or newer/));
});

describe('the cluster', () => {
  const { door } = HEALTHY;
  const through = { value: { ...('value' in door ? door.value : undefined!), proxy: 'http://proxy:3128' } };
  it.each<[string, Pick<Facts, 'door' | 'user'>, string, string]>([
    ['that answers', HEALTHY, 'ok', 'https://api.example (context prod), without a proxy'],
    [
      'behind a proxy',
      { door: through, user: HEALTHY.user },
      'ok',
      'https://api.example (context prod), through the proxy http://proxy:3128',
    ],
    [
      'that refuses is there',
      { door, user: refusal(401, 'Unauthorized') },
      'ok',
      'https://api.example (context prod), without a proxy',
    ],
    [
      'that is unreachable',
      { door, user: { failure: { reason: 'the cluster is unreachable', hint: 'check' } } },
      'problem',
      'https://api.example (context prod), without a proxy: the cluster is unreachable',
    ],
    [
      'that does not answer',
      { door, user: silence('no answer within 10 s') },
      'problem',
      'https://api.example (context prod), without a proxy: no answer within 10 s',
    ],
    [
      'that the kubeconfig does not name',
      { door: { failure: { reason: 'no kubeconfig was found' } }, user: silence() },
      'problem',
      'no kubeconfig was found',
    ],
  ])('%s', (_what, facts, status, found) => expect(checkCluster(facts)).toMatchObject({ status, found }));
});

describe('the user', () => {
  it.each<[string, Facts['user'], string, RegExp]>([
    ['has a name', { value: 'jane' }, 'ok', /^jane$/],
    ['has none that the server tells', { value: undefined }, 'unknown', /1\.28/],
    ['is not logged in', refusal(401, 'You must be logged in', 'log in'), 'problem', /logged in/],
    ['is not told, because of an error', refusal(500, 'Error from server'), 'unknown', /Error/],
    ['is not told without a cluster', { failure: { reason: 'ECONNREFUSED' } }, 'unknown', /was not reached/],
  ])('%s', (_what, user, status, found) =>
    expect(checkUser({ user })).toMatchObject({ status, found: expect.stringMatching(found) }),
  );
});
