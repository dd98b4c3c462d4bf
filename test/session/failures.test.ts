import { describe, expect, it } from 'vitest';
import { apiError } from '../../src/cluster/api-errors.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { apiAnswer, bytes, type FakeCluster, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { copy, DATA, FILE_NAME, laptop, nodeSide, PLAN } from './scene.ts';

/**
 * One session with one call to the cluster that fails, whichever it is and however. What must hold of each:
 * the file is on the laptop whole, or there is nothing under any name; and the pod is gone, or the user has the
 * command that removes it or that still gets the file.
 */
const { run, said, files } = laptop();

type Method = 'readPod' | 'createPod' | 'deletePod' | 'followLogs' | 'exec' | 'execStream' | 'copy';
const METHODS: readonly Method[] = [
  'readPod',
  'createPod',
  'deletePod',
  'followLogs',
  'exec',
  'execStream',
  'copy',
];

/**
 * A cluster on which all goes well: the log ends early and the container with it, so that events.jsonl is read. That
 * has no more than the log until the pod was looked at.
 */
function goodCluster(): FakeCluster {
  const all = nodeSide().script();
  const logged = all.slice(0, 3);
  let written = logged;
  let followed = false;
  const cluster = fakeCluster({
    followLogs: () => {
      followed = true;
      const pod = cluster.pods.get(PLAN.debugPod.name)!;
      pod.status!.containerStatuses = [status('capture', { terminated: { exitCode: 0 } })] as never;
      return lines(logged);
    },
    exec: async (_ref, argv) => result(argv[0] === 'cat' ? `${written.join('\n')}\n` : ''),
    execStream: (_ref, argv) => {
      const from = Number(argv.at(-2));
      return bytes(DATA.subarray(from, from + Number(argv.at(-1))));
    },
    copy,
  });
  const look = cluster.readPod;
  cluster.readPod = (...words) => {
    if (followed) written = all;
    return look(...words);
  };
  return cluster;
}

/** How a call fails: streams and calls of kubectl by their status, calls of the API by what it answers. */
const FAILURES: Readonly<Record<string, (method: Method) => unknown>> = {
  'the server says no': (method) =>
    method === 'followLogs' || method === 'execStream'
      ? lines([])
      : method === 'exec' || method === 'copy'
        ? Promise.resolve(result('', 1, 'error: unable to upgrade connection: Forbidden'))
        : Promise.reject(apiAnswer(403, 'pods is forbidden: User "x" cannot do that', 'Forbidden')),
  'nobody answers': (method) =>
    method === 'followLogs' || method === 'execStream'
      ? lines([])
      : method === 'exec' || method === 'copy'
        ? Promise.resolve(result('', 1, 'error: dial tcp 10.0.0.1:443: connect: connection refused'))
        : Promise.reject(apiError(new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }))),
  'the server is in trouble': (method) =>
    method === 'followLogs' || method === 'execStream'
      ? lines(['Error from server: etcdserver: leader changed'])
      : method === 'exec' || method === 'copy'
        ? Promise.resolve(result('half', 1, 'error: stream error'))
        : Promise.reject(apiAnswer(500, 'etcdserver: leader changed', 'InternalError')),
};

/** Counts every call, and lets the nth fail. */
function failing(
  nth: number,
  how: (method: Method) => unknown,
): { cluster: FakeCluster; count: () => number } {
  const cluster = goodCluster();
  let count = 0;
  for (const method of METHODS) {
    const works = cluster[method] as (...words: unknown[]) => unknown;
    (cluster as unknown as Record<string, unknown>)[method] = (...words: unknown[]) => {
      count += 1;
      return count === nth ? how(method) : works(...words);
    };
  }
  return { cluster, count: () => count };
}

describe('a session of which one call fails', () => {
  it('has calls to fail', async () => {
    const { cluster, count } = failing(0, () => undefined);
    await (await run(cluster)).removed;
    expect(count()).toBeGreaterThanOrEqual(9); // The lease may be renewed meanwhile.
    expect(files()).toEqual([FILE_NAME]);
    expect(cluster.pods.size).toBe(0);
  });

  const cases = Object.keys(FAILURES).flatMap((how) =>
    Array.from({ length: 11 }, (_, at) => [at + 1, how] as const),
  );
  it.each(cases)('call %i, %s: nothing lost, nothing left behind, nothing half', async (nth, how) => {
    const { cluster } = failing(nth, FAILURES[how]!);
    const outcome = await run(cluster).then(
      async (got) => ({ got, problem: await got.removed.catch((each: unknown) => each as GkeprofError) }),
      (problem: unknown) => ({ got: undefined, problem: problem as GkeprofError }),
    );
    const { got, problem } = outcome;
    expect(files()).toEqual(got ? [FILE_NAME] : []);
    if (got) expect(got.artifact.bytes).toBe(DATA.length);
    // Trouble that passes costs no capture, from the creation to the deletion.
    else expect(how).toBe('the server says no');
    if (problem) expect(problem.name).toBe('GkeprofError');
    if (cluster.pods.size > 0) {
      const words = `${said()}${problem?.message}${problem?.hint}`;
      const name = PLAN.debugPod.name;
      expect(words).toMatch(
        problem?.hint?.startsWith('this still gets the file')
          ? `kubectl cp -c files gkeprof/${name}:/gkeprof/out/capture.pcap.gz`
          : `kubectl delete pod -n gkeprof ${name}`,
      );
    }
  });
});
