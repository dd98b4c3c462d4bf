import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeCluster, fakeCluster, lines, result } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { copy, DATA, giveRedis, nodeSide } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/**
 * A cluster in which a capture of redis-0 goes on: its node said `said` of its events by now, and the log has all that it
 * will say.
 */
async function captured(said = 99): Promise<{ cluster: FakeCluster; id: string }> {
  const cluster = fakeCluster({ copy });
  let nonce = '';
  giveRedis(cluster, (side) => lines(side.script(), true));
  const create = cluster.createPod;
  cluster.createPod = (pod, dryRun) => {
    nonce = pod.spec!.containers[0]!.args!.find((each) => each.startsWith('nonce='))!.slice(6);
    return create(pod, dryRun);
  };
  cluster.exec = async (_ref, argv) => {
    cluster.calls.push(`exec ${argv.join(' ')}`);
    return argv[0] === 'cat' ? result(nodeSide(nonce).script().slice(0, said).join('\n')) : result();
  };
  cluster.listPods = async () =>
    [...cluster.pods.values()].filter(({ metadata }) => metadata!.name !== 'redis-0');
  const run = await runOn(cluster, ['pcap', 'redis-0', '--detach', '-o', 'name']);
  expect(run.code, run.stderr).toBe(0);
  const name = [...cluster.pods.keys()].at(-1)!;
  const pod = cluster.pods.get(name)!;
  pod.metadata!.creationTimestamp = new Date(999_990_000);
  pod.status!.containerStatuses!.push({
    ...{ name: 'files', image: '', imageID: '', ready: true, restartCount: 0 },
    state: { running: { startedAt: new Date(999_991_000) } },
  });
  return { cluster, id: run.stdout.trim() };
}

const inFolder = () => ['--output-dir', folder];

describe('--detach', () => {
  it('returns when the node records, with the line that collects', async () => {
    const kubectlLine = (...words: readonly string[]) => ['kubectl', '--context=prod', ...words].join(' ');
    const cluster = fakeCluster({ copy, kubectlLine });
    giveRedis(cluster, (side) => lines(side.script().slice(0, 2), true));
    const run = await runOn(cluster, ['pcap', 'redis-0', '--detach', '--debug-namespace', 'ops']);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(
      /^kubectl gkeprof sessions collect [0-9a-f]{10} --debug-namespace=ops --context=prod\n$/,
    );
    expect(run.stderr).toMatch(
      /goes on without this command: it stops after 60s, and then its file is kept for 10m/,
    );
    expect(cluster.pods.size).toBe(2);
    expect(run.calls).not.toContain('delete');
  });

  it('prints that as data', async () => {
    const cluster = fakeCluster({ copy });
    giveRedis(cluster, (side) => lines(side.script().slice(0, 2), true));
    const run = await runOn(cluster, ['flamegraph', 'redis-0', '--detach', '-o', 'json', '--duration', '5s']);
    const data = JSON.parse(run.stdout);
    expect(faults('sessions', data)).toEqual([]);
    expect(data).toMatchObject({ target: 'pod/redis-0', durationSeconds: 5, keepSeconds: 600 });
  });

  it('leaves nothing if the node refuses', async () => {
    const cluster = fakeCluster();
    giveRedis(cluster, (side) =>
      lines([side.event('hello'), side.event('refused', { code: 'no-space' })], true),
    );
    const run = await runOn(cluster, ['pcap', 'redis-0', '--detach']);
    expect(run.code).toBe(4);
    expect(run.stdout).toBe('');
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });

  it.each([
    ['flamegraph', ['--vs', 'redis-1']],
    ['flamegraph', ['--format', 'folded']],
    ['flamegraph', ['--open']],
    ['pcap', ['--analyze']],
    ['pcap', ['--markdown']],
  ])('does not go with flags for what it does not wait for: %s %s', async (verb, flags) => {
    await expect(runOn(fakeCluster(), [verb, 'redis-0', '--detach', ...flags])).rejects.toThrow(
      new RegExp(`^--detach and ${flags[0]} cannot be used together, because`),
    );
  });
});

describe('sessions', () => {
  it('lists them', async () => {
    const { cluster, id } = await captured(2);
    const list = await runOn(cluster, ['sessions']);
    expect(list.stdout).toMatch(
      new RegExp(
        `^SESSION +NAMESPACE +TARGET +NODE +STATE +AGE +SIZE +ENDS +EXPIRES *\n${id} +default +pod/redis-0 +node-a +capturing +10s +- +in \\S+ +in \\S+ *\n$`,
      ),
    );
    expect((await runOn(cluster, ['sessions', 'list', '-o', 'name'])).stdout).toBe(`${id}\n`);
    expect((await runOn(cluster, ['sessions', '-o', 'wide'])).stdout).toMatch(/OWNER +DEBUG POD +WHAT/);
    const data = JSON.parse((await runOn(cluster, ['sessions', '-o', 'json'])).stdout);
    expect(faults('sessions', data)).toEqual([]);
    expect(data.sessions).toHaveLength(1);
  });

  it('lists those of others with -A', async () => {
    const { cluster } = await captured(2);
    cluster.whoAmI = async () => 'somebody-else';
    const own = await runOn(cluster, ['sessions']);
    expect([own.code, own.stdout]).toEqual([0, '']);
    expect(own.stderr).toContain('there are no sessions of yours in namespace gkeprof');
    expect((await runOn(cluster, ['sessions', '-A'])).stdout).toMatch(/OWNER *\n.*kubernetes-admin/);
  });

  it.each([['collect'], ['attach']])('%s gets the file, its receipt, and deletes the pod', async (action) => {
    const { cluster, id } = await captured();
    const run = await runOn(cluster, ['sessions', action, id.slice(0, 4), ...inFolder(), '-o', 'json']);
    expect(run.code, run.stderr).toBe(0);
    const data = JSON.parse(run.stdout);
    expect(faults('sessions', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'CollectedSession', session: id, target: { name: 'redis-0' } });
    const [packets, receipt] = readdirSync(folder).sort();
    expect(readFileSync(join(folder, packets!))).toEqual(DATA);
    expect(faults('receipt', JSON.parse(readFileSync(join(folder, receipt!), 'utf8')))).toEqual([]);
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });

  it('collect needs no name if there is only one', async () => {
    const { cluster } = await captured();
    const run = await runOn(cluster, ['sessions', 'collect', ...inFolder()]);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stdout).toMatch(/^File: +\S+\.pcap\.gz\nReceipt: \S+\.receipt\.json\n$/);
    expect(run.stderr).toMatch(/verified; see it: kubectl gkeprof analyze /);
    // It may have changed since, which is not "during the capture".
    expect(run.stderr).toContain('it is not known whether the target changed: nobody looked at it');
    expect((await runOn(cluster, ['sessions', 'collect', ...inFolder()])).stderr).toBe(
      'error: you have no session\n',
    );
  });

  it('collect does not wait for a session that still records', async () => {
    const { cluster, id } = await captured(2);
    const run = await runOn(cluster, ['sessions', 'collect', id, ...inFolder()]);
    expect([run.code, run.stderr]).toEqual([3, `error: session ${id} has not finished: it is capturing\n`]);
    expect(cluster.pods.size).toBe(2);
  });

  it('leaves the pod where the file could not be copied', async () => {
    const { cluster, id } = await captured();
    cluster.copy = async () => result('', 1, 'the connection was reset');
    const run = await runOn(cluster, ['sessions', 'collect', id, ...inFolder()]);
    expect(run.code).toBe(5);
    expect(run.stderr).toMatch(/the debug pod gkeprof\/gkeprof-tcpdump-.* keeps the file for 10m/);
    expect(cluster.pods.size).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stops one, and refuses to stop one that has finished', async () => {
    const { cluster, id } = await captured(2);
    const run = await runOn(cluster, ['sessions', 'stop']);
    expect([run.code, run.stdout]).toEqual([
      0,
      `session ${id} stops; to get its file: kubectl gkeprof sessions attach ${id}\n`,
    ]);
    expect(run.calls).toContain('exec touch /gkeprof/ctl/stop');
    const { cluster: other, id: otherId } = await captured();
    expect((await runOn(other, ['sessions', 'stop'])).stderr).toBe(
      `error: session ${otherId} is finished, so there is nothing to stop\n`,
    );
  });

  it('deletes one by its name, and those that have ended', async () => {
    const { cluster, id } = await captured(2);
    expect((await runOn(cluster, ['sessions', 'delete', '--expired'])).stderr).toContain(
      'no session has expired',
    );
    expect((await runOn(cluster, ['sessions', 'delete', id, id])).stdout).toBe(`session ${id} deleted\n`);
    const { cluster: other } = await captured(2);
    for (const [name, pod] of other.pods)
      if (name !== 'redis-0') other.pods.set(name, { ...pod, status: { phase: 'Succeeded' } });
    expect((await runOn(other, ['sessions', 'collect', ...inFolder()])).stderr).toBe(
      'error: you have no session\n',
    );
    expect((await runOn(other, ['sessions', 'delete', '--expired'])).stdout).toMatch(
      /^session \w+ deleted\n$/,
    );
    expect([...other.pods.keys()]).toEqual(['redis-0']);
  });

  it('deletes the others if one of several names is wrong, and says which', async () => {
    const { cluster, id } = await captured(2);
    const run = await runOn(cluster, ['sessions', 'delete', 'nobody', id, 'no-one']);
    expect([run.code, run.stdout]).toEqual([5, `session ${id} deleted\n`]);
    expect(run.stderr).toBe(
      'error: 2 sessions were not deleted: there is no session "nobody"; there is no session "no-one"\n',
    );
    expect([...cluster.pods.keys()]).toEqual(['redis-0']);
  });

  it('ends with 3 if it deletes none', async () => {
    const { cluster } = await captured(2);
    const one = await runOn(cluster, ['sessions', 'delete', 'nobody']);
    expect([one.code, one.stderr]).toEqual([3, 'error: there is no session "nobody"\n']);
    const two = await runOn(cluster, ['sessions', 'delete', 'nobody', 'no-one']);
    expect([two.code, two.stdout]).toEqual([3, '']);
    expect(cluster.pods.size).toBe(2);
  });

  it.each([
    [['show'], /^sessions: unknown subcommand "show"$/],
    [['list', 'x'], /^sessions list takes no session$/],
    [['collect', 'x', 'y'], /^sessions collect takes one session$/],
    [['delete'], /^sessions delete: missing session$/],
    [['delete', 'x', '--expired'], /^a session and --expired cannot be used together$/],
    [['stop', '--expired'], /^--expired needs delete$/],
  ])('refuses %s', async (words, error) => {
    await expect(runOn(fakeCluster(), ['sessions', ...words])).rejects.toThrow(error);
  });
});
