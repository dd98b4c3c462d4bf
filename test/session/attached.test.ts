import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Cluster, RemoteStream } from '../../src/cluster/cluster.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { Log } from '../../src/output/log.ts';
import { runNodeCommand } from '../../src/session/attached.ts';
import { PATIENCE_MS } from '../../src/session/patience.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { planOf } from '../plans.ts';
import { fc } from '../properties.ts';

const PLAN = planOf({
  collector: 'shell',
  scope: 'node',
  about: 'shell',
  keys: [],
  words: ['cat'],
  stdin: false,
  tty: false,
});
const LEASE = 'exec touch /gkeprof/ctl/lease';

const frame = (kind: string, bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${kind} ${bytes.length}\n`), bytes]);

/** A stream of these chunks, which ends after them. */
const stream = (chunks: AsyncIterable<Uint8Array>): RemoteStream => ({
  chunks,
  write: () => {},
  ended: new Promise(() => {}),
  kill: () => {},
});

/** What was asked of the cluster in the last run. */
let calls: readonly string[] = [];

/** Runs it, with what it says and how long it waited each time. */
async function run(execStream: Cluster['execStream']) {
  const cluster = fakeCluster({ execStream });
  calls = cluster.calls;
  const said = { stdout: [] as Buffer[], stderr: [] as Buffer[], log: [] as string[] };
  const waits: number[] = [];
  const status = await runNodeCommand(
    PLAN,
    {
      stdout: { write: (bytes) => said.stdout.push(Buffer.from(bytes as Uint8Array)) > 0 },
      stderr: { write: (bytes) => said.stderr.push(Buffer.from(bytes as Uint8Array)) > 0 },
    },
    {
      cluster,
      interrupts: new Interrupts(),
      log: new Log({ write: (text) => said.log.push(text) }),
      now: () => Date.now(),
      async sleep(ms, signal) {
        waits.push(ms);
        await delay(ms >= 1000 ? 20 : 0, undefined, { signal });
      },
    },
  );
  return {
    status,
    stdout: Buffer.concat(said.stdout),
    stderr: Buffer.concat(said.stderr),
    log: said.log.join(''),
    waits,
    calls: cluster.calls,
    pods: cluster.pods,
  };
}

describe('what runs without a terminal', () => {
  it('is heard byte by byte once, wherever its connections break', async () => {
    const text = fc.uint8Array({ maxLength: 40 });
    const breaks = fc.array(fc.nat(60), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(255), breaks, fc.nat(6), async (out, err, code, lengths, size) => {
        let connections = 0;
        const got = await run((_ref, argv) => {
          // The node's half, session/attached.ts FOLLOW: what is behind what is known already.
          const [o, e] = argv.slice(-3, -1).map(Number) as [number, number];
          const all = Buffer.concat([
            frame('c', Buffer.from('cat\n')),
            ...(o < out.length ? [frame('o', out.subarray(o))] : []),
            ...(e < err.length ? [frame('e', err.subarray(e))] : []),
            frame('x', Buffer.from(String(code))),
          ]);
          const sent = all.subarray(0, lengths[connections] ?? all.length);
          connections += 1;
          return stream(
            (async function* () {
              for (let at = 0; at < sent.length; at += size + 1) yield sent.subarray(at, at + size + 1);
            })(),
          );
        });
        expect(got.status).toBe(code);
        expect(got.stdout.equals(out)).toBe(true);
        expect(got.stderr.equals(err)).toBe(true);
        expect(got.log.match(/node-a: cat/g)).toHaveLength(1);
        expect(got.pods.size).toBe(0);
      }),
    );
  });

  it('is read no faster than what takes it: a flood does not fill the memory', async () => {
    let sent = 0;
    let taken = 0;
    let most = 0;
    const sink = new Writable({
      highWaterMark: 1 << 16,
      write: (chunk: Uint8Array, _encoding, done) => {
        taken += chunk.length;
        setImmediate(done);
      },
    });
    const cluster = fakeCluster({
      execStream: () =>
        stream(
          (async function* () {
            for (let part = 0; part < 200; part += 1) {
              yield frame('o', Buffer.alloc(1 << 16));
              sent += 1 << 16;
              most = Math.max(most, sent - taken);
            }
            yield frame('x', Buffer.from('0'));
          })(),
        ),
    });
    const audience = { stdout: sink, stderr: { write: () => true } };
    await runNodeCommand(PLAN, audience, {
      cluster,
      interrupts: new Interrupts(),
      log: new Log({ write: () => true }),
      now: () => Date.now(),
      sleep: async (ms, signal) => void (await delay(ms, undefined, signal && { signal }).catch(() => {})),
    });
    expect(sent).toBe(200 << 16);
    expect(most).toBeLessThan(4 << 16);
  });

  it('has its lease renewed as long as it runs, well within the two minutes after which it is hung up', async () => {
    const count = () => calls.filter((call) => call === LEASE).length;
    const got = await run(() =>
      stream(
        (async function* () {
          await expect.poll(count).toBeGreaterThan(1);
          yield frame('x', Buffer.from('4'));
        })(),
      ),
    );
    const renewed = count();
    expect(got.status).toBe(4);
    expect(renewed).toBeGreaterThan(1);
    expect(got.waits.filter((ms) => ms >= 1000 && ms !== PATIENCE_MS).every((ms) => ms <= 60_000)).toBe(true);
    await delay(60);
    expect(count()).toBe(renewed);
  });
});
