import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer, type ToolAnswer } from '../mcp/client.ts';
import { closeTerminals, terminal } from '../terminal.ts';
import {
  debugPods,
  environment,
  eventually,
  gkeprof,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  pluginDir,
  world,
} from './world.ts';

const folder = outputFolder();

const textOf = ({ texts }: ToolAnswer): string => texts[0] ?? '';

describe('a server of the Model Context Protocol', () => {
  leavesNothing();
  afterEach(closeTerminals);

  it('reads and plans, and records only what a person has approved in a terminal', async () => {
    const results = join(folder.path(), 'results');
    mkdirSync(results);
    // The key of approvals is made below this folder.
    const env = { ...environment(world().sre), XDG_CONFIG_HOME: folder.path() };
    const target = { kind: 'flamegraph', targets: ['pod/redis-0'], namespace: NAMESPACE };
    await gkeprof([
      'flamegraph',
      'pod/redis-0',
      '-n',
      NAMESPACE,
      '--duration',
      '1s',
      '--output-dir',
      results,
    ]);
    // A debug pod takes its time to go, and `sessions` lists it until then.
    expect(await eventually(debugPods, (pods) => pods.length === 0)).toEqual([]);
    const server = await startServer(
      ['--allow-recording', '--output-dir', results, '--image', world().images.tools],
      env,
      [process.execPath, join(pluginDir, 'kubectl-gkeprof')],
    );

    expect(JSON.parse(textOf(await server.call('doctor')))).toMatchObject({ kind: 'CheckList' });
    expect(JSON.parse(textOf(await server.call('sessions')))).toMatchObject({ sessions: [] });
    const before = await server.call('read', { kind: 'profile', file: '@last' });
    expect(JSON.parse(textOf(before))).toMatchObject({ kind: 'ProfileReport' });
    expect(JSON.parse(textOf(await server.call('read', { kind: 'receipt', file: '@last' })))).toMatchObject({
      kind: 'Verification',
    });

    const recording = { ...target, duration: '2s', reason: 'test' };
    const plan = JSON.parse(textOf(await server.call('plan', recording))) as {
      debugPods: object[];
      toApprove: string;
    };
    expect(plan.debugPods).toEqual([
      expect.objectContaining({
        target: 'pod/redis-0',
        targetNamespaces: NAMESPACE,
        recordsFor: expect.stringMatching(/^2(?:\.0)?s$/),
        image: world().images.tools,
        privileged: true,
        reason: 'test',
      }),
    ]);

    const invented = await server.call('record', { ...recording, token: `zzzzzz-${'0'.repeat(32)}` });
    expect(invented.isError).toBe(true);
    expect(textOf(invented)).toMatch(/^error: nothing was recorded: the token is for another recording/);

    // Without a terminal nobody gets a token, so a model that can only run commands does not either.
    const unattended = await gkeprof([...plan.toApprove.split(' ').slice(2, -1), '--approve']);
    expect([unattended.code, unattended.stdout]).toEqual([2, '']);
    expect(unattended.stderr).toContain('--approve needs a terminal');

    const shown = await terminal(200, plan.toApprove, {
      folder: folder.path(),
      env: { ...env, TERM: 'xterm' },
    });
    const screen = await shown.ended();
    expect(screen).toContain('  target: pod/redis-0');
    expect(screen).toContain('  recordsFor: 2');
    const token = /^[0-9a-z]+-[0-9a-f]{32}$/m.exec(screen)?.[0];
    expect(token, screen).toBeDefined();
    expect(await debugPods()).toEqual([]);

    const longer = await server.call('record', { ...recording, duration: '3s', token });
    expect(textOf(longer)).toMatch(/^error: nothing was recorded: the token is for another recording/);
    const other = await server.call('record', { ...recording, kind: 'pcap', token });
    expect(textOf(other)).toMatch(/^error: nothing was recorded: the token is for another recording/);

    const recorded = await server.call('record', { ...recording, token });
    expect(recorded.isError, textOf(recorded)).toBe(false);
    const { files } = JSON.parse(textOf(recorded)) as { files: Array<{ role: string; path: string }> };
    expect(files.map(({ path }) => path.startsWith(results))).not.toContain(false);
    const name = files.find(({ path }) => path.endsWith('.perf-script.txt.gz'))!.path;
    const after = await server.call('read', { kind: 'profile', file: name });
    expect(JSON.parse(textOf(after))).toMatchObject({ kind: 'ProfileReport' });

    const twice = await server.call('record', { ...recording, token });
    expect(textOf(twice)).toBe('nothing was recorded: the token was used before');
    await server.close();
  });
});
