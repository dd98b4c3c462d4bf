import { afterEach, describe, expect, it, vi } from 'vitest';
import { apiError } from '../../src/cluster/api-errors.ts';
import { kubectlError } from '../../src/cluster/kubectl-words.ts';
import { clusterError } from '../../src/errors.ts';
import { Log } from '../../src/output/log.ts';
import { type Patience, patiently } from '../../src/session/patience.ts';
import { apiAnswer, fakeCluster, result } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

afterEach(() => vi.useRealTimers());

const never = new Promise<never>(() => {});
const transport = (code: string) => apiError(new Error(`${code}: socket hang up`));

/** Somebody who asks, and by the way notes how long was waited and what was said. */
function asker(patience: Partial<Patience> = {}) {
  const waits: number[] = [];
  const said: string[] = [];
  const context = contextOf(fakeCluster(), {
    sleep: async (ms) => void waits.push(ms),
    log: new Log({ write: (text) => said.push(text.trimEnd()) }),
  });
  const ask = <T>(question: () => Promise<T>) =>
    patiently(question, { meanwhile: 'the capture goes on', ...patience }, context);
  return { ask, waits, said };
}

/** Fails so many times, then answers; `count` says how often it was asked. */
function failing(times: number, problem: () => unknown) {
  let asked = 0;
  return {
    question: async () => {
      asked += 1;
      if (asked <= times) throw problem();
      return 'answer';
    },
    count: () => asked,
  };
}

describe('patience', () => {
  it.each<[string, () => unknown]>([
    ['a reset connection', () => transport('ECONNRESET')],
    ['a refused connection', () => transport('ECONNREFUSED')],
    ['a broken pipe', () => transport('EPIPE')],
    ['no answer in time', () => apiError(new Error('timed out after 30 s'))],
    ['500', () => apiAnswer(500, 'etcdserver: leader changed')],
    ['503', () => apiAnswer(503, 'apiserver is shutting down')],
    ['429', () => apiAnswer(429, 'too many requests')],
    ['kubectl without a connection', () => kubectlError(result('', 1, 'error: dial tcp: i/o timeout'))],
  ])('outlasts %s', async (_what, problem) => {
    const { ask, said } = asker();
    expect(await ask(failing(4, problem).question)).toBe('answer');
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/; the capture goes on, and this is tried again for 2m$/);
  });

  it('does not count the time in which the computer was asleep', async () => {
    let clock = 0;
    const context = contextOf(fakeCluster(), {
      now: () => clock,
      sleep: async (ms) => {
        clock += ms;
      },
    });
    let asked = 0;
    const question = async () => {
      asked += 1;
      // The lid is closed during the second request, and the network comes back some tries after it was opened.
      if (asked === 2) clock += 3_600_000;
      if (asked < 8) throw transport('ECONNRESET');
      return 'answer';
    };
    expect(await patiently(question, { meanwhile: 'the capture goes on' }, context)).toBe('answer');
  });

  it('counts the time of requests that fail slowly', async () => {
    let clock = 0;
    const context = contextOf(fakeCluster(), {
      now: () => clock,
      sleep: async (ms) => {
        clock += ms;
      },
    });
    let asked = 0;
    const question = async () => {
      asked += 1;
      clock += 30_000;
      throw transport('ECONNRESET');
    };
    await expect(patiently(question, { meanwhile: 'the capture goes on' }, context)).rejects.toThrow();
    expect(asked).toBe(4);
  });

  it('says nothing of a fault that is over at the next try', async () => {
    const { ask, said } = asker();
    await ask(failing(1, () => transport('ECONNRESET')).question);
    expect(said).toEqual([]);
  });

  it('says once that the server is away, however many wait for it', async () => {
    const { ask, said } = asker();
    await Promise.all([1, 2, 3].map(() => ask(failing(5, () => transport('ECONNREFUSED')).question)));
    expect(said).toHaveLength(1);
  });

  it.each<[string, () => unknown]>([
    ['401', () => apiAnswer(401, 'Unauthorized')],
    ['403', () => apiAnswer(403, 'pods is forbidden: User "sre" cannot create resource "pods"')],
    ['404', () => apiAnswer(404, 'not found')],
    ['a certificate', () => apiError(new Error('unable to verify the first certificate'))],
    ['an error of its own', () => clusterError('kubectl was not found on PATH')],
    ['a bug', () => new TypeError('x is undefined')],
    [
      'kubectl that is refused',
      () => kubectlError(result('', 1, 'error: You must be logged in to the server (Unauthorized)')),
    ],
  ])('does not ask again after %s', async (_what, problem) => {
    const { ask, said } = asker();
    const { question, count } = failing(9, problem);
    await expect(ask(question)).rejects.toMatchObject({ message: (problem() as Error).message });
    expect(count()).toBe(1);
    expect(said).toEqual([]);
  });

  const LACKING = 'pods "x" is forbidden: User "sre" cannot get resource "pods" in the namespace "gkeprof"';
  const lacking = () => apiAnswer(403, LACKING, 'Forbidden');

  it.each<[string, () => unknown]>([
    ['the API server', lacking],
    ['kubectl', () => kubectlError(result('', 1, `Error from server (Forbidden): ${LACKING}`))],
    ['the kubelet', () => kubectlError(result('', 1, 'error: unable to upgrade connection: Forbidden'))],
  ])('asks again for a right that the session had before (%s)', async (_who, problem) => {
    const { ask, said } = asker();
    await ask(failing(0, problem).question);
    expect(await ask(failing(8, problem).question)).toBe('answer');
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/orbidden.*; the capture goes on, and this is tried again for 40s$/);
  });

  it('asks again for a right that is missing just after the server was away', async () => {
    const { ask } = asker();
    let asked = 0;
    const question = async () => {
      asked += 1;
      if (asked < 9) throw asked < 5 ? transport('ECONNREFUSED') : lacking();
      return 'answer';
    };
    expect(await ask(question)).toBe('answer');
  });

  it('gives up a right that does not come back long before its bound', async () => {
    const { ask, waits } = asker();
    await ask(failing(0, lacking).question);
    await expect(ask(failing(999, lacking).question)).rejects.toThrow(LACKING);
    const sum = waits.reduce((a, b) => a + b, 0);
    expect(sum).toBeLessThanOrEqual(40_000);
    expect(sum).toBeGreaterThan(35_000);
  });

  it.each<[string, () => unknown]>([
    ['a policy', () => apiAnswer(403, 'pods "x" is forbidden: ValidatingAdmissionPolicy denied request')],
    ['a quota', () => apiAnswer(403, 'pods "x" is forbidden: exceeded quota')],
    ['an expired token', () => apiAnswer(401, 'Unauthorized')],
    ['a pod that is gone', () => apiAnswer(404, 'not found')],
  ])(
    'does not ask again after the refusal of %s, though the session had its rights',
    async (_who, problem) => {
      const { ask } = asker();
      await ask(failing(0, problem).question);
      const { question, count } = failing(9, problem);
      await expect(ask(question)).rejects.toThrow();
      expect(count()).toBe(1);
    },
  );

  it('waits at the first question for a server that only starts', async () => {
    const { ask } = asker();
    const starting = () =>
      apiAnswer(403, 'pods "x" is forbidden: not yet ready to handle request', 'Forbidden');
    expect(await ask(failing(4, starting).question)).toBe('answer');
  });

  it('has a bound, and then gives the last error', async () => {
    const { ask, waits } = asker({ boundMs: 10_000 });
    await expect(ask(failing(99, () => apiAnswer(500, 'etcd is away')).question)).rejects.toThrow(
      'etcd is away',
    );
    const sum = waits.reduce((a, b) => a + b, 0);
    expect(sum).toBeLessThanOrEqual(10_000);
    expect(sum).toBeGreaterThan(7000);
  });

  const busy = (seconds: string) =>
    apiError(
      Object.assign(new Error('HTTP'), {
        code: 429,
        body: '{"message":"slow down"}',
        headers: { 'retry-after': seconds },
      }),
    );

  it('waits as long as the server says', async () => {
    const { ask, waits } = asker();
    await ask(failing(2, () => busy('7')).question);
    expect(waits).toEqual([7000, 7000]);
  });

  it('does not wait for a server that wants more time than there is', async () => {
    const { ask, waits } = asker();
    await expect(ask(failing(9, () => busy('600')).question)).rejects.toThrow('slow down');
    expect(waits).toEqual([]);
  });

  it('ends at its bound though an answer never comes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const { ask } = asker();
    const ended = ask(() => never).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(await ended).toMatchObject({ code: 3, message: 'the API server did not answer within 2m' });
  });

  it('ends with the reason of the user, and with the last error where only the time is over', async () => {
    const user = new AbortController();
    const gaveUp = asker({ signal: user.signal }).ask(() => never);
    user.abort(new Error('interrupted'));
    await expect(gaveUp).rejects.toThrow('interrupted');
    const time = new AbortController();
    const { question, count } = failing(2, () => apiAnswer(500, 'etcd is away'));
    const late = asker({ until: time.signal }).ask(async () => {
      if (count() === 1) time.abort();
      return question();
    });
    await expect(late).rejects.toThrow('etcd is away');
  });
});
