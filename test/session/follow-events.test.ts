import { afterEach, describe, expect, it, vi } from 'vitest';
import { apiError } from '../../src/cluster/api-errors.ts';
import type { Cluster, RemoteStream } from '../../src/cluster/cluster.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { boundSeconds } from '../../src/plan/plan.ts';
import { followEvents } from '../../src/session/follow-events.ts';
import { apiAnswer, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { contextOf, nodeSide, PLAN } from './scene.ts';

afterEach(() => vi.useRealTimers());

const DELETED = `somebody else deleted the debug pod ${PLAN.debugPod.name} during the capture`;
const ALL = ['hello', 'capturing', 'tool', 'stopping', 'artifact', 'end'];

/** The names of the events that come, with what was said beside them. */
async function follow(overrides: Partial<Cluster>, interrupts = new Interrupts()) {
  const cluster = fakeCluster(overrides);
  const said: string[] = [];
  let waited = 0;
  const names: string[] = [];
  const sleep = async (ms: number, signal?: AbortSignal) => {
    waited += ms;
    signal?.throwIfAborted();
  };
  const ended = { containerStatuses: [status('capture', { terminated: { exitCode: 0 } })] };
  if (!overrides.readPod) cluster.readPod = async () => ({ status: ended }) as never;
  const log = new Log({ write: (text) => said.push(text.replace(/\n$/, '')) });
  for await (const { event } of followEvents([PLAN], contextOf(cluster, { interrupts, sleep, log })))
    names.push(event.event);
  return { names, said, waited, calls: cluster.calls };
}

/** `cat events.jsonl`, which fails so many times first. */
const fileOf = (texts: readonly string[], failures = 0): Cluster['exec'] => {
  let asked = 0;
  return async () => {
    asked += 1;
    return asked <= failures ? result('', 1, 'error: connection refused') : result(`${texts.join('\n')}\n`);
  };
};

describe('followEvents', () => {
  it('gives the events as they come, and does not wait for the log to end', async () => {
    const got = await follow({ followLogs: () => lines(nodeSide().script(), true) });
    expect(got.names).toEqual(ALL);
    expect(got.calls).toEqual(['logs']);
  });

  it('ends at a refusal', async () => {
    const node = nodeSide();
    const log = lines([node.event('hello'), node.event('refused', { code: 'x' })], true);
    expect((await follow({ followLogs: () => log })).names).toEqual(['hello', 'refused']);
  });

  it.each([
    ['a gap', (all: string[]) => [all[0]!, ...all.slice(4)]],
    ['an early end', (all: string[]) => all.slice(0, 3)],
    ['repeated lines', (all: string[]) => [...all.slice(0, 3), ...all]],
    ['nothing', () => []],
    [
      'a line cut in two',
      (all: string[]) => [all[0]!, all[1]!.slice(0, 20), all[1]!.slice(20), ...all.slice(2)],
    ],
  ])('gives each event once and in order though the log has %s', async (_what, cut) => {
    const all = nodeSide().script();
    expect((await follow({ followLogs: () => lines(cut(all)), exec: fileOf(all) })).names).toEqual(ALL);
  });

  it('reads events.jsonl again before it believes that the capture never ended', async () => {
    const all = nodeSide().script();
    const got = await follow({ followLogs: () => lines(all.slice(0, 2)), exec: fileOf(all, 6) });
    expect(got.names).toEqual(ALL);
  });

  it('returns without a last event when there is none to be had', async () => {
    const some = nodeSide().script().slice(0, 2);
    const got = await follow({ followLogs: () => lines(some), exec: fileOf([], 1000) });
    expect(got.names).toEqual(['hello', 'capturing']);
    expect(got.waited).toBeLessThan(10_000);
  });

  it('says that somebody deleted the debug pod, and not what kubectl says then', async () => {
    const gone = follow({
      followLogs: () => lines(nodeSide().script().slice(0, 2)),
      exec: async () => result('', 1, `Error from server (NotFound): pods "${PLAN.debugPod.name}" not found`),
    });
    await expect(gone).rejects.toMatchObject({ code: 3, message: DELETED });
  });

  it('fetches the log again while the container runs', async () => {
    const all = nodeSide().script();
    let opened = 0;
    const got = await follow({
      followLogs: () => {
        opened += 1;
        return lines(all.slice(0, opened * 2));
      },
      exec: fileOf([], 1000),
      readPod: async () => ({ status: { containerStatuses: [status('capture')] } }) as never,
    });
    expect(got.names).toEqual(ALL);
    expect(opened).toBe(3);
  });

  it('asks events.jsonl when the log is silent, and leaves the log open', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const all = nodeSide().script();
    const following = follow({ followLogs: () => lines(all.slice(0, 2), true), exec: fileOf(all) });
    await vi.advanceTimersByTimeAsync(12_100);
    const got = await following;
    expect(got.names).toEqual(ALL);
    expect(got.calls).toEqual(['logs', 'exec cat /gkeprof/out/events.jsonl']);
  });

  describe('an API server that cannot be reached while the node records', () => {
    const isAway = async () => {
      throw apiError(new Error('ENETUNREACH: connect ENETUNREACH 10.0.0.1:443'));
    };
    const refused = async () => result('', 1, 'error: dial tcp: network is unreachable');

    it('is waited for as long as the recording and its file may be there', async () => {
      const all = nodeSide().script();
      let tries = 0;
      const got = await follow({
        followLogs: () => lines(tries < 300 ? all.slice(0, 2) : all),
        exec: refused,
        readPod: async () => {
          tries += 1;
          if (tries < 300) return isAway();
          return { status: { containerStatuses: [status('capture')] } } as never;
        },
      });
      expect(got.names).toEqual(ALL);
      expect(got.waited).toBeGreaterThan(500_000);
      expect(got.said).toEqual([
        expect.stringMatching(
          /ENETUNREACH.*; the capture goes on \(press Ctrl-C twice to give up\), and this is tried again for 17m$/,
        ),
      ]);
    });
  });

  describe('a node that says nothing any more', () => {
    const hello = [nodeSide().event('hello')];
    const running = async () => ({ status: { containerStatuses: [status('capture')] } }) as never;
    const cutOff: Cluster['readNode'] = async (name) => ({
      metadata: { name },
      status: {
        conditions: [{ type: 'Ready', status: 'Unknown', message: 'Kubelet stopped posting node status.' }],
      },
    });
    const silent = { followLogs: () => lines(hello, true), exec: fileOf(hello), readPod: running };
    const fakeTime = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });

    it('is waited for, which is said once, until its own timers must have ended the capture', async () => {
      fakeTime();
      const following = follow({ ...silent, readNode: cutOff }).catch((each: unknown) => each);
      await vi.advanceTimersByTimeAsync(420_000);
      let ended = false;
      void following.then(() => {
        ended = true;
      });
      await vi.advanceTimersByTimeAsync(0);
      expect(ended).toBe(false);
      await vi.advanceTimersByTimeAsync(25_000);
      expect(await following).toMatchObject({
        code: 3,
        message: expect.stringMatching(
          /^nothing was heard from node "node-a" for 7m\d+s: node "node-a" is not ready: Kubelet stopped/,
        ),
        hint: 'kubectl describe node node-a',
      });
    });

    it('is said to be not ready, and followed on when it is back', async () => {
      fakeTime();
      const all = nodeSide().script();
      let asked = 0;
      const exec: Cluster['exec'] = async () => {
        asked += 1;
        return result(`${(asked < 4 ? all.slice(0, 2) : all).join('\n')}\n`);
      };
      const following = follow({
        ...silent,
        followLogs: () => lines(all.slice(0, 2), true),
        exec,
        readNode: cutOff,
      });
      await vi.advanceTimersByTimeAsync(60_000);
      const got = await following;
      expect(got.names).toEqual(ALL);
      expect(got.said).toEqual([
        'node "node-a" is not ready: Kubelet stopped posting node status.; waiting for it (press Ctrl-C twice to give up)',
      ]);
    });

    it('is not waited for when the container is known to be over, or the pod is gone', async () => {
      fakeTime();
      const over = { containerStatuses: [status('capture', { terminated: { exitCode: 137 } })] };
      const following = follow({ ...silent, readPod: async () => ({ status: over }) as never });
      await vi.advanceTimersByTimeAsync(13_000);
      expect((await following).names).toEqual(['hello']);
      const gone = follow({
        ...silent,
        readPod: async () => {
          throw apiAnswer(404, 'pods "gkeprof-tcpdump-1" not found', 'NotFound');
        },
      }).catch((each: unknown) => each);
      await vi.advanceTimersByTimeAsync(13_000);
      expect(await gone).toMatchObject({ code: 3, message: DELETED });
    });
  });

  it('closes the log whatever happens', async () => {
    let killed = 0;
    const interrupts = new Interrupts();
    const log = (): RemoteStream => {
      const stream = lines([nodeSide().event('hello')], true);
      setTimeout(() => {
        interrupts.receive('SIGINT');
        interrupts.receive('SIGINT');
      }, 50);
      return {
        ...stream,
        kill: () => {
          killed += 1;
          stream.kill();
        },
      };
    };
    await expect(follow({ followLogs: log }, interrupts)).rejects.toThrow('interrupted');
    expect(killed).toBe(1);
  });

  it('shows the beginning of what is not of the protocol, however much and long it is', async () => {
    const all = nodeSide().script();
    const flood = Array.from({ length: 5000 }, () => 'z'.repeat(5000));
    const got = await follow({ followLogs: () => lines([all[0]!, ...flood, ...all.slice(1)]) });
    expect(got.names).toEqual(ALL);
    expect(got.said).toHaveLength(51);
    expect(got.said[0]).toBe(`node: ${'z'.repeat(1000)}…`);
    expect(got.said.at(-1)).toBe('the node prints more lines that are not events; they are not shown');
  });

  it('shows what is not of the protocol, escaped', async () => {
    const all = nodeSide().script();
    const foreign = ['\x1b]0;x\x07', '{"gkeprof":1,"seq":2}', 'bash: line 3: oops'];
    const got = await follow({ followLogs: () => lines([all[0]!, ...foreign, ...all.slice(1)]) });
    expect(got.names).toEqual(ALL);
    expect(got.said).toEqual([
      'node: \\x1b]0;x\\x07',
      'node: {"gkeprof":1,"seq":2}',
      'node: bash: line 3: oops',
    ]);
  });
});

describe('an API server that is away', () => {
  const away = () => apiError(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }));
  const log = { followLogs: () => lines([nodeSide().event('hello')]), exec: fileOf([], 1000) };

  it.each([
    ['away', away],
    ['in trouble', () => apiAnswer(500, 'etcdserver: leader changed')],
    ['busy', () => apiAnswer(429, 'too many requests')],
  ])('is waited for, and that is said once (%s)', async (_what, problem) => {
    let asked = 0;
    const readPod = async () => {
      asked += 1;
      if (asked < 5) throw problem();
      return { status: { containerStatuses: [status('capture', { terminated: {} })] } } as never;
    };
    const got = await follow({ ...log, readPod });
    expect(got.said).toHaveLength(1);
    expect(got.said[0]).toContain('the capture goes on');
    expect(got.names).toEqual(['hello']);
  });

  it('is waited for until the debug pod has ended by its own timers', async () => {
    const waits: number[] = [];
    const readPod = async () => {
      throw away();
    };
    const context = contextOf(fakeCluster({ ...log, readPod }), { sleep: async (ms) => void waits.push(ms) });
    const following = (async () => {
      for await (const _ of followEvents([PLAN], context));
    })();
    await expect(following).rejects.toThrow(/unreachable/);
    const seconds = waits.reduce((sum, ms) => sum + ms, 0) / 1000;
    expect(seconds).toBeLessThanOrEqual(boundSeconds(PLAN));
    expect(seconds).toBeGreaterThan(boundSeconds(PLAN) / 2);
  });

  it.each([403, 404])('is believed when it says %i', async (code) => {
    let asked = 0;
    const readPod = async () => {
      asked += 1;
      throw apiAnswer(code, 'no');
    };
    await expect(follow({ ...log, readPod })).rejects.toMatchObject({ code: 3 });
    expect(asked).toBe(1);
  });
});
