import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, RemoteStream } from '../../src/cluster/cluster.ts';
import { tcpdump } from '../../src/collectors/tcpdump/tcpdump.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { Log } from '../../src/output/log.ts';
import { makePlans, type Plan } from '../../src/plan/plan.ts';
import { EarlyCopy } from '../../src/session/early-copy.ts';
import { resumeSession } from '../../src/session/session.ts';
import { CopyPace, FirstByte, type Transfer } from '../../src/session/transfer.ts';
import { bytes, type FakeCluster, fakeCluster, lines } from '../fake-cluster.ts';
import { podOf, TCPDUMP } from '../plans.ts';
import { contextOf, copy, DATA, FILE_NAME, laptop, nodeSide, PLAN, SHA, shortly } from './scene.ts';

const PATH = '/gkeprof/out/capture.pcap.gz';

/** A connection for the file, and what the client does with it. */
class Door {
  readonly #open: (asked: Promise<void>, killed: Promise<void>) => AsyncIterable<Uint8Array>;
  #ask = () => {};
  #kill = () => {};
  readonly asked = new Promise<void>((resolve) => {
    this.#ask = resolve;
  });
  readonly killed = new Promise<void>((resolve) => {
    this.#kill = resolve;
  });
  isOpened = false;
  isAsked = false;
  isKilled = false;

  /** `open` is what comes over it, by what it waits for. */
  constructor(open: (asked: Promise<void>, killed: Promise<void>) => AsyncIterable<Uint8Array>) {
    this.#open = open;
  }

  stream(): RemoteStream {
    this.isOpened = true;
    return {
      ...lines([]),
      chunks: this.#open(this.asked, this.killed),
      write: () => {
        this.isAsked = true;
        this.#ask();
      },
      kill: () => {
        this.isKilled = true;
        this.#kill();
      },
    };
  }
}

/** What the node sends: a line feed when it is there, and after the client's line the chunks; then it waits for the client. */
const sending = (...chunks: readonly Uint8Array[]) =>
  new Door(async function* (asked, killed) {
    yield Buffer.from('\n');
    await asked;
    yield* chunks;
    await killed;
  });

/** A node that gives the file in all ways; `asked` gets the requests in their order. */
function clusterOf(door: Door, asked: string[], overrides: Partial<Cluster> = {}): FakeCluster {
  return fakeCluster({
    followLogs: () => lines(nodeSide().script(), true),
    execStream: (_ref, argv) => {
      asked.push(argv[3]!);
      if (argv[3] === 'take') return door.stream();
      const [from, count] = argv.slice(-2).map(Number) as [number, number];
      return bytes(DATA.subarray(from, from + count));
    },
    copy: (...words) => {
      asked.push('cp');
      return copy(...words);
    },
    ...overrides,
  });
}

const half = DATA.subarray(0, DATA.length / 2);
const rest = DATA.subarray(half.length);

describe('the connection that is opened early', () => {
  const { run, runAll, interrupt, files, path } = laptop();
  let asked: string[];
  beforeEach(() => {
    asked = [];
  });

  it('is there before the file is announced, and brings it', async () => {
    const door = sending(half, rest);
    const node = nodeSide();
    let wasAsked: boolean | undefined;
    const cluster = clusterOf(door, asked, {
      followLogs: () => ({
        ...lines([]),
        chunks: (async function* () {
          const [hello, capturing, tool, stopping, ...end] = node.script();
          yield Buffer.from(`${[hello, capturing, tool].join('\n')}\n`);
          expect(door.isOpened).toBe(false);
          yield Buffer.from(`${stopping}\n`);
          await expect.poll(() => door.isOpened).toBe(true);
          wasAsked = door.isAsked;
          yield Buffer.from(`${end.join('\n')}\n`);
        })(),
      }),
    });
    const { artifact } = await run(cluster);
    expect(wasAsked).toBe(false);
    expect(artifact).toMatchObject({ bytes: DATA.length, sha256: SHA, resumedBytes: 0 });
    expect(readFileSync(path(FILE_NAME)).equals(DATA)).toBe(true);
    expect(files()).toEqual([FILE_NAME]);
    expect(asked).toEqual(['take']);
    expect(door.isKilled).toBe(true);
  });

  it('takes a file whose bytes come together with the first line feed', async () => {
    const door = new Door(async function* (asked, killed) {
      await asked;
      yield Buffer.concat([Buffer.from('\n'), DATA]);
      await killed;
    });
    await run(clusterOf(door, asked));
    expect(readFileSync(path(FILE_NAME)).equals(DATA)).toBe(true);
    expect(asked).toEqual(['take']);
  });

  it('takes no more bytes than were announced', async () => {
    const door = sending(half, rest, DATA, DATA);
    await run(clusterOf(door, asked));
    expect(readFileSync(path(FILE_NAME)).equals(DATA)).toBe(true);
    expect(asked).toEqual(['take']);
  });

  const broken = (...chunks: readonly Uint8Array[]) =>
    new Door(async function* (asked) {
      yield Buffer.from('\n');
      await asked;
      yield* chunks;
      throw new Error('connection reset by peer');
    });
  const ending = (...chunks: readonly Uint8Array[]) =>
    new Door(async function* (asked) {
      yield Buffer.from('\n');
      await asked;
      yield* chunks;
    });

  it.each<[string, () => Door, readonly string[], number]>([
    ['is refused', () => new Door(async function* () {}), ['take', 'cp'], 0],
    [
      'breaks before the file is announced',
      () =>
        new Door(async function* () {
          yield Buffer.from('\n');
          throw new Error('connection reset by peer');
        }),
      ['take', 'cp'],
      0,
    ],
    ['breaks before the first byte', () => broken(), ['take', 'cp'], 0],
    ['breaks in the middle', () => broken(half), ['take', 'range'], rest.length],
    ['ends in the middle without an error', () => ending(half), ['take', 'range'], rest.length],
    ['brings other bytes', () => sending(Buffer.alloc(DATA.length, 'x')), ['take', 'range'], DATA.length],
    [
      'brings other bytes, and not all',
      () => ending(Buffer.alloc(half.length, 'x')),
      ['take', 'range', 'range'],
      DATA.length,
    ],
  ])('%s: the file comes in another way', async (_what, make, ways, resumedBytes) => {
    const door = make();
    const cluster = clusterOf(door, asked);
    const { artifact } = await run(cluster);
    expect(artifact).toMatchObject({ sha256: SHA, resumedBytes });
    expect(readFileSync(path(FILE_NAME)).equals(DATA)).toBe(true);
    expect(files()).toEqual([FILE_NAME]);
    expect(asked).toEqual(ways);
    expect(door.isKilled).toBe(true);
  });

  it('is not used for another file than the one that was expected', async () => {
    const door = sending(DATA);
    const node = nodeSide();
    const file = { role: 'packets', file: 'capture.pcap', bytes: DATA.length, sha256: SHA };
    const script = ['hello', 'capturing'].map((name) => node.event(name));
    script.push(node.event('stopping', { reason: 'time' }), node.event('artifact', file), node.end());
    await run(clusterOf(door, asked, { followLogs: () => lines(script, true) }));
    expect(asked).toEqual(['take', 'cp']);
    expect(door.isAsked).toBe(false);
    expect(door.isKilled).toBe(true);
  });

  it('is not used for a file that several streams bring faster', async () => {
    const door = sending(DATA);
    const node = nodeSide();
    const zeros = Buffer.alloc(17 * 2 ** 20);
    const sha256 = createHash('sha256').update(zeros).digest('hex');
    const large = { role: 'packets', file: 'capture.pcap.gz', bytes: zeros.length, sha256 };
    const script = ['hello', 'capturing'].map((name) => node.event(name));
    script.push(node.event('stopping', { reason: 'time' }), node.event('artifact', large), node.end());
    const cluster = clusterOf(door, asked, {
      followLogs: () => lines(script, true),
      execStream: (_ref, argv) => {
        asked.push(argv[3]!);
        return argv[3] === 'take' ? door.stream() : bytes(zeros.subarray(0, Number(argv.at(-1))));
      },
    });
    const { artifact } = await run(cluster);
    expect(artifact.sha256).toBe(sha256);
    expect(asked).toEqual(['take', 'range', 'range', 'range', 'range']);
    expect(door.isAsked).toBe(false);
    expect(door.isKilled).toBe(true);
  });

  it('is not opened where several recorders share the debug pod', async () => {
    const plans = makePlans({
      works: ['redis-0', 'redis-1'].map((name) => ({ target: { ...podOf(), name }, capture: TCPDUMP })),
      limits: PLAN.limits,
      debugPod: PLAN.debugPod,
    });
    const [one, two] = plans.map(({ session }) => nodeSide(session.nonce).script());
    const printed = one!.flatMap((line, at) => [line, two![at]!]);
    await runAll(clusterOf(sending(DATA), asked, { followLogs: () => lines(printed, true) }), plans);
    expect(asked).toEqual(['cp', 'cp']);
  });

  it('is not opened for a recording that has ended long ago', async () => {
    const cluster = clusterOf(sending(DATA), asked);
    const pod = { namespace: PLAN.debugPod.namespace, name: PLAN.debugPod.name };
    await cluster.createPod({ metadata: pod }, false);
    const found = { plan: PLAN, plans: [PLAN] as readonly Plan[], pod, collector: tcpdump };
    await resumeSession(found as never, path(''), contextOf(cluster, { sleep: shortly }), true);
    expect(asked).toEqual(['cp']);
  });

  it.each<[string, readonly string[], () => unknown]>([
    ['the user gives up', [], () => [interrupt(), interrupt()]],
    ['the node cannot finish the file', ['refused'], () => {}],
  ])('is closed where %s', async (_what, last, act) => {
    const door = sending(DATA);
    const node = nodeSide();
    const script = [
      node.event('hello'),
      node.event('capturing'),
      node.event('stopping', { reason: 'time' }),
      ...last.map((name) => node.event(name, { code: 'tcpdump-failed' })),
    ];
    const ended = run(clusterOf(door, asked, { followLogs: () => lines(script, true) })).catch(
      (error: GkeprofError) => error,
    );
    await expect.poll(() => door.isOpened).toBe(true);
    act();
    expect(await ended).toBeInstanceOf(Error);
    await expect.poll(() => door.isKilled).toBe(true);
    expect(door.isAsked).toBe(false);
  });

  it('is closed where the debug pod is deleted while the node finishes the file', async () => {
    const door = sending(DATA);
    const script = nodeSide().script().slice(0, 4);
    const cluster = clusterOf(door, asked, {
      followLogs: () => ({
        ...lines([]),
        chunks: (async function* () {
          yield Buffer.from(`${script.join('\n')}\n`);
          await expect.poll(() => door.isOpened).toBe(true);
          cluster.pods.clear();
        })(),
      }),
    });
    await expect(run(cluster)).rejects.toThrow();
    expect(door.isKilled).toBe(true);
  });
});

describe('taking the file', () => {
  const announced = { file: 'capture.pcap.gz', bytes: DATA.length, sha256: SHA };

  /** Takes the file over a door into a file that exists only here. */
  function taking(door: Door, write: FileHandle['write'], stallMs = 30_000, said: string[] = []) {
    let argv: readonly string[] = [];
    const cluster = fakeCluster({
      execStream: (_ref, words) => {
        argv = words;
        return door.stream();
      },
    });
    const log = new Log({ write: (text) => said.push(text) }, { level: 2 });
    const context = contextOf(cluster, { stallMs, log });
    const early = new EarlyCopy(PLAN, 'capture.pcap.gz', context);
    const transfer: Transfer = {
      announced,
      from: {
        namespace: 'gkeprof',
        pod: PLAN.debugPod.name,
        container: 'files',
        folder: '/gkeprof/out',
        lease: '/gkeprof/ctl/lease',
      },
      arrived: { bytes: 0 },
      pace: new CopyPace(),
      firstByte: new FirstByte(stallMs),
      context,
      signal: context.interrupts.abandon,
    };
    const taken = early.take({ write } as unknown as FileHandle, transfer);
    return { taken, transfer, argv, context };
  }

  const into = (parts: Buffer[]) =>
    (async (part: Buffer, from: number, length: number) => {
      parts.push(Buffer.from(part.subarray(from, from + length)));
      return { bytesWritten: length, buffer: part };
    }) as unknown as FileHandle['write'];

  it('asks the container without privileges for this one file', async () => {
    const parts: Buffer[] = [];
    const { taken, transfer, argv } = taking(sending(half, rest), into(parts));
    expect(await taken).toBe(DATA.length);
    expect(Buffer.concat(parts).equals(DATA)).toBe(true);
    expect(transfer.arrived.bytes).toBe(DATA.length);
    expect(argv.slice(3)).toEqual(['take', PATH]);
  });

  it('says why the connection is closed, with -v=2', async () => {
    const said: string[] = [];
    await taking(sending(half, rest), into([]), undefined, said).taken;
    expect(said.join('')).toContain(
      'every byte is here: the connection that was opened early is being closed',
    );
  });

  it.each([
    ['before the first byte', []],
    ['in the middle', [half]],
  ])('ends a connection that stalls %s', async (_when, chunks) => {
    const door = sending(...chunks);
    const { taken, transfer } = taking(door, into([]), 40);
    expect(await taken).toBe(Buffer.concat(chunks).length);
    expect(door.isKilled).toBe(true);
    // Later streams have to open a connection first.
    expect(transfer.firstByte.limitMs).toBe(3 * 40);
  });

  it('rejects, with the reason, where the disk here is full', async () => {
    const door = sending(half, rest);
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { syscall: 'write' });
    const { taken } = taking(door, async () => {
      throw full;
    });
    await expect(taken).rejects.toThrow(/^no space left on device$/);
    expect(door.isKilled).toBe(true);
  });

  it('rejects at once where the user gives up', async () => {
    const door = sending(half);
    const { taken, context, transfer } = taking(door, into([]));
    await expect.poll(() => transfer.arrived.bytes).toBe(half.length);
    context.interrupts.receive('SIGINT');
    context.interrupts.receive('SIGINT');
    await expect(taken).rejects.toThrow('interrupted');
    expect(door.isKilled).toBe(true);
  });
});
