import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Kubectl } from '../../src/cluster/kubectl.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { Interrupts } from '../../src/interrupts.ts';
import { download } from '../../src/session/download.ts';
import type { SessionContext } from '../../src/session/session-context.ts';
import type { Announced } from '../../src/session/transfer.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

/** How many bytes went through SHA-256. */
const hashed = vi.hoisted(() => ({ bytes: 0 }));
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const createHash: typeof real.createHash = (...words) => {
    const hash = real.createHash(...words);
    const update = hash.update.bind(hash);
    hash.update = ((part: Uint8Array) => {
      hashed.bytes += part.length;
      return update(part);
    }) as typeof hash.update;
    return hash;
  };
  return { ...real, createHash };
});

const FAKES = fileURLToPath(new URL('../fixtures/bin', import.meta.url));
const FROM = {
  folder: '/gkeprof/out',
  lease: '/gkeprof/ctl/lease',
  namespace: 'gkeprof',
  pod: 'gkeprof-perf-1',
  container: 'files',
};

let root: string;
let directory: string;
let data: Buffer;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gkeprof-collect-'));
  directory = mkdtempSync(join(root, 'out-'));
  data = Buffer.from(Array.from({ length: 50_000 }, (_, at) => 97 + ((at * 7) % 26)));
  writeFileSync(join(root, 'remote'), data);
  writeFileSync(join(root, 'log'), '');
  writeFileSync(join(root, 'other'), 'a file of the user');
});
afterEach(() => rmSync(root, { recursive: true }));

const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const fakes = (cp: string, rangeBytes = 1 << 30) => ({
  ...(process.env.FAKE_ONCE && { FAKE_ONCE: process.env.FAKE_ONCE }),
  PATH: `${FAKES}:${process.env.PATH}`,
  FAKE_FILE: join(root, 'remote'),
  FAKE_OTHER: join(root, 'other'),
  FAKE_LOG: join(root, 'log'),
  FAKE_CP: cp,
  FAKE_RANGE: String(rangeBytes),
});

/** Downloads by the real Kubectl class from a kubectl that behaves as told. */
function fetchFile(
  cp: string,
  rangeBytes = 1 << 30,
  announced: Partial<Announced> = {},
  times: Partial<Pick<SessionContext, 'stallMs' | 'paceMs' | 'windows' | 'interrupts'>> = {},
) {
  const env = fakes(cp, rangeBytes);
  const kubectl = new Kubectl({ context: 'prod' }, { env, windows: false });
  const cluster = fakeCluster({
    copy: (...words) => kubectl.copy(...words),
    exec: (...words) => kubectl.exec(...words),
    execStream: (...words) => kubectl.execStream(...words),
    kubectlLine: (...words) => kubectl.line(words),
    readPod: async () => ({ status: { phase: 'Running' } }),
  });
  const file = { file: 'capture.pcap.gz', bytes: data.length, sha256: sumOf(data), ...announced };
  const destination = { directory, base: 'node.time.scope', ending: '.pcap.gz' };
  return download(file, FROM, destination, contextOf(cluster, { stallMs: 30_000, ...times }));
}

const calls = () => readFileSync(join(root, 'log'), 'utf8').trim().split('\n');

describe('download of a large file', () => {
  // A little more than 16 MiB, and no whole number of ranges.
  const large = () => {
    data = Buffer.alloc(17 * 2 ** 20 + 12_345);
    for (let at = 0; at < data.length; at += 1) data[at] = 97 + ((at * 7 + (at >> 12)) % 26);
    writeFileSync(join(root, 'remote'), data);
  };
  const verbs = () => calls().map((line) => (line.includes(' cp ') ? 'cp' : /range(?:-sum)?/.exec(line)![0]));

  it('reads it by four streams at a time', async () => {
    large();
    const got = await fetchFile('whole');
    expect(got.resumedBytes).toBe(0);
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(statSync(got.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['node.time.scope.pcap.gz']);
    expect(verbs()).toEqual(['range', 'range', 'range', 'range']);
  });

  it.each(['reset', 'short', 'none'])('goes on where a stream ended early: %s', async (once) => {
    large();
    vi.stubEnv('FAKE_ONCE', once);
    const got = await fetchFile('whole');
    vi.unstubAllEnvs();
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(got.resumedBytes).toBeGreaterThan(data.length / 2);
    expect(verbs()).not.toContain('cp');
  });

  it('reads again the parts that came with other bytes, and no others', async () => {
    large();
    data.fill('x', 0, 2 * Math.ceil(data.length / 4)); // tr changes nothing there.
    writeFileSync(join(root, 'remote'), data);
    vi.stubEnv('FAKE_ONCE', 'altered');
    const got = await fetchFile('whole');
    vi.unstubAllEnvs();
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(verbs().filter((verb) => verb === 'range-sum')).toHaveLength(4);
    expect(verbs().filter((verb) => verb === 'range')).toHaveLength(6);
    expect(got.resumedBytes).toBe(data.length - 2 * Math.ceil(data.length / 4));
  });

  it('is copied by kubectl cp where ranges bring nothing', async () => {
    large();
    const got = await fetchFile('noranges', undefined, {}, { windows: false });
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(verbs().at(-1)).toBe('cp');
    expect(readdirSync(directory)).toEqual(['node.time.scope.pcap.gz']);
  });

  it('keeps nothing of it if the user gives up', async () => {
    large();
    const given = new Interrupts();
    const wanted = fetchFile('staying-open', 1 << 10, {}, { interrupts: given });
    await expect.poll(() => calls().length).toBeGreaterThan(4);
    given.receive('SIGINT');
    given.receive('SIGINT');
    await expect(wanted).rejects.toMatchObject({ code: 130 });
    expect(readdirSync(directory)).toEqual([]);
  });

  it('ends all streams if one is refused', async () => {
    large();
    await expect(fetchFile('oneforbidden')).rejects.toMatchObject({
      code: 5,
      message: expect.stringContaining('pods "p" is forbidden'),
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('download', () => {
  it.each([
    ['whole', 0],
    ['short', 49_000],
    ['nothing', 50_000],
    ['longer', 50_000],
    ['altered', 50_000],
    ['wrong', 50_000],
  ])('brings the file whole when kubectl cp brings it %s', async (cp, resumedBytes) => {
    const got = await fetchFile(cp);
    expect(got.resumedBytes).toBe(resumedBytes);
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(statSync(got.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['node.time.scope.pcap.gz']);
  });

  it.each(['symlink', 'hardlink', 'pipe', 'folder'])(
    'removes a %s that came in place of the file, and neither reads nor writes what it leads to',
    async (cp) => {
      const got = await fetchFile(cp);
      expect(got.resumedBytes).toBe(50_000);
      expect(lstatSync(got.path).isFile()).toBe(true);
      expect(lstatSync(got.path).nlink).toBe(1);
      expect(readFileSync(got.path).equals(data)).toBe(true);
      expect(readFileSync(join(root, 'other'), 'utf8')).toBe('a file of the user');
      expect(readdirSync(directory)).toEqual(['node.time.scope.pcap.gz']);
    },
  );

  it.each([
    ['endless', 'never ends'],
    ['several', 'brings a second file'],
    ['again', 'brings the file again and again'],
    ['flooded', 'brings nothing, and whose ranges never end'],
    ['staying', 'brings nothing, and whose ranges stay open behind their last byte'],
  ])('ends a copy as soon as it brings more than was announced: one that %s (%s)', async (cp) => {
    const got = await fetchFile(cp);
    expect(readFileSync(got.path).equals(data)).toBe(true);
    expect(readdirSync(directory)).toEqual(['node.time.scope.pcap.gz']);
  });

  it.each([
    [{ bytes: 2 ** 50 }, 'are free here'],
    [{ bytes: -1 }, 'which is not a file of a capture'],
    [{ bytes: 0.5 }, 'which is not a file of a capture'],
    [{ file: '../ctl/stop' }, 'which is not a file of a capture'],
    [{ file: '' }, 'which is not a file of a capture'],
    [{ sha256: '' }, 'without its SHA-256'],
  ])('copies nothing for the announcement %j', async (announced, words) => {
    const error = (await fetchFile('whole', 1 << 30, announced).catch(
      (each: unknown) => each,
    )) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain(words);
    expect(calls()).toEqual(['']);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('reads by ranges what a copy that hangs does not bring', async () => {
    const got = await fetchFile('hang', 1 << 30, {}, { stallMs: 300 });
    expect(got.resumedBytes).toBe(50_000);
    expect(readFileSync(got.path).equals(data)).toBe(true);
  });

  it('reads on from the last byte when a range comes short', async () => {
    const got = await fetchFile('short', 20_000);
    expect(readFileSync(got.path).equals(data)).toBe(true);
    const starts = calls()
      .filter((line) => line.includes(' exec '))
      .map((line) => line.split(' ').at(-2));
    expect(starts).toEqual(['1000', '21000', '41000']);
  });

  it('never overwrites', async () => {
    const first = await fetchFile('whole');
    const second = await fetchFile('whole');
    expect(first.path).toBe(join(directory, 'node.time.scope.pcap.gz'));
    expect(second.path).toBe(join(directory, 'node.time.scope.2.pcap.gz'));
    expect(second.base).toBe(join(directory, 'node.time.scope.2'));
  });

  it('copies one named file with a relative local name, by the flags of the user', async () => {
    await fetchFile('whole');
    expect(calls()).toEqual([
      '--context=prod cp -c files gkeprof/gkeprof-perf-1:/gkeprof/out/capture.pcap.gz part',
    ]);
  });

  it.each([
    ['full', 'no space left on device'],
    ['refused', 'could not be copied: unable to upgrade connection: Forbidden'],
  ])('gives up with the command that still gets it: %s', async (cp, words) => {
    const error = (await fetchFile(cp).catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain(words);
    expect(error.hint).toBe(
      `this still gets the file: (umask 077; kubectl --context=prod cp -c files gkeprof/gkeprof-perf-1:/gkeprof/out/capture.pcap.gz node.time.scope.pcap.gz && echo '${sumOf(data)}  node.time.scope.pcap.gz' | sha256sum -c)`,
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('leaves the file on the node when the folder here is gone by the time', async () => {
    rmSync(directory, { recursive: true });
    const error = (await fetchFile('whole').catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain(`the folder ${directory} is gone`);
    expect(error.hint).toContain(' cp -c files ');
  });

  it('never gives a final name to bytes that are not those of the node', async () => {
    writeFileSync(join(root, 'remote'), Buffer.concat([data.subarray(0, 49_999), Buffer.from('!')]));
    await expect(fetchFile('whole')).rejects.toThrow(/SHA-256 is .* here and .* on the node/);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('hashes a file once that came whole', async () => {
    await fetchFile('whole');
    const before = hashed.bytes;
    await fetchFile('whole');
    // What the test itself hashes for the announcement is the other half.
    expect(hashed.bytes - before).toBe(2 * data.length);
  });

  describe('the command that still gets the file', () => {
    /** Runs it as a user does, with the kubectl that now behaves so. */
    async function typed(cp: string) {
      const error = (await fetchFile('full').catch((each: unknown) => each)) as GkeprofError;
      const command = error.hint!.replace('this still gets the file: ', '');
      return execa('sh', ['-c', command], {
        cwd: directory,
        env: fakes(cp),
        reject: false,
      });
    }

    it('makes a file for its user alone, and says that it is the right one', async () => {
      const run = await typed('whole');
      expect(run.exitCode).toBe(0);
      expect(run.stdout).toBe('node.time.scope.pcap.gz: OK');
      const path = join(directory, 'node.time.scope.pcap.gz');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readFileSync(path).equals(data)).toBe(true);
    });

    it.each(['short', 'altered'])('fails where the file is not the one of the node (%s)', async (cp) => {
      const run = await typed(cp);
      expect(run.exitCode).not.toBe(0);
      expect(run.stdout).toContain('FAILED');
    });

    it('names the SHA-256 where there is no sha256sum: on Windows', async () => {
      const error = (await fetchFile('full', 1, {}, { windows: true }).catch(
        (each: unknown) => each,
      )) as GkeprofError;
      expect(error.hint).toMatch(
        new RegExp(
          `cp -c files \\S+ node.time.scope.pcap.gz \\(its SHA-256, by certutil -hashfile, is ${sumOf(data)}\\)$`,
        ),
      );
    });
  });

  describe('a copy that is too slow to end', () => {
    it.each([
      ['kubectl cp', 'slow', {}],
      ['ranges that bring a byte each', 'drops', {}],
    ])(
      'is given up with what is true, and with the command that still gets it: %s',
      async (_what, cp, more) => {
        const began = Date.now();
        const error = (await fetchFile(cp, 1 << 30, {}, { paceMs: 400, ...more }).catch(
          (each: unknown) => each,
        )) as GkeprofError;
        expect(error.code).toBe(5);
        expect(error.message).toMatch(
          /could not be copied: the copy is too slow: \d+ B came in the last \S+, so it was given up at \d+ B of 49 KiB$/,
        );
        expect(error.hint).toContain('this still gets the file: ');
        // The whole copy would take a quarter of an hour.
        expect(Date.now() - began).toBeLessThan(100_000);
        expect(readdirSync(directory)).toEqual([]);
      },
    );

    it('is not one of which less is left than came', async () => {
      data = data.subarray(0, 300);
      writeFileSync(join(root, 'remote'), data);
      const got = await fetchFile('pausing', 1 << 30, {}, { paceMs: 400 });
      expect(got).toMatchObject({ bytes: 300, resumedBytes: 0 });
    });
  });
});
