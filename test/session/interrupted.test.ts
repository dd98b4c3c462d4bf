import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Cluster, RemoteStream } from '../../src/cluster/cluster.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { type FakeCluster, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { copy, FILE_NAME, laptop, nodeSide, PLAN, shortly } from './scene.ts';

const { run, interrupt, said, files } = laptop();

const failure = (cluster: FakeCluster) => run(cluster).catch((each: unknown) => each as GkeprofError);
const never = new Promise<never>(() => {});
const STOP = 'exec touch /gkeprof/ctl/stop';

/** A log that says `first`, and the rest when it is told to go on. */
function pausing(first: readonly string[], then: readonly string[]): RemoteStream & { goOn: () => void } {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const chunks = (async function* () {
    yield Buffer.from(`${first.join('\n')}\n`);
    await told;
    yield Buffer.from(`${then.join('\n')}\n`);
  })();
  return { ...lines([]), chunks, goOn };
}

describe('Ctrl-C before anything was captured: the pod is removed, nothing is kept', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('while the pod is being created (%s)', async (signal, code) => {
    const cluster = fakeCluster();
    const create = cluster.createPod;
    cluster.createPod = async (...words) => {
      interrupt(signal);
      return create(...words);
    };
    expect(await failure(cluster)).toMatchObject({ code, message: 'interrupted: nothing was kept' });
    expect(cluster.calls).toEqual(['create', 'delete']);
    expect(cluster.pods.size).toBe(0);
  });

  it('while the pod starts', async () => {
    const waiting = { phase: 'Pending', containerStatuses: [status('capture', { waiting: {} })] };
    let asked = 0;
    const cluster = fakeCluster({
      readPod: async () => {
        asked += 1;
        if (asked === 2) interrupt();
        return { status: waiting };
      },
    });
    expect(await failure(cluster)).toMatchObject({ code: 130 });
    expect(cluster.calls).toEqual(['create', 'delete']);
  });

  it('while the tools are being installed', async () => {
    const node = nodeSide();
    const log = pausing([node.event('hello'), node.event('installing', { tools: 'perf' })], []);
    const cluster = fakeCluster({
      followLogs: () => {
        setTimeout(interrupt, 50);
        return log;
      },
    });
    expect(await failure(cluster)).toMatchObject({ code: 130 });
    expect(cluster.calls).toEqual(['create', 'logs', 'delete']);
    expect(cluster.calls).not.toContain(STOP);
  });

  it('before anything at all: nothing is created', async () => {
    interrupt();
    const cluster = fakeCluster();
    expect(await failure(cluster)).toMatchObject({ code: 130 });
    expect(cluster.calls).toEqual([]);
  });
});

describe('Ctrl-C while it captures', () => {
  function capturing(exec: Cluster['exec'] = async () => result()): FakeCluster {
    const script = nodeSide().script('requested');
    const log = pausing(script.slice(0, 3), script.slice(3));
    return fakeCluster({
      followLogs: () => {
        setTimeout(interrupt, 30);
        return log;
      },
      exec: async (ref, argv, signal) => {
        const answer = await exec(ref, argv, signal);
        if (argv.join(' ') === 'touch /gkeprof/ctl/stop' && answer.exitCode === 0) log.goOn();
        return answer;
      },
      copy,
    });
  }

  it('asks `files`, never the privileged container', async () => {
    const asked: string[] = [];
    const cluster = capturing(async (ref) => {
      asked.push(ref.container);
      return result();
    });
    const got = await run(cluster);
    await got.removed;
    expect(got.ended).toBe('requested');
    expect(got.stoppedBy).toBe('this command');
    expect(new Set(asked)).toEqual(new Set(['files']));
    expect(files()).toEqual([FILE_NAME]);
    expect(cluster.pods.size).toBe(0);
  });

  it('asks again where `files` is a moment behind', async () => {
    let asked = 0;
    const cluster = capturing(async () => {
      asked += 1;
      return asked < 3 ? result('', 1, 'container not found ("files")') : result();
    });
    expect((await run(cluster)).ended).toBe('requested');
    expect(cluster.calls.filter((call) => call === STOP)).toHaveLength(3);
  });

  it('is not asked for any more when the recording is over', async () => {
    const script = nodeSide().script();
    const log = pausing(script.slice(0, 3), script.slice(3));
    let asked = 0;
    let given: AbortSignal | undefined;
    const cluster = fakeCluster({
      followLogs: () => {
        setTimeout(interrupt, 30);
        return log;
      },
      exec: async (_ref, argv, signal) => {
        if (!argv.includes('/gkeprof/ctl/stop')) return result();
        asked += 1;
        given = signal;
        if (asked === 2) log.goOn();
        return result('', 1, 'error: dial tcp: connection refused');
      },
      copy,
    });
    expect((await run(cluster)).ended).toBe('time');
    const before = asked;
    expect(given?.aborted).toBe(true);
    // Whoever asks again does so within some of these.
    for (let turn = 0; turn < 20; turn += 1) await shortly(1000);
    expect(asked).toBe(before);
    expect(said()).not.toContain('could not be asked to stop');
  });

  it('says so when the node cannot be asked', async () => {
    const cluster = capturing(async () => result('', 1, 'error: dial tcp: connection refused'));
    const ended = failure(cluster);
    await expect
      .poll(said)
      .toContain(
        'could not be asked to stop (dial tcp: connection refused); the capture ends by its own limit',
      );
    interrupt(); // And gives up.
    expect(await ended).toMatchObject({ code: 130 });
  });
});

describe('Ctrl-C twice', () => {
  it('ends a copy that is under way', async () => {
    let given: AbortSignal | undefined;
    const cluster = fakeCluster({
      followLogs: () => lines(nodeSide().script()),
      copy: async (_ref, _path, _directory, _name, signal) => {
        given = signal;
        interrupt();
        interrupt();
        await (signal?.aborted ? undefined : never);
        return result('', 1, 'signal: terminated');
      },
    });
    expect(await failure(cluster)).toMatchObject({ code: 130 });
    expect(given?.aborted).toBe(true);
    expect(cluster.calls.at(-1)).toBe('delete');
    expect(files()).toEqual([]);
  });

  let isHanging = false;
  const hang = () => {
    isHanging = true;
    return never;
  };
  const hanging = (stream: RemoteStream) => () => {
    isHanging = true;
    return stream;
  };
  it.each<[string, (node: ReturnType<typeof nodeSide>) => Partial<Cluster>, string | undefined]>([
    ['the creation', () => ({ createPod: hang, deletePod: async () => {} }), 'may still be created: kubectl'],
    ['the pod is to start', () => ({ readPod: hang }), undefined],
    ['the log', () => ({ followLogs: hanging(lines([], true)) }), undefined],
    [
      'the request to stop',
      (node) => ({
        followLogs: () => lines([node.event('hello'), node.event('capturing')], true),
        exec: hang,
      }),
      undefined,
    ],
    ['the copy', (node) => ({ followLogs: () => lines(node.script()), copy: hang }), undefined],
    [
      'a range',
      (node) => ({
        followLogs: () => lines(node.script()),
        execStream: hanging({ ...lines([], true), ended: never, kill: () => {} }),
      }),
      undefined,
    ],
    [
      'what was refused',
      (node) => ({
        followLogs: () => lines([node.event('hello'), node.event('refused', { code: 'x', log: 'a.log' })]),
        exec: hang,
      }),
      undefined,
    ],
    [
      'the state of the pod behind the log',
      (node) => {
        let asked = 0;
        return {
          followLogs: () => lines([node.event('hello'), node.event('capturing')]),
          readPod: async () => {
            asked += 1;
            return asked === 1 ? ({ status: { containerStatuses: [status('capture')] } } as never) : hang();
          },
        };
      },
      undefined,
    ],
  ])('ends it whatever never answers: %s', async (what, hangs, words) => {
    isHanging = false;
    const cluster = fakeCluster(hangs(nodeSide()));
    const ended = failure(cluster);
    if (what === 'the request to stop') {
      await expect.poll(() => cluster.calls).toContain('logs');
      await delay(20);
      interrupt();
      await expect.poll(() => isHanging).toBe(true);
    } else {
      await expect.poll(() => isHanging).toBe(true);
      interrupt();
    }
    interrupt();
    expect(await ended).toMatchObject({ code: 130, message: 'interrupted: nothing was kept' });
    expect(cluster.calls.at(-1)).toBe('delete');
    if (words) expect(said()).toContain(words);
    expect(files()).toEqual([]);
  });

  it('keeps to its bound when the deletion hangs, and prints the command', async () => {
    const node = nodeSide();
    const cluster = fakeCluster({
      followLogs: () => lines([node.event('hello'), node.event('capturing')], true),
      deletePod: () => never,
    });
    const ended = failure(cluster);
    await expect.poll(() => cluster.calls).toContain('logs');
    await delay(20);
    interrupt();
    interrupt();
    expect(await ended).toMatchObject({ code: 130 });
    expect(said()).toMatch(
      new RegExp(
        `the debug pod was not removed \\(the API server did not answer within \\ds\\)\\. gkeprof/${PLAN.debugPod.name} may still be there, and ends by itself within 17m; this deletes it now: kubectl delete pod -n gkeprof ${PLAN.debugPod.name}`,
      ),
    );
    expect(said()).toContain(
      `hint: if it still records, this goes on with it: kubectl gkeprof sessions attach ${PLAN.session.id}\n`,
    );
  });
});

it('once while it copies changes nothing: the copy is finished, the pod deleted', async () => {
  const cluster = fakeCluster({
    followLogs: () => lines(nodeSide().script()),
    copy: async (...words) => {
      interrupt();
      await delay(20);
      return copy(...words);
    },
  });
  const got = await run(cluster);
  await got.removed;
  expect(files()).toEqual([FILE_NAME]);
  expect(cluster.pods.size).toBe(0);
  expect(cluster.calls).not.toContain(STOP);
  expect(said()).toContain(
    'finishing: the capture is being downloaded and verified (Ctrl-C again abandons it)',
  );
});

it('twice when the file already has its name: exit 5, which names it', async () => {
  const cluster = fakeCluster({ followLogs: () => lines(nodeSide().script()), copy });
  const read = cluster.readPod;
  // The second look at the target is never answered, so the session waits for it.
  cluster.readPod = (namespace, name) => (name === PLAN.debugPod.name ? read(namespace, name) : never);
  const ended = run(cluster).catch((error: unknown) => error);
  while (!files().includes(FILE_NAME)) await delay(1);
  interrupt();
  interrupt();
  expect(await ended).toMatchObject({
    code: 5,
    message: expect.stringMatching(
      /\.pcap\.gz was recorded and verified, but processing it was interrupted$/,
    ),
  });
  expect(files()).toEqual([FILE_NAME]);
  expect(cluster.pods.has(PLAN.debugPod.name)).toBe(false);
});
