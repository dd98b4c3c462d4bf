import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/cluster/cluster.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { makeReceipt } from '../../src/session/receipt.ts';
import { endedText } from '../../src/workflow/run-capture.ts';
import { apiAnswer, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { copy, DATA, FILE_NAME, laptop, nodeSide, PLAN, SHA } from './scene.ts';

const { run, said, files, interrupt } = laptop();
let node: ReturnType<typeof nodeSide>;
beforeEach(() => {
  node = nodeSide();
});
const event = (name: string, more: object = {}) => node.event(name, more);

/** As the API server keeps them, in any order. */
const MANAGED = [
  { manager: 'kubectl-label', time: new Date(1_789_999_999_000) },
  { manager: 'kubectl-gkeprof', time: new Date(1_789_999_990_000) },
  { manager: 'kubectl-annotate', time: new Date(1_789_999_995_000) },
  { manager: 'kubelet', subresource: 'status', time: new Date(1_790_000_000_000) },
];

describe('a session', () => {
  it('creates, captures, collects, verifies and deletes', async () => {
    const cluster = fakeCluster({ followLogs: () => lines(node.script(), true), copy });
    const got = await run(cluster);
    await got.removed;
    expect(got).toMatchObject({
      ended: 'time',
      toolStatus: 0,
      kernel: '6.1',
      artifact: { bytes: DATA.length, sha256: SHA, resumedBytes: 0 },
    });
    expect(cluster.calls.filter((call) => !call.endsWith('/lease'))).toEqual([
      'create',
      'logs',
      'copy /gkeprof/out/capture.pcap.gz',
      'delete',
    ]);
    expect(cluster.pods.size).toBe(0);
    expect(files()).toEqual([FILE_NAME]);
  });

  it.each<[string, object, string, string]>([
    ['a limit', {}, 'time', 'limit'],
    ['somebody else', {}, 'requested', 'another client'],
    ['the cluster', {}, 'terminated', 'the cluster'],
    [
      'whoever deleted the debug pod',
      { deletionTimestamp: new Date(1_790_000_000_000), managedFields: MANAGED },
      'terminated',
      'deletion of the debug pod',
    ],
    ['the tool', {}, 'tool-ended', 'the tool'],
    ['the target', {}, 'target-gone', 'the target'],
  ])('tells who stopped it: %s', async (_who, metadata, reason, stoppedBy) => {
    const cluster = fakeCluster({ followLogs: () => lines(node.script(reason), true), copy });
    const read = cluster.readPod;
    cluster.readPod = async (...words) => ({ ...(await read(...words)), metadata });
    const got = await run(cluster);
    expect(got.stoppedBy).toBe(stoppedBy);
    const deletion = { deletionTimestamp: '2026-09-21T14:13:20.000Z', lastWriter: 'kubectl-label' };
    expect(got.deletion).toEqual('managedFields' in metadata ? deletion : undefined);
    expect(makeReceipt(PLAN, got, {}).capture.stoppedBy).toBe(stoppedBy);
    if (reason === 'requested')
      expect(endedText(got)).toMatch(/^stopped after \S+: another client asked for it$/);
    if ('managedFields' in metadata)
      expect(endedText(got)).toBe(
        'stopped after 60s: somebody deleted the debug pod (deletionTimestamp 2026-09-21T14:13:20.000Z, last changed by kubectl-label)',
      );
  });

  it('names the namespace that does not exist in the hint, if it is not the usual one', async () => {
    const cluster = fakeCluster({
      createPod: async () => {
        throw apiAnswer(404, 'namespaces "nope" not found', 'NotFound');
      },
    });
    const plan = { ...PLAN, debugPod: { ...PLAN.debugPod, namespace: 'nope' } };
    await expect(run(cluster, plan)).rejects.toMatchObject({
      message: 'the namespace "nope" for debug pods does not exist',
      hint: expect.stringContaining('kubectl create namespace nope'),
    });
  });

  const refuse = async (): Promise<never> => {
    throw apiAnswer(403, 'pods is forbidden: User "x" cannot do that', 'Forbidden');
  };
  it.each<[string, () => Partial<Cluster>, number, RegExp]>([
    [
      'creation is refused',
      () => ({ createPod: refuse }),
      3,
      /Error from server \(Forbidden\): pods is forbidden/,
    ],
    [
      'the namespace is missing',
      () => ({
        createPod: async () => {
          throw apiAnswer(404, 'namespaces "gkeprof" not found', 'NotFound');
        },
      }),
      3,
      /namespace "gkeprof" for debug pods does not exist/,
    ],
    [
      'the server answers a creation with trouble',
      () => ({
        createPod: async () => {
          throw apiAnswer(504, 'etcd timed out', 'Timeout');
        },
      }),
      3,
      /etcd timed out/,
    ],
    [
      'admission adds a container',
      () => ({
        createPod: async (pod) => ({
          ...pod,
          spec: { ...pod.spec!, containers: [...pod.spec!.containers, { name: 'istio-proxy' }] },
        }),
      }),
      3,
      /admission changed the debug pod.*istio-proxy/,
    ],
    [
      'the image cannot be pulled',
      () => ({
        readPod: async () => ({
          status: {
            phase: 'Pending',
            containerStatuses: [
              status('capture', { waiting: { reason: 'ErrImagePull', message: 'not found' } }),
            ],
          },
        }),
      }),
      3,
      /node "node-a" cannot pull the image "[^"]+": ErrImagePull: not found/,
    ],
    [
      'the node refuses the pod',
      () => ({
        readPod: async () => ({ status: { phase: 'Failed', reason: 'OutOfpods', message: 'Node is full' } }),
      }),
      3,
      /did not take the debug pod: OutOfpods: Node is full/,
    ],
    [
      'the script refuses',
      () => ({
        followLogs: () => lines([event('refused', { code: 'filter-rejected', log: 'tcpdump.log' })]),
        exec: async () => result('tcpdump: syntax error\n'),
      }),
      4,
      /rejects the filter "port 6379": syntax error/,
    ],
    [
      'the pod is restarted elsewhere',
      () => ({ followLogs: () => lines([event('refused', { code: 'pod-not-found' })]) }),
      3,
      /not running on node node-a any more/,
    ],
    [
      'a tool is missing',
      () => ({ followLogs: () => lines([event('refused', { code: 'tool-missing', tools: 'tcpdump,ip' })]) }),
      4,
      /lacks tcpdump, ip/,
    ],
    [
      'a code is unknown',
      () => ({ followLogs: () => lines([event('refused', { code: 'new-thing' })]) }),
      4,
      /refused the capture: new-thing/,
    ],
  ])('leaves no pod when %s', async (_what, overrides, code, reason) => {
    const cluster = fakeCluster(overrides());
    const error = (await run(cluster).catch((each: unknown) => each)) as GkeprofError;
    expect(error.message).toMatch(reason);
    expect(error.code).toBe(code);
    // What was refused outright was never there; whatever else went wrong, the pod is deleted last.
    expect(cluster.calls.at(-1)).toBe(/Forbidden|does not exist/.test(error.message) ? 'create' : 'delete');
    expect(cluster.pods.size).toBe(0);
    expect(files()).toEqual([]);
  });

  it('reads on from events.jsonl when the log has a gap, repeats lines, or ends early', async () => {
    const all = node.script();
    const file = result(`${all.join('\n')}\n`);
    for (const log of [[all[0]!, all[3]!, all[5]!], [all[0]!, all[0]!, ...all], all.slice(0, 2), []]) {
      const cluster = fakeCluster({ followLogs: () => lines(log), exec: async () => file, copy });
      const got = await run(cluster);
      expect(got.ended).toBe('time');
    }
  });

  it('shows what is not of the protocol, escaped, and never takes it for an event', async () => {
    const forged = nodeSide('f'.repeat(20)).end();
    const cluster = fakeCluster({
      followLogs: () => lines(['\x1b[31mkernel: oops', forged, ...node.script()]),
      copy,
    });
    await run(cluster);
    const text = said();
    expect(text).toContain('node: \\x1b[31mkernel: oops');
    expect(text).not.toContain('\x1b');
  });

  it('keeps the pod, and says how to get the file, when it cannot be copied', async () => {
    const cluster = fakeCluster({
      followLogs: () => lines(node.script()),
      copy: async () => result('', 1, 'write: no space left on device'),
    });
    const error = (await run(cluster).catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain('no space left on device');
    expect(error.hint).toContain(
      `kubectl cp -c files gkeprof/${PLAN.debugPod.name}:/gkeprof/out/capture.pcap.gz node-a.`,
    );
    expect(cluster.calls).not.toContain('delete');
    expect(files()).toEqual([]);
  });

  it('asks the node to stop at the first Ctrl-C, and collects', async () => {
    const opening = [event('hello'), event('capturing')];
    const rest = [
      event('stopping', { reason: 'requested' }),
      node.artifact(),
      event('end', { reason: 'requested', status: 0 }),
    ];
    let release = () => {};
    const stopped = new Promise<void>((resolve) => {
      release = resolve;
    });
    const cluster = fakeCluster({
      followLogs: () => ({
        ...lines([]),
        chunks: (async function* () {
          yield Buffer.from(`${opening.join('\n')}\n`);
          setTimeout(() => interrupt(), 10);
          await stopped;
          yield Buffer.from(`${rest.join('\n')}\n`);
        })(),
      }),
      exec: async (_ref, argv) => {
        if (argv.join(' ') === 'touch /gkeprof/ctl/stop') release();
        return result();
      },
      copy,
    });
    const got = await run(cluster);
    expect(got.ended).toBe('requested');
    expect(cluster.calls).toContain('exec touch /gkeprof/ctl/stop');
    expect(said()).toContain('Ctrl-C again abandons it');
  });

  it('abandons at the second Ctrl-C: deleted, 130', async () => {
    const cluster = fakeCluster({ followLogs: () => lines([event('hello'), event('capturing')], true) });
    setTimeout(() => interrupt(), 60);
    setTimeout(() => interrupt(), 120);
    const error = (await run(cluster).catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(130);
    expect(cluster.calls.at(-1)).toBe('delete');
    expect(cluster.pods.size).toBe(0);
  });

  it('renews its lease on the files as long as it copies', async () => {
    const renewals = () => cluster.calls.filter((call) => call === 'exec touch /gkeprof/ctl/lease').length;
    const slow: Cluster['copy'] = async (...words) => {
      await expect.poll(renewals).toBeGreaterThan(1);
      return copy(...words);
    };
    const cluster = fakeCluster({ followLogs: () => lines(node.script()), copy: slow });
    await run(cluster, { ...PLAN, limits: { ...PLAN.limits, keepSeconds: 9 } });
  });

  it.each([
    ['at once when the file has waited for a while', {}, true],
    ['later when it was finished just now', { t: Date.now() + 60_000 }, false],
  ])('renews its lease %s', async (_when, more, isAtOnce) => {
    const all = node.script();
    const script = [...all.slice(0, -1), JSON.stringify({ ...JSON.parse(all.at(-1)!), ...more })];
    const lease = 'exec touch /gkeprof/ctl/lease';
    let before: boolean | undefined;
    const cluster = fakeCluster({
      followLogs: () => lines(script),
      copy: (...words) => {
        before = cluster.calls.includes(lease);
        return copy(...words);
      },
    });
    await run(cluster);
    expect(before).toBe(isAtOnce);
  });

  it('prints the command when the pod cannot be deleted', async () => {
    const cluster = fakeCluster({
      createPod: async (pod) => ({ ...pod, spec: { ...pod.spec!, nodeName: 'elsewhere' } }),
      deletePod: async () => {
        throw apiAnswer(500, 'etcd is away', 'InternalError');
      },
    });
    await expect(run(cluster)).rejects.toThrow(/admission changed/);
    expect(said()).toContain(`kubectl delete pod -n gkeprof ${PLAN.debugPod.name}`);
  });

  it('goes on while the API server is away for a while', async () => {
    const all = node.script();
    let asked = 0;
    const cluster = fakeCluster({ followLogs: () => lines(asked > 2 ? all : []), copy });
    const read = cluster.readPod;
    cluster.readPod = async (...words) => {
      asked += 1;
      if (asked === 2 || asked === 3) {
        const { apiError } = await import('../../src/cluster/api-errors.ts');
        throw apiError(
          new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 10.0.0.1:6443') }),
        );
      }
      return read(...words);
    };
    expect((await run(cluster)).ended).toBe('time');
    expect(said()).toContain('the capture goes on');
  });
});
