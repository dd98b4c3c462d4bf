import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pcap } from '../packets/packets.ts';
import { command, talk } from '../packets/redis/redis-stream.ts';
import { PLUGIN, type Server, startServer } from './client.ts';

let home: string;
let folder: string;
let env: Record<string, string>;
let server: Server;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-mcp-'));
  folder = join(home, 'recordings');
  mkdirSync(folder);
  // No cluster is there: what needs one ends with a sentence.
  env = { HOME: home, PATH: process.env.PATH!, KUBECONFIG: join(home, 'none') };
  writeFileSync(join(folder, 'a.perf-script.txt.gz'), gzipSync('redis;main;hot 900\nredis;main;cold 100\n'));
  writeFileSync(
    join(folder, 'a.pcap'),
    pcap(
      'ethernet',
      talk([
        ['>', command('GET', 'user:1')],
        ['<', '$-1\r\n'],
      ]),
    ),
  );
  writeFileSync(join(home, 'outside.pcap'), 'secret');
  symlinkSync(join(home, 'outside.pcap'), join(folder, 'link.pcap'));
  server = await startServer(['--output-dir', folder, '--allow-recording'], env);
});
afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

describe('the tools', () => {
  it('create nothing, unless recordings are allowed', async () => {
    const reading = await startServer(['--output-dir', folder], env);
    const { tools } = await reading.client.listTools();
    expect(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])).toEqual([
      ['doctor', true],
      ['plan', true],
      ['read', true],
      ['sessions', true],
    ]);
    const record = { kind: 'flamegraph', targets: ['node/a'], token: 'x' };
    expect((await reading.call('record', record)).isError).toBe(true);
    await reading.close();
    const all = (await server.client.listTools()).tools;
    expect(all.map(({ name }) => name)).toEqual([...tools.map(({ name }) => name), 'record']);
    expect(all.at(-1)?.annotations?.readOnlyHint).toBe(false);
  });

  it('tell a model that only a person approves', () => {
    expect(server.client.getInstructions()).toMatch(/Only a person can approve/);
  });
});

describe('read', () => {
  const facts = async (kind: string, file: string) => {
    const { texts, isError } = await server.call('read', { kind, file });
    expect(isError).toBe(false);
    return JSON.parse(texts[0]!) as { kind: string };
  };

  it('reads profiles and packets of the folder, and leaves nothing there', async () => {
    const before = readdirSync(folder);
    const profile = await facts('profile', '@last');
    expect(profile).toMatchObject({ kind: 'ProfileReport' });
    expect(JSON.stringify(profile)).toContain('hot');
    expect(profile).not.toHaveProperty('files');
    expect(await facts('profile', 'a.perf-script.txt.gz')).toEqual(profile);
    expect(JSON.stringify(await facts('packets', join(folder, 'a.pcap')))).toContain('GET');
    expect(readdirSync(folder)).toEqual(before);
  });

  it.each([
    ['packets', '../outside.pcap', /no such file in the folder/],
    ['packets', 'link.pcap', /no such file in the folder/],
    ['packets', '/etc/passwd', /no such file in the folder/],
    ['packets', '.', /no such file in the folder/],
    ['packets', '--html=x', /no such file in the folder/],
    ['packets', 'a.pcap\0', /./],
    ['packets', 'a.perf-script.txt.gz', /ends in/],
    ['receipt', '@last', /has no file with a receipt/],
    ['profile', '@2', /has only 1 file/],
    ['shadow', 'a.pcap', /Input validation error/],
  ])('refuses %s %j', async (kind, file, found) => {
    const { texts, isError } = await server.call('read', { kind, file });
    expect([texts.length, isError]).toEqual([1, true]);
    expect(texts[0]).toMatch(found);
    expect(texts[0]).not.toContain('secret');
  });
});

it('says plainly that there is nothing to read, where the folder is missing', async () => {
  const early = await startServer(['--output-dir', join(home, 'later')], env);
  for (const file of ['@last', 'a.pcap', join(folder, 'a.pcap')])
    expect(await early.call('read', { kind: 'packets', file })).toEqual({
      isError: true,
      texts: ['nothing was recorded yet: the folder of the server (--output-dir) is missing'],
    });
  await early.close();
});

describe('plan and record', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a flag as a target', { targets: ['--image=evil'] }],
    ['a short flag', { targets: ['-A'] }],
    ['no target', { targets: [] }],
    ['many targets', { targets: Array.from({ length: 11 }, (_, at) => `pod/p${at}`) }],
    ['an id, which a debug pod would have to look for', { targets: ['id/0123456789ab'] }],
    ['what follows --', { targets: ['pod/a', '--', '-w', 'x'] }],
    ['another image', { targets: ['pod/a'], image: 'evil' }],
    ['another cluster', { targets: ['pod/a'], context: 'prod' }],
    ['a namespace with a flag', { targets: ['pod/a'], namespace: 'a --context=prod' }],
    ['a reason with a line feed', { targets: ['pod/a'], reason: 'a\n  target: pod/b' }],
    ['a reason that turns the direction of text', { targets: ['pod/a'], reason: 'a\u202eb' }],
    ['an endless time', { targets: ['pod/a'], duration: '-1' }],
    ['another verb', { kind: 'shell', targets: ['pod/a'] }],
  ])('refuse %s before anything runs', async (_what, given) => {
    for (const [name, more] of [
      ['plan', {}],
      ['record', { token: 'x' }],
    ] as const) {
      const { texts, isError } = await server.call(name, { kind: 'flamegraph', ...given, ...more });
      expect(isError).toBe(true);
      expect(texts[0]).toMatch(/^Input validation error/);
    }
  });

  it('say what a target looks like, and not by which pattern it is checked', async () => {
    const { texts } = await server.call('plan', { kind: 'flamegraph', targets: ['-A'], duration: 'soon' });
    expect(texts[0]).toMatch(/targets\.0: must be pod\/NAME, .*duration: must be such as 10s or 2m$/);
  });

  it('refuse flags that the kind does not have', async () => {
    const wrong = { kind: 'waits', targets: ['pod/a'], filter: 'port 1' };
    expect(await server.call('plan', wrong)).toEqual({
      isError: true,
      texts: ['filter is for packets (pcap) only'],
    });
  });

  it('say in one sentence why nothing can be planned', async () => {
    const { texts, isError } = await server.call('plan', { kind: 'flamegraph', targets: ['pod/a'] });
    expect([texts.length, isError]).toEqual([1, true]);
    expect(texts[0]).toMatch(/^error: .+/);
  });
});

describe('the pipe', () => {
  /** Writes lines to a server, and returns what it printed until it ended. */
  async function talkTo(...lines: string[]): Promise<{ code: number | null; answers: unknown[] }> {
    const child = spawn(process.execPath, [PLUGIN, 'mcp', '--output-dir', folder], { env, stdio: 'pipe' });
    let out = '';
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    for (const line of lines) child.stdin.write(`${line}\n`);
    await expect.poll(() => out.split('\n').length, { timeout: 30_000 }).toBeGreaterThan(1);
    child.stdin.end();
    const [code] = (await once(child, 'close')) as [number | null];
    return {
      code,
      answers: out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    };
  }
  const hello = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
  });

  it('carries the protocol only, and its end ends the server', async () => {
    const { code, answers } = await talkTo(hello);
    expect(code).toBe(0);
    expect(answers).toEqual([expect.objectContaining({ id: 1, result: expect.anything() })]);
  });

  it('survives what is no message', async () => {
    const { code, answers } = await talkTo('{', 'x'.repeat(100_000), '[]', 'null', '\0', hello);
    expect(code).toBe(0);
    expect(answers).toContainEqual(expect.objectContaining({ id: 1, result: expect.anything() }));
  });
});
