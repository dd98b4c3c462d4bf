import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RemoteStream } from '../../src/cluster/cluster.ts';
import { download } from '../../src/session/download.ts';
import { fakeCluster, result } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

/** What kubectl reads of a debug pod before it begins: that of a packet capture, and that of a profile. */
const CAPTURE_POD = 36_000;
const PROFILE_POD = 73_000;
const MB = 2 ** 20;
const TICK_MS = 100;

/** A stream on the line: how much of the debug pod kubectl still has to read, and who takes the bytes that come then. */
interface Flow {
  before: number;
  readonly take: (bytes: number) => void;
}

/** A line whose bytes per second all streams share, in the time of the test. */
class SlowLine {
  readonly #flows = new Set<Flow>();
  readonly #podBytes: number;
  /** How many streams were on the line at the same time at most since the first byte of the file came. */
  most = 0;
  #hasCome = false;
  readonly #began = Date.now();
  /** When the last stream left the line: so many seconds after the beginning. */
  leftAfter = 0;
  perSecond: number;

  constructor(perSecond: number, podBytes: number) {
    this.perSecond = perSecond;
    this.#podBytes = podBytes;
  }

  tick(): void {
    const each = (this.perSecond * TICK_MS) / 1000 / Math.max(1, this.#flows.size);
    if (this.#hasCome) this.most = Math.max(this.most, this.#flows.size);
    for (const flow of this.#flows) {
      const rest = Math.floor(each - flow.before);
      flow.before = Math.max(0, flow.before - each);
      if (rest > 0) {
        this.#hasCome = true;
        flow.take(rest);
      }
    }
  }

  join(take: Flow['take']): () => void {
    const flow = { before: this.#podBytes, take };
    this.#flows.add(flow);
    return () => {
      if (this.#flows.delete(flow)) this.leftAfter = (Date.now() - this.#began) / 1000;
    };
  }
}

/** `kubectl exec` of a range, over the line. */
function rangeOver(line: SlowLine, bytes: number): RemoteStream {
  const waiting: Uint8Array[] = [];
  let isOver = false;
  let wake = () => {};
  let left = bytes;
  const ended = Promise.withResolvers<ReturnType<typeof result>>();
  const end = () => {
    leave();
    isOver = true;
    wake();
    ended.resolve(result());
  };
  const leave = line.join((came) => {
    const part = Math.min(came, left);
    left -= part;
    if (part > 0) waiting.push(new Uint8Array(part));
    wake();
  });
  async function* chunks() {
    for (;;) {
      const next = waiting.shift();
      if (next) yield next;
      else if (isOver) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  }
  return { chunks: chunks(), write: end, ended: ended.promise, kill: end };
}

let directory: string;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  directory = mkdtempSync(join(tmpdir(), 'gkeprof-slow-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

/** Downloads a file of zeros over the line. Returns how it ended. */
async function over(line: SlowLine, bytes: number): Promise<string> {
  const sha256 = createHash('sha256').update(new Uint8Array(bytes)).digest('hex');
  const cluster = fakeCluster({
    readPod: async () => ({ status: { phase: 'Running' } }),
    execStream: (_ref, words) => rangeOver(line, Number(words.at(-1))),
    copy: (_ref, _path, folder, name, signal) =>
      new Promise((resolve) => {
        const leave = line.join((came) => appendFileSync(join(folder, name), new Uint8Array(came)));
        signal!.addEventListener('abort', () => {
          leave();
          resolve(result('', 1));
        });
      }),
  });
  const context = contextOf(cluster, {
    sleep: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  });
  const from = {
    namespace: 'n',
    pod: 'p',
    container: 'files',
    folder: '/gkeprof/out',
    lease: '/gkeprof/ctl/lease',
  };
  const to = { directory, base: 'file', ending: '.pcap.gz' };
  let isOver = false;
  const ending = download({ file: 'capture.pcap.gz', bytes, sha256 }, from, to, context)
    .then(
      () => 'copied',
      (error: Error) => error.message,
    )
    .finally(() => {
      isOver = true;
    });
  while (!isOver) {
    await vi.advanceTimersByTimeAsync(TICK_MS);
    line.tick();
    // The disk does not know the clock of the test: what was asked of it before is answered before this.
    for (let turns = 0; turns < 3; turns += 1) await stat(directory);
  }
  return ending;
}

describe('a copy over a line that is too slow for it', () => {
  it.each<[number, number, string]>([
    [900, CAPTURE_POD, 'the copy is too slow'],
    [900, PROFILE_POD, 'the copy is too slow'],
    [600, CAPTURE_POD, 'the copy is too slow'],
    [300, PROFILE_POD, 'the copy stopped at 0 B'],
  ])(
    '%d B/s, and a pod of %d bytes: one stream and several give it up at the same time',
    async (perSecond, pod, said) => {
      const one = new SlowLine(perSecond, pod);
      expect(await over(one, 15 * MB)).toContain(said);
      const several = new SlowLine(perSecond, pod);
      expect(await over(several, 20 * MB)).toContain(said);
      expect(Math.abs(several.leftAfter - one.leftAfter)).toBeLessThan(20);
      expect(readdirSync(directory)).toEqual([]);
    },
  );
});

describe('a copy by several streams', () => {
  it('goes on by one stream where the line is too slow for the first byte of several', async () => {
    const line = new SlowLine(4000, PROFILE_POD);
    const copying = over(line, 17 * MB);
    const faster = setInterval(() => {
      if (line.most > 0) line.perSecond = 100_000;
    }, 60_000);
    expect(await copying).toBe('copied');
    clearInterval(faster);
    expect(line.most).toBe(1);
  });

  it('is by four where the line brings the first byte soon', async () => {
    const line = new SlowLine(2_000_000, PROFILE_POD);
    expect(await over(line, 17 * MB)).toBe('copied');
    expect(line.most).toBe(4);
  });
});
