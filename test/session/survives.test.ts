import { describe, expect, it } from 'vitest';
import { apiError } from '../../src/cluster/api-errors.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { EXIT, type GkeprofError } from '../../src/errors.ts';
import { makeReceipt } from '../../src/session/receipt.ts';
import { sessionCode } from '../../src/workflow/run-capture.ts';
import { apiAnswer, bytes, type FakeCluster, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { copy, DATA, FILE_NAME, laptop, nodeSide, PLAN, shortClock } from './scene.ts';

/** Faults that last, in each stage of the life of a debug pod. */
const { run, said, files, interrupt } = laptop();
const { name: POD } = PLAN.debugPod;
const never = new Promise<never>(() => {});

const away = () => apiError(new Error('ECONNREFUSED: connect ECONNREFUSED 10.0.0.1:443'));
const reset = () => apiError(new Error('ECONNRESET: socket hang up'));
const expired = () => apiAnswer(401, 'Unauthorized');
const LACKING = 'pods "x" is forbidden: User "alice" cannot get resource "pods" in the namespace "gkeprof"';
const FORBIDDEN = `Error from server (Forbidden): ${LACKING}`;
const lacking = () => apiAnswer(403, LACKING, 'Forbidden');
const EXPIRED = 'You must be logged in to the server (Unauthorized)';

/** A cluster on which all goes well, with these differences. */
const good = (overrides: Partial<Cluster> = {}): FakeCluster => {
  const cluster = fakeCluster({ followLogs: () => lines(nodeSide().script(), true), copy, ...overrides });
  return cluster;
};

/** Replaces a method by one that is told how often it was asked, and gets the method as it was. */
function replace<M extends 'readPod' | 'createPod' | 'deletePod'>(
  cluster: FakeCluster,
  method: M,
  by: (asked: number, works: () => ReturnType<Cluster[M]>) => ReturnType<Cluster[M]>,
): () => number {
  const works = cluster[method] as (...words: unknown[]) => ReturnType<Cluster[M]>;
  let asked = 0;
  (cluster as unknown as Record<string, unknown>)[method] = (...words: unknown[]) => {
    asked += 1;
    return by(asked, () => works(...words));
  };
  return () => asked;
}

const failure = async (cluster: FakeCluster): Promise<GkeprofError> =>
  run(cluster).then(
    () => {
      throw new Error('the session succeeded');
    },
    (error: unknown) => error as GkeprofError,
  );

async function succeeds(cluster: FakeCluster) {
  const got = await run(cluster);
  await got.removed;
  expect(files()).toEqual([FILE_NAME]);
  expect(cluster.pods.size).toBe(0);
  return got;
}

describe('the creation', () => {
  it('is taken as done where only its answer was lost: one request, one pod', async () => {
    const cluster = good();
    const asked = replace(cluster, 'createPod', async (_asked, works) => {
      await works();
      throw reset();
    });
    await succeeds(cluster);
    expect(asked()).toBe(1);
  });

  it.each([
    ['the request was lost', reset],
    ['the server was away', away],
    ['the server was in trouble', () => apiAnswer(500, 'etcdserver: leader changed')],
    ['the server was busy', () => apiAnswer(429, 'too many requests')],
  ])('is asked for again where %s and there is no pod', async (_what, problem) => {
    const cluster = good();
    const asked = replace(cluster, 'createPod', async (asked, works) => {
      if (asked < 4) throw problem();
      return works();
    });
    await succeeds(cluster);
    expect(asked()).toBe(4);
  });

  it('is taken as done where the first request arrives after the second was sent', async () => {
    const cluster = good();
    const asked = replace(cluster, 'createPod', async (asked, works) => {
      if (asked === 1) throw reset();
      await works();
      throw apiAnswer(409, `pods "${POD}" already exists`, 'AlreadyExists');
    });
    await succeeds(cluster);
    expect(asked()).toBe(2);
  });

  it('leaves a pod alone that was there before', async () => {
    const cluster = good();
    replace(cluster, 'createPod', async () => {
      throw apiAnswer(409, `pods "${POD}" already exists`, 'AlreadyExists');
    });
    expect((await failure(cluster)).message).toContain('already exists');
    expect(cluster.calls).not.toContain('delete');
  });

  it('is cleaned up after where a lost request may have made the pod, and the next one is refused', async () => {
    const cluster = good();
    replace(cluster, 'createPod', async (asked, works) => {
      if (asked > 1) throw expired();
      await works();
      cluster.readPod = async () => {
        throw apiAnswer(404, 'not found');
      };
      throw reset();
    });
    expect((await failure(cluster)).message).toBe(EXPIRED);
    expect(cluster.pods.size).toBe(0);
  });

  it('is asked for again where the server that was away knows no roles yet', async () => {
    const cluster = good();
    const asked = replace(cluster, 'createPod', async (asked, works) => {
      if (asked < 6) throw asked < 3 ? away() : lacking();
      return works();
    });
    const read = cluster.readPod;
    cluster.readPod = async (...words) => {
      if (asked() > 1 && asked() < 5) throw apiAnswer(404, 'not found');
      return read(...words);
    };
    await succeeds(cluster);
    expect(asked()).toBe(6);
  });

  it.each([
    ['a token that has expired', expired, EXPIRED],
    ['a right that is missing', lacking, FORBIDDEN],
  ])('ends at once where it is refused: %s', async (_what, refuses, message) => {
    const cluster = good();
    const asked = replace(cluster, 'createPod', async () => {
      throw refuses();
    });
    expect(await failure(cluster)).toMatchObject({ code: EXIT.cluster, message });
    expect(asked()).toBe(1);
    expect(cluster.calls).not.toContain('delete');
  });
});

describe('the wait for the start', () => {
  it.each([
    ['a reset', reset, 1],
    ['an API server that is away', away, 12],
    ['an API server in trouble', () => apiAnswer(503, 'shutting down'), 5],
    ['an API server that has not read the roles of the cluster yet', lacking, 5],
  ])('outlasts %s', async (_what, problem, times) => {
    const cluster = good();
    replace(cluster, 'readPod', async (asked, works) => {
      if (asked <= times) throw problem();
      return works();
    });
    await succeeds(cluster);
  });

  it('ends at once where the user may not look any more', async () => {
    const cluster = good();
    const asked = replace(cluster, 'readPod', async () => {
      throw expired();
    });
    expect(await failure(cluster)).toMatchObject({ code: EXIT.cluster, message: EXPIRED });
    expect(asked()).toBe(1);
    expect(cluster.calls.at(-1)).toBe('delete');
  });

  it('ends with Ctrl-C, and the pod with it', async () => {
    const cluster = good();
    replace(cluster, 'readPod', async (asked) => {
      if (asked === 3) interrupt();
      throw away();
    });
    expect((await failure(cluster)).code).toBe(EXIT.interrupted);
    expect(cluster.pods.size).toBe(0);
  });
});

describe('the last events', () => {
  it('are waited for while the API server is away, however often they were asked for', async () => {
    const all = nodeSide().script();
    let isAway = false;
    let looks = 0;
    const cluster = good({
      followLogs: () => {
        cluster.pods.get(POD)!.status!.containerStatuses = [
          status('capture', { terminated: { exitCode: 0 } }),
        ] as never;
        return lines(all.slice(0, 2));
      },
      exec: async (_ref, argv) => {
        if (argv[0] !== 'cat') return result();
        if (looks === 0) isAway = true;
        return isAway
          ? result('', 1, 'error: dial tcp: connect: connection refused')
          : result(`${all.join('\n')}\n`);
      },
    });
    replace(cluster, 'readPod', async (_asked, works) => {
      if (!isAway) return works();
      looks += 1;
      if (looks < 30) throw away();
      isAway = false;
      return works();
    });
    await succeeds(cluster);
  });
});

describe('a right that is missing for a moment', () => {
  const refused = result('', 1, FORBIDDEN);
  const broken: Cluster['copy'] = async () => result('', 1, 'error: connection reset by peer');

  it('costs no events: the last ones are asked for again', async () => {
    const all = nodeSide().script();
    let asked = 0;
    const cluster = good({
      followLogs: () => {
        cluster.pods.get(POD)!.status!.containerStatuses = [
          status('capture', { terminated: { exitCode: 0 } }),
        ] as never;
        return lines(all.slice(0, 2));
      },
      exec: async (_ref, argv) => {
        if (argv[0] !== 'cat') return result();
        asked += 1;
        return asked < 8 ? refused : result(`${all.join('\n')}\n`);
      },
    });
    await succeeds(cluster);
    expect(said().match(/is tried again for 40s/g)).toHaveLength(1);
  });

  it.each<[string, Cluster['copy']]>([
    ['kubectl cp', async () => refused],
    ['kubectl exec', broken],
  ])('costs no copy: %s', async (_who, copies) => {
    let asked = 0;
    let isLate = false;
    const cluster = good({
      copy: copies,
      execStream: (_ref, argv) => {
        isLate = true;
        return asked < 6
          ? { ...lines([]), ended: Promise.resolve(refused) }
          : bytes(DATA.subarray(Number(argv.at(-2))));
      },
      exec: async () => {
        asked += 1;
        return asked < 6 ? refused : result();
      },
    });
    await succeeds(cluster);
    expect(isLate).toBe(true);
    expect(asked).toBeGreaterThanOrEqual(6);
  });

  it('ends the copy if it stays missing, with the words of the refusal and the command', async () => {
    let ranges = 0;
    const cluster = good({
      copy: async () => refused,
      exec: async () => refused,
      execStream: (_ref, words) => {
        if (words.includes('range')) ranges += 1;
        return { ...lines([]), ended: Promise.resolve(refused) };
      },
    });
    const error = await failure(cluster);
    expect(error).toMatchObject({
      code: EXIT.incomplete,
      message: `the capture is finished on the node, but could not be copied: ${FORBIDDEN}`,
    });
    expect(error.hint).toContain('this still gets the file: ');
    expect(ranges).toBe(0);
  });
});

describe('the second look at the target', () => {
  it('costs no capture: it is said that nothing is known, and the receipt says it', async () => {
    const cluster = good();
    replace(cluster, 'readPod', async (_asked, works) => works());
    const read = cluster.readPod;
    cluster.readPod = async (namespace, name) => {
      if (name === 'redis-0') throw apiAnswer(403, 'pods "redis-0" is forbidden', 'Forbidden');
      return read(namespace, name);
    };
    const got = await succeeds(cluster);
    expect(got.targetChanges).toEqual([]);
    expect(got.targetUnknown).toBe('Error from server (Forbidden): pods "redis-0" is forbidden');
    expect(sessionCode(got)).toBe(EXIT.done);
    const receipt = JSON.parse(JSON.stringify(makeReceipt(PLAN, got, {})));
    expect(receipt.targetUnknown).toContain('Forbidden');
    expect(faults('receipt', receipt)).toEqual([]);
  });

  it('is not waited for any longer once the file is here', async () => {
    const cluster = good();
    const read = cluster.readPod;
    cluster.readPod = (namespace, name) => (name === 'redis-0' ? never : read(namespace, name));
    const got = await succeeds(cluster);
    expect(got.targetUnknown).toContain('did not answer');
  });
});

describe('the copy', () => {
  const noCopy: Cluster['copy'] = async () => result('', 1, 'error: dial tcp: connect: connection refused');

  it('goes on when the API server is back', async () => {
    let looks = 0;
    const cluster = good({
      copy: noCopy,
      execStream: (_ref, argv) => (looks < 20 ? lines([]) : bytes(DATA.subarray(Number(argv.at(-2))))),
    });
    let isCopying = false;
    const copying = cluster.copy;
    cluster.copy = (...words) => {
      isCopying = true;
      return copying(...words);
    };
    replace(cluster, 'readPod', async (_asked, works) => {
      if (!isCopying) return works();
      looks += 1;
      if (looks < 20) throw away();
      return works();
    });
    await succeeds(cluster);
    expect(said().match(/is tried again for 2m/g)).toHaveLength(1);
  });

  it.each([
    ['the API server', { copy: noCopy }, expired, EXPIRED],
    ['kubectl cp', { copy: async () => result('', 1, `error: ${EXPIRED}`) }, undefined, EXPIRED],
    [
      'kubectl exec',
      {
        copy: noCopy,
        execStream: () => ({
          ...lines([]),
          ended: Promise.resolve(result('', 1, 'Error from server (Forbidden): pods "x" is forbidden')),
        }),
      },
      undefined,
      'Error from server (Forbidden): pods "x" is forbidden',
    ],
  ] as const)('ends at once with the words of a refusal (%s)', async (_who, overrides, refuses, words) => {
    let ranges = 0;
    const cluster = good(overrides);
    const stream = cluster.execStream;
    cluster.execStream = (ref, words) => {
      if (words.includes('range')) ranges += 1;
      return stream(ref, words);
    };
    if (refuses)
      replace(cluster, 'readPod', async (asked, works) => {
        if (asked > 3) throw refuses();
        return works();
      });
    const error = await failure(cluster);
    expect(error).toMatchObject({
      code: EXIT.incomplete,
      message: `the capture is finished on the node, but could not be copied: ${words}`,
    });
    expect(error.hint).toContain('this still gets the file: ');
    expect(ranges).toBeLessThan(2);
  });

  it('ends with its bound where nothing comes though the server answers, and the pod keeps the file', async () => {
    const cluster = good({ copy: noCopy });
    expect((await failure(cluster)).message).toMatch(/the copy stopped at 0 B of 43 B$/);
    expect(said()).toContain(`the debug pod gkeprof/${POD} keeps the file for 10m, then it stops by itself`);
    expect(cluster.pods.size).toBe(1);
  });
});

describe('a file that could not be copied', () => {
  const full: Cluster['copy'] = async () => result('', 1, 'write: no space left on device');

  it.each<[string, (cluster: FakeCluster) => void, string]>([
    ['was deleted', (cluster) => cluster.pods.delete(POD), 'somebody deleted it'],
    [
      'is being deleted',
      (cluster) => {
        cluster.pods.get(POD)!.metadata!.deletionTimestamp = new Date();
      },
      'somebody deleted it',
    ],
    [
      'was replaced by another of its name',
      (cluster) => {
        cluster.pods.get(POD)!.metadata = { name: POD, uid: 'another' };
      },
      'somebody deleted it',
    ],
    [
      'was evicted',
      (cluster) => {
        cluster.pods.get(POD)!.status = { phase: 'Failed', reason: 'Evicted', message: 'disk' };
      },
      'the cluster ended it: Evicted: disk',
    ],
    [
      'has ended',
      (cluster) => {
        cluster.pods.get(POD)!.status = { phase: 'Succeeded' };
      },
      'it has ended',
    ],
  ])('is gone with its debug pod: one that %s', async (_what, happens, why) => {
    const cluster = good({
      copy: async (...words) => {
        happens(cluster);
        return full(...words);
      },
    });
    replace(cluster, 'createPod', async (_asked, works) => {
      const made = await works();
      made.metadata!.uid = 'u-1';
      return made;
    });
    const error = await failure(cluster);
    expect(error).toMatchObject({ code: EXIT.cluster, hint: undefined });
    expect(error.message).toBe(
      `the capture is finished on the node, but could not be copied: no space left on device; the debug pod gkeprof/${POD} is gone (${why}), and with it the file`,
    );
    expect(said()).not.toContain('keeps the file');
  });

  it('is gone while ranges are read: that ends the copy at once', async () => {
    const cluster = good({
      copy: async () => {
        cluster.pods.delete(POD);
        return result('', 1, 'error: dial tcp: connect: connection refused');
      },
    });
    expect(await failure(cluster)).toMatchObject({
      code: EXIT.cluster,
      message: `the capture was finished, but the debug pod gkeprof/${POD} is gone (somebody deleted it), and with it the file`,
    });
  });

  it('is gone with a debug pod that kubectl does not find: one sentence, not the words of kubectl too', async () => {
    const cluster = good({
      copy: async () => {
        cluster.pods.delete(POD);
        return result('', 1, `Error from server (NotFound): pods "${POD}" not found`);
      },
    });
    expect(await failure(cluster)).toMatchObject({
      code: EXIT.cluster,
      message: `the capture was finished, but the debug pod gkeprof/${POD} is gone (somebody deleted it), and with it the file`,
      hint: undefined,
    });
  });

  it('is promised by nobody where the API server does not show the pod', async () => {
    const cluster = good({
      copy: async (...words) => {
        cluster.readPod = async () => {
          throw expired();
        };
        return full(...words);
      },
    });
    expect((await failure(cluster)).code).toBe(EXIT.incomplete);
    expect(said()).toContain(
      `it is not known whether the debug pod gkeprof/${POD} still has the file (${EXPIRED}): unless somebody deletes the pod, it keeps the file for 10m`,
    );
  });
});

describe('the deletion', () => {
  it.each([
    ['a reset', reset, 1],
    ['an API server that is away', away, 9],
    ['an API server in trouble', () => apiAnswer(500, 'etcd is away'), 9],
    ['an API server that has not read the roles of the cluster yet', lacking, 5],
  ])('is asked for again after %s', async (_what, problem, times) => {
    const cluster = good();
    const asked = replace(cluster, 'deletePod', async (asked, works) => {
      if (asked <= times) throw problem();
      return works();
    });
    await succeeds(cluster);
    expect(asked()).toBe(times + 1);
  });

  it('is asked for again after something else went wrong, too', async () => {
    const cluster = good({ readPod: async () => ({ status: { phase: 'Failed', reason: 'OutOfpods' } }) });
    const asked = replace(cluster, 'deletePod', async (asked, works) => {
      if (asked <= 3) throw reset();
      return works();
    });
    expect((await failure(cluster)).message).toContain('OutOfpods');
    expect(asked()).toBe(4);
    expect(cluster.pods.size).toBe(0);
  });

  it.each([
    ['refused, which is final', expired, EXPIRED, 1],
    [
      'never answered for',
      away,
      'the cluster is unreachable: ECONNREFUSED: connect ECONNREFUSED 10.0.0.1:443',
      undefined,
    ],
  ])('that is %s leaves what is true, and the command', async (_what, problem, words, times) => {
    const cluster = good();
    const asked = replace(cluster, 'deletePod', async () => {
      throw problem();
    });
    const got = await run(cluster);
    const error = (await got.removed.catch((each: unknown) => each)) as GkeprofError;
    expect(error).toMatchObject({
      code: EXIT.incomplete,
      message: `the debug pod was not removed (${words}). gkeprof/${POD} may still be there, and ends by itself within 17m; this deletes it now: kubectl delete pod -n gkeprof ${POD}`,
    });
    if (times) expect(asked()).toBe(times);
    expect(files()).toEqual([FILE_NAME]);
  });

  it('that hangs after an error is not waited for as long as one after a success', async () => {
    const cluster = good({ readPod: () => Promise.reject(expired()), deletePod: () => never });
    const began = shortClock();
    expect((await failure(cluster)).message).toBe(EXPIRED);
    // It is 4 s; after a success it is 120 s.
    expect(shortClock() - began).toBeLessThan(20_000);
    expect(said()).toContain('may still be there');
  });

  it('that hangs after an error ends with Ctrl-C', async () => {
    const cluster = good({
      readPod: () => Promise.reject(expired()),
      deletePod: () => {
        interrupt();
        return never;
      },
    });
    expect((await failure(cluster)).message).toBe(EXPIRED);
    expect(said()).toMatch(/was not removed \(.*\)\. .* may still be there/);
  });
});
