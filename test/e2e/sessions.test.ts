// Sessions that go on without the command that began them, collected by a client that knows nothing of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { faults } from '../schemas.ts';
import {
  captures,
  debugPods,
  environment,
  eventually,
  gkeprof,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly target: string;
}

/** The sessions of a user, as another computer of theirs lists them. */
async function listed(words: readonly string[] = [], kubeconfig = world().sre): Promise<readonly Listed[]> {
  const run = await gkeprof(['sessions', '-o', 'json', ...words], { kubeconfig });
  expect(run.code, run.stderr).toBe(0);
  const data = JSON.parse(run.stdout);
  expect(faults('sessions', data)).toEqual([]);
  return data.sessions;
}

const stateOf = async (id: string) => (await listed()).find((each) => each.id === id)?.state;

const begin = (words: readonly string[]) =>
  gkeprof([words[0]!, 'redis-0', '-n', NAMESPACE, ...words.slice(1), '--detach']);

describe('sessions', () => {
  leavesNothing();
  const output = outputFolder();
  const inFolder = () => ['--output-dir', output.path()];
  const file = (ending: string) => join(output.path(), output.files().find((name) => name.endsWith(ending))!);

  it('a detached recording is listed, and collected by the line that was printed, in another home', async () => {
    const began = await begin(['flamegraph', '--duration', '3s', '--keep', '2m', '--call-graph', 'fp']);
    expect(began.code, began.stderr).toBe(0);
    const [, id] = /^kubectl gkeprof sessions collect ([0-9a-f]{10})$/.exec(began.stdout)!;
    expect(await listed()).toMatchObject([{ id, target: 'pod/redis-0' }]);
    expect(
      await eventually(
        () => stateOf(id!),
        (state) => state === 'finished',
      ),
    ).toBe('finished');
    const collected = await execa(began.stdout, {
      shell: true,
      env: { ...environment(world().sre), HOME: output.path() },
      extendEnv: false,
      cwd: output.path(),
    });
    expect(collected.stderr).toMatch(/^stopped after \S+ \(--duration\)$/m);
    expect(collected.stderr).not.toContain('capturing for');
    expect((await gkeprof(['verify', file('.receipt.json')])).code).toBe(0);
    expect(faults('receipt', JSON.parse(readFileSync(file('.receipt.json'), 'utf8')))).toEqual([]);
    const drawn = await gkeprof([
      'render',
      file('.perf-script.txt.gz'),
      '--format',
      'folded',
      '--output',
      '-',
    ]);
    expect(drawn.stdout).toMatch(/^redis-server;/m);
    // The API server shows a pod for a while after it has accepted the deletion.
    expect((await listed()).filter(({ state }) => state !== 'deleting')).toEqual([]);
  });

  it('a recording whose client was killed is attached to, shows its progress, and is collected', async () => {
    const run = start([
      'pcap',
      'redis-0',
      '-n',
      NAMESPACE,
      '--port',
      '6379',
      '--duration',
      '12s',
      ...inFolder(),
    ]);
    await captures(run);
    run.kill('SIGKILL');
    await run;
    const attached = await gkeprof(['sessions', 'attach', ...inFolder(), '-o', 'json']);
    expect(attached.code, attached.stderr).toBe(0);
    const data = JSON.parse(attached.stdout);
    expect(faults('sessions', data)).toEqual([]);
    expect(data).toMatchObject({ kind: 'CollectedSession', ended: 'time' });
    const frames = await execa('tshark', [
      '-n',
      '-r',
      file('.pcap.gz'),
      '-T',
      'fields',
      '-e',
      'frame.number',
    ]);
    expect(frames.stdout.split('\n').length).toBe(data.packets.captured);
  });

  it('is stopped from elsewhere, and keeps what was recorded by then', async () => {
    expect((await begin(['pcap', '--port', '6379', '--duration', '10m'])).code).toBe(0);
    const [session] = await listed();
    const early = await gkeprof(['sessions', 'collect', session!.id, ...inFolder()]);
    expect([early.code, early.stderr]).toEqual([
      3,
      expect.stringContaining(`session ${session!.id} has not finished: it is capturing`),
    ]);
    expect(await gkeprof(['sessions', 'stop'])).toMatchObject({ code: 0, stderr: '' });
    const attached = await gkeprof(['sessions', 'attach', ...inFolder()]);
    expect([attached.code, attached.stderr]).toEqual([
      0,
      expect.stringMatching(/: another client asked for it$/m),
    ]);
  });

  it('Ctrl-C twice while it is attached leaves it as it was', async () => {
    expect((await begin(['pcap', '--port', '6379', '--duration', '10m'])).code).toBe(0);
    const [session] = await listed();
    const run = start(['sessions', 'attach', ...inFolder()]);
    await captures(run);
    const heard = new Promise<void>((resolve) => {
      run.stderr!.on('data', (text) => String(text).includes('Ctrl-C again abandons it') && resolve());
    });
    run.kill('SIGINT');
    await Promise.race([heard, run]);
    run.kill('SIGINT');
    const result = await run;
    expect(result.exitCode, String(result.stderr)).toBe(130);
    expect(String(result.stderr)).toContain(`session ${session!.id} stays on the node`);
    expect(output.files()).toEqual([]);
    expect(await debugPods()).toHaveLength(1);
    expect((await gkeprof(['sessions', 'delete', session!.id])).stdout).toBe(
      `session ${session!.id} deleted`,
    );
  });

  it('expires after --keep, and then only the object of its pod is left', async () => {
    expect((await begin(['pcap', '--port', '6379', '--duration', '1s', '--keep', '1s'])).code).toBe(0);
    const [session] = await listed();
    expect(
      await eventually(
        () => stateOf(session!.id),
        (state) => state === 'ended',
      ),
    ).toBe('ended');
    const late = await gkeprof(['sessions', 'collect', session!.id, ...inFolder()]);
    expect([late.code, late.stderr]).toEqual([
      3,
      expect.stringContaining(`session ${session!.id} has ended, and its file is gone`),
    ]);
    expect((await gkeprof(['sessions', 'delete', '--expired'])).stdout).toBe(
      `session ${session!.id} deleted`,
    );
  });

  it('of another user is listed with -A alone', async () => {
    expect((await begin(['pcap', '--port', '6379', '--duration', '10m'])).code).toBe(0);
    expect(await listed([], world().admin)).toEqual([]);
    const [session] = await listed(['-A'], world().admin);
    expect((await gkeprof(['sessions', 'delete', session!.id], { kubeconfig: world().admin })).code).toBe(0);
  });
});
