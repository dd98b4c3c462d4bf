import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { OBJECT, TEMPLATES } from '../output/jsonpath-cases.ts';
import { faults } from '../schemas.ts';
import { environment, gkeprof, leavesNothing, NAMESPACE, outputFolder, type Run, world } from './world.ts';

leavesNothing();
const folder = outputFolder();

const data = ({ stdout }: Run): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;
const REDIS = ['pod/redis-0', '-n', NAMESPACE];

describe('-o on the cluster', () => {
  it.each([
    ['ps', REDIS],
    ['ps', ['node/NODE', '--match', 'redis-server']],
    ['whois', ['node/NODE', '--port', '6379']],
    ['nodes', ['--pods', 'app=redis', '-n', NAMESPACE, '--probe']],
  ] as const)('%s %j is what its schema says', async (verb, words) => {
    const typed = words.map((word) => word.replace('NODE', world().nodes[0]));
    const run = await gkeprof([verb, ...typed, '-o', 'json']);
    expect(run.stderr).toBe('');
    expect(faults(verb, data(run))).toEqual([]);
  });

  it('flamegraph says what it made, and the receipt is what its schema says', async () => {
    const run = await gkeprof(['flamegraph', ...REDIS, '--duration', '2s', '-o', 'json', '-v=2'], {
      cwd: folder.path(),
    });
    const result = data(run) as { files: { role: string; path: string }[] };
    expect(faults('flamegraph', result)).toEqual([]);
    expect(run.stderr).toMatch(/ {2}GET pods\/redis-0 -n \S+: \w+ in \d+ ms/);
    expect(run.stderr).toMatch(/ {2}node: \S+ #\d+ capturing/);
    expect(run.stderr).toContain(
      '  every byte is here: the connection that was opened early is being closed\n',
    );
    expect(run.stderr).toMatch(/ {2}kubectl exec was ended by this command after \d+ ms/);
    expect(result.files.map(({ role }) => role)).toEqual(['svg', 'stacks', 'receipt']);
    const receipt = join(folder.path(), result.files.at(-1)!.path);
    expect(faults('receipt', JSON.parse(readFileSync(receipt, 'utf8')))).toEqual([]);
    const verified = await gkeprof(['verify', '@last'], { cwd: folder.path() });
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringMatching(/\nsame /)]);
  });

  it('flamegraph --vs is one result', async () => {
    const words = ['flamegraph', ...REDIS, '--vs', 'pod/redis-stock', '--duration', '3s', '-o', 'json'];
    expect(faults('flamegraph', data(await gkeprof(words, { cwd: folder.path() })))).toEqual([]);
  });

  it('pcap has its analysis in the result, and a block for an incident', async () => {
    const words = ['pcap', ...REDIS, '--port', '6379', '--duration', '2s', '--analyze'];
    const run = await gkeprof([...words, '-o', 'json'], { cwd: folder.path() });
    const result = data(run) as { packets: { captured: number }; analysis: { summary: { packets: number } } };
    expect(faults('pcap', result)).toEqual([]);
    expect(result.analysis.summary.packets).toBeGreaterThan(0);
    expect(run.stderr).toBe('');
    const block = (await gkeprof([...words, '--markdown', '--quiet'], { cwd: folder.path() })).stdout;
    expect(block).toMatch(/^### Packets of pod gkeprof-e2e\/redis-0 on /);
    expect(block).toMatch(/\| `[^`]+\.pcap\.gz` \| \d+ \| `[0-9a-f]{64}` \|/);
  });

  it('--quiet says nothing but the result', async () => {
    const run = await gkeprof(['ps', ...REDIS, '--quiet', '-o', 'name']);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(/^(?:\d+\n?)+$/);
  });

  it('templates are filled as kubectl fills them', async () => {
    const answers = JSON.parse(
      readFileSync(new URL('../goldens/jsonpath.json', import.meta.url), 'utf8'),
    ) as Record<string, string | null>;
    for (const template of TEMPLATES) {
      const label = ['label', '--local', '--overwrite', '-f', '-', 'app.kubernetes.io/name=n'];
      const asked = await execa(world().kubectl, [...label, '-o', `jsonpath=${template}`], {
        input: JSON.stringify(OBJECT),
        reject: false,
        stripFinalNewline: false,
      });
      const answer = asked.exitCode === 0 ? asked.stdout : null;
      // Go walks a map in another order every time; in which one kubectl was asked once is no rule (ours is the map's own).
      const inOrder = (text: string | null | undefined) =>
        template.includes('..') ? text?.split(' ').sort() : text;
      expect([template, inOrder(answer)]).toEqual([template, inOrder(answers[template])]);
    }
  });
});

describe('--explain', () => {
  /** Runs what was explained, as the administrator; FlameGraph's scripts are stood in for by `render`. */
  async function byHand(words: readonly string[]) {
    const explained = await gkeprof([...words, '--explain']);
    expect(explained.code).toBe(0);
    const bin = join(folder.path(), 'bin');
    mkdirSync(bin, { recursive: true });
    for (const [name, line] of [
      ['stackcollapse-perf.pl', '--format folded --output -'],
      ['flamegraph.pl', '--output -'],
    ] as const) {
      writeFileSync(join(bin, name), `#!/bin/sh\nexec kubectl gkeprof render - ${line}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const env = environment(world().admin);
    return execa('bash', ['-s'], {
      input: explained.stdout,
      cwd: folder.path(),
      env: { ...env, PATH: [bin, env.PATH].join(delimiter) },
      reject: false,
    });
  }
  const made = (ending: string) => join(folder.path(), folder.files().find((name) => name.endsWith(ending))!);

  it('flamegraph by hand draws the pod', async () => {
    const run = await byHand(['flamegraph', ...REDIS, '--duration', '4s']);
    expect(run.exitCode, run.stderr).toBe(0);
    expect(readFileSync(made('.svg'), 'utf8')).toContain('redis-server');
  });

  it('pcap by hand captures the pod, in its network namespace and on its interface', async () => {
    const netns = await byHand(['pcap', ...REDIS, '--port', '6379', '--duration', '2s']);
    expect(netns.exitCode, netns.stderr).toBe(0);
    expect(netns.stdout).toMatch(/Number of packets: +[1-9]/);
    // Only a client on the other node comes by the interface, a few times a second.
    const iface = await byHand(['pcap', ...REDIS, '--port', '6379', '--duration', '6s', '--scope', 'iface']);
    expect(iface.stdout).toMatch(/Number of packets: +[1-9]/);
  });

  it('ps and crictl by hand show the pod', async () => {
    expect((await byHand(['ps', ...REDIS])).stdout).toMatch(/redis-server/);
    const run = await gkeprof(['crictl', ...REDIS, '--explain', '--', 'ps']);
    expect(run.stdout).toContain('--pod "$pod"');
  });
});
