import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Kubectl } from '../../src/cluster/kubectl.ts';
import type { GkeprofError } from '../../src/errors.ts';
import { type Announced, download } from '../../src/session/download.ts';
import { fakeCluster } from '../fake-cluster.ts';
import { contextOf } from './scene.ts';

const FAKES = fileURLToPath(new URL('../fixtures/bin', import.meta.url));
const FROM = { namespace: 'gkeprof', pod: 'gkeprof-perf-1', container: 'files' };

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

/** Downloads by the real Kubectl class from a kubectl that behaves as told. */
function fetchFile(cp: string, rangeBytes = 1 << 30, announced: Partial<Announced> = {}, stallMs = 30_000) {
  const env = {
    PATH: `${FAKES}:${process.env.PATH}`,
    FAKE_FILE: join(root, 'remote'),
    FAKE_OTHER: join(root, 'other'),
    FAKE_LOG: join(root, 'log'),
    FAKE_CP: cp,
    FAKE_RANGE: String(rangeBytes),
  };
  const kubectl = new Kubectl({ context: 'prod' }, { env, windows: false });
  const cluster = fakeCluster({
    copy: (...words) => kubectl.copy(...words),
    execStream: (...words) => kubectl.execStream(...words),
    kubectlLine: (...words) => kubectl.line(words),
  });
  const sha256 = createHash('sha256').update(data).digest('hex');
  const file = { file: 'capture.pcap.gz', bytes: data.length, sha256, ...announced };
  const destination = { directory, base: 'node.time.scope', ending: '.pcap.gz' };
  return download(file, FROM, destination, contextOf(cluster, { stallMs }));
}

const calls = () => readFileSync(join(root, 'log'), 'utf8').trim().split('\n');

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
    const got = await fetchFile('hang', 1 << 30, {}, 300);
    expect(got.resumedBytes).toBe(50_000);
    expect(readFileSync(got.path).equals(data)).toBe(true);
  });

  it('reads on from the last byte when a range comes short', async () => {
    const got = await fetchFile('short', 20_000);
    expect(readFileSync(got.path).equals(data)).toBe(true);
    const starts = calls()
      .filter((line) => line.includes(' exec '))
      .map((line) => line.split(' ').at(-2));
    expect(starts).toEqual(['1001', '21001', '41001']);
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
    ['refused', 'the copy stopped at 0 B of'],
  ])('gives up with the command that still gets it: %s', async (cp, words) => {
    const error = (await fetchFile(cp).catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain(words);
    expect(error.hint).toContain(
      'kubectl --context=prod cp -c files gkeprof/gkeprof-perf-1:/gkeprof/out/capture.pcap.gz node.time.scope.pcap.gz',
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('leaves the file on the node when the folder here is gone by the time', async () => {
    rmSync(directory, { recursive: true });
    const error = (await fetchFile('whole').catch((each: unknown) => each)) as GkeprofError;
    expect(error.code).toBe(5);
    expect(error.message).toContain('ENOENT');
    expect(error.hint).toContain(' cp -c files ');
  });

  it('never gives a final name to bytes that are not those of the node', async () => {
    writeFileSync(join(root, 'remote'), Buffer.concat([data.subarray(0, 49_999), Buffer.from('!')]));
    await expect(fetchFile('whole')).rejects.toThrow(/SHA-256 is .* here and .* on the node/);
    expect(readdirSync(directory)).toEqual([]);
  });
});
