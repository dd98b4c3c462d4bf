import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { apiAnswer, type FakeCluster, fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { giveRedis } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

const TEXT = readFileSync(new URL('../profile/node.perf-script.txt', import.meta.url));
const samplesOf = (uid: string) => TEXT.toString().split(uid).length - 1;
const HALF = 'f46255e3-2cde-4a23-a53a-d046fbf22111';
const FIFTH = '34f6bf06-5aee-4a36-85e0-d373248802be';
const ONE = 'eca0a6dcc24f7cbd738ad7e1fbba3083870b526480903946597b8e154806aedf';
const TWO = 'a0ad6df8d097a6f435cec5572341a0180be9624f8100a52f6286461fedaf1427';

const pod = (name: string, uid: string, containers: Readonly<Record<string, string>>, node = 'node-a') =>
  ({
    metadata: { name, namespace: 'shop', uid },
    spec: { nodeName: node, containers: [] },
    status: {
      phase: 'Running',
      containerStatuses: Object.entries(containers).map(([container, id]) => ({
        ...status(container),
        containerID: `containerd://${id}`,
      })),
    },
  }) as never;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-by-pod-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A node whose script gives this recording. */
function cluster(
  text: string | Uint8Array = TEXT,
  end: object = {},
  more: Uint8Array = Buffer.of(),
): FakeCluster {
  // The names of the runtime are a gzip file of their own behind the samples.
  const data = Buffer.concat(
    more[0] === 0x1f ? [gzipSync(text), more] : [gzipSync(Buffer.concat([Buffer.from(text), more]))],
  );
  const made = fakeCluster({
    copy: async (_ref, _path, directory, name) => {
      writeFileSync(join(directory, name), data);
      return result();
    },
  });
  const sha256 = createHash('sha256').update(data).digest('hex');
  giveRedis(made, ({ event }) =>
    lines([
      event('hello', { collector: 'perf', kernel: '6.1' }),
      event('capturing'),
      event('tool', { version: 'perf version 6.12' }),
      event('stopping', { reason: 'time' }),
      event('artifact', { role: 'stacks', file: 'perf-script.txt.gz', bytes: data.length, sha256 }),
      event('end', { reason: 'time', status: 0, stopped: 1_790_000_010_000, ...end }),
    ]),
  );
  made.pods.set('fifth', pod('fifth', FIFTH, { one: ONE, two: TWO }));
  made.pods.set('far', pod('far', HALF, { burn: 'f'.repeat(64) }, 'node-b'));
  return made;
}

const record = (on: FakeCluster, ...words: readonly string[]) =>
  runOn(on, ['flamegraph', 'node/node-a', '-t', '10s', '--output-dir', folder, ...words]);
const file = (ending: string) => join(folder, readdirSync(folder).find((name) => name.endsWith(ending))!);
const receipt = () => JSON.parse(readFileSync(file('.receipt.json'), 'utf8'));

describe('flamegraph node/NODE', () => {
  it('tells the pods apart, with names from the API that a later render has too', async () => {
    const on = cluster();
    const list = on.listAllPods;
    let lists = 0;
    // This pod is gone when the recording has ended, and this one starts meanwhile.
    const half = pod('half', HALF, {
      burn: `06d01b6871621d637681caa12e6228ed32500797f8c0daa584f79a49eba5f007`,
    });
    on.pods.delete('far');
    on.listAllPods = async (node) => {
      expect(node).toBe('node-a');
      lists += 1;
      return lists === 1 ? [half] : list(node);
    };
    const run = await record(on, '-o', 'json');
    expect(run.stderr).not.toContain('UID');
    const found = JSON.parse(run.stdout);
    expect(faults('flamegraph', found)).toEqual([]);
    expect(found.profile.owners).toContainEqual(
      expect.objectContaining({ kind: 'pod', name: 'shop/half', podUid: HALF, samples: samplesOf(HALF) }),
    );
    expect(found.profile.owners).toContainEqual(
      expect.objectContaining({
        name: 'shop/fifth',
        containers: [
          expect.objectContaining({ name: 'one', id: ONE, samples: samplesOf(ONE) }),
          expect.objectContaining({ name: 'two', id: TWO, samples: samplesOf(TWO) }),
        ],
      }),
    );
    expect(faults('receipt', receipt())).toEqual([]);
    expect(receipt().capture.pods.map(({ name }: { name: string }) => name)).toEqual(['half', 'fifth']);

    const again = await gkeprof([
      'render',
      file('.perf-script.txt.gz'),
      '--format',
      'folded',
      '--output',
      '-',
    ]);
    expect(again.stdout.toString()).toMatch(/^shop\/fifth;one;sh;/m);
    const report = await gkeprof([
      'render',
      file('.perf-script.txt.gz'),
      '-o',
      'json',
      '--output-dir',
      folder,
    ]);
    const { profile } = JSON.parse(report.stdout.toString());
    expect(profile.owners.map(({ name }: { name: string }) => name)).toEqual(
      found.profile.owners.map(({ name }: { name: string }) => name),
    );
    expect(faults('render', JSON.parse(report.stdout.toString()))).toEqual([]);
  });

  it('prints the table below the results', async () => {
    const { stderr } = await record(cluster());
    expect(stderr).toMatch(
      /^pods and services, by cores busy and share:\n(?:.*\n){2} +0\.01 +10\.9 % {2}shop\/fifth$/m,
    );
    expect(stderr).toMatch(/^ +0\.00 +5\.5 % {4}one$/m);
  });

  it('has the table in the block of Markdown', async () => {
    const run = await record(cluster(), '--markdown');
    expect(run.stdout).toContain('| cores | % | samples | pod or service | containers |');
    expect(run.stdout).toMatch(/^\| 0\.01 \| 10\.9 % \| 6 \| `shop\/fifth` \| `one`, `two` \|$/m);
  });

  it('shows UIDs to a user who may not list the pods, and says so', async () => {
    const on = cluster();
    on.listAllPods = () => Promise.reject(apiAnswer(403, 'pods is forbidden', 'Forbidden'));
    const run = await record(on);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain(
      'the pods of the node could not be listed, so pods that its container runtime does not name are shown by their UIDs',
    );
    expect(run.stderr).toContain('pods is forbidden');
    expect(run.stderr).toContain(`pod ${FIFTH}`);
    expect(receipt().capture.pods).toBeUndefined();
  });

  it('has the names of the runtime for a user who may not list the pods, and for pods that are gone', async () => {
    const names = `# container: ${ONE} ${FIFTH} shop fifth one\n`;
    for (const part of [Buffer.from(names), gzipSync(names)]) {
      const on = cluster(TEXT, {}, part);
      on.listAllPods = () => Promise.reject(apiAnswer(403, 'pods is forbidden', 'Forbidden'));
      await record(on);
      const path = file('.perf-script.txt.gz');
      const { stdout } = await gkeprof(['render', path, '--format', 'folded', '--output', '-']);
      expect(stdout.toString()).toMatch(/^shop\/fifth;one;sh;/m);
      expect(stdout.toString()).toMatch(new RegExp(`^shop/fifth;${TWO.slice(0, 13)};`, 'm'));
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
    }
  });

  it.each([
    ['perf', 'perf in the image does not print cgroups'],
    ['kernel', 'the kernel does not record cgroups'],
    ['mount', 'does not see the cgroups of the node'],
  ])('says why there are no pods in the picture: %s', async (why, said) => {
    const plain = TEXT.toString().replaceAll(/(cpu-clock:) .*/g, '$1');
    const run = await record(cluster(plain, { no_cgroups: why }), '-o', 'json');
    expect(run.code).toBe(0);
    expect(run.stderr).toContain(said);
    const found = JSON.parse(run.stdout);
    expect(found.noCgroups).toBe(why);
    expect(faults('flamegraph', found)).toEqual([]);
    expect(faults('receipt', receipt())).toEqual([]);
    expect(found.profile.owners).toBeUndefined();
  });
});

describe('--except', () => {
  it('leaves the samples of a pod out, by its UID, and says how many', async () => {
    const on = cluster();
    const told = await record(cluster(), '--except', 'pod/fifth');
    expect(told.stderr).toContain(
      `${samplesOf(FIFTH)} samples of the pod shop/fifth are left out (--except)`,
    );
    const run = await record(on, '--except', 'pod/fifth', '-o', 'json');
    const found = JSON.parse(run.stdout);
    expect(found.profile.except).toEqual({ pod: 'shop/fifth', samples: samplesOf(FIFTH) });
    expect(faults('flamegraph', found)).toEqual([]);
    const picture = readFileSync(file('.svg'), 'utf8');
    expect(picture).toContain(`${samplesOf(FIFTH)} samples of shop/fifth left out`);
    expect(picture).not.toContain('shop/fifth, one');
  });

  it.each([
    [['node/node-a', '--except', 'pod/far'], 'runs on node-b, not on node-a'],
    [['node/node-a', '--except', 'pod/none'], 'not found'],
  ])('is refused before anything is recorded: %j', async (words, said) => {
    const run = await runOn(cluster(), ['flamegraph', ...words, '--output-dir', folder]);
    expect(run.stderr).toContain(said);
    expect(run.calls.filter((call) => call.startsWith('create'))).toEqual([]);
  });

  it.each([
    [['pod/redis-0', '--except', 'pod/x'], '--except needs a whole node'],
    [['node/a', '--pid', '7', '--except', 'pod/x'], '--except needs a whole node'],
    [['node/a', '--vs', 'node/b', '--except', 'pod/x'], '--except needs a whole node'],
    [['node/a', '--except', 'deploy/x'], '--except: "deploy/x" is not a pod'],
    [['node/a', '--except', 'a/b/c'], '--except: "a/b/c" is not a pod'],
    [['node/a', '--except', 'pod/'], '--except: "pod/" is not a pod'],
  ])('is refused: %j', async (words, said) => {
    const run = await gkeprof(['flamegraph', ...words]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(said);
  });

  it('works for a file, by the names of its receipt', async () => {
    await record(cluster());
    const raw = file('.perf-script.txt.gz');
    for (const name of ['pod/fifth', 'fifth', 'shop/fifth']) {
      const run = await gkeprof(['render', raw, '--except', name, '--format', 'folded', '--output', '-']);
      expect(run.stderr).toContain(`${samplesOf(FIFTH)} samples of the pod shop/fifth are left out`);
      expect(run.stdout.toString()).not.toContain('fifth');
    }
    const none = await gkeprof(['render', raw, '--except', 'x/fifth', '--format', 'folded', '--output', '-']);
    expect(none.stderr).toContain('0 samples of the pod x/fifth are left out');
    expect(none.stdout.toString()).toContain('fifth');
  });

  it('is refused for a file that does not tell pods apart, and where two pods have the name', async () => {
    const path = join(folder, 'a.folded');
    writeFileSync(path, 'a;b 1\n');
    const run = await gkeprof(['render', path, '--except', 'pod/x']);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('does not tell which pod a sample is of');
    const on = cluster();
    const twin = { metadata: { name: 'fifth', namespace: 'other', uid: HALF } };
    on.listAllPods = async () => [on.pods.get('fifth')!, twin];
    await record(on);
    const both = await gkeprof(['render', file('.perf-script.txt.gz'), '--except', 'fifth']);
    expect(both.code).toBe(2);
    expect(both.stderr).toContain('in several namespaces: ');
  });
});
