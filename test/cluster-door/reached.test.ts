import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KUBECTL_PATH } from '../real-kubectl.ts';
import { type ApiServer, apiServer, NOT_FOUND } from './api-server.ts';

let server: ApiServer;
beforeAll(async () => {
  server = await apiServer((_, response) =>
    response.writeHead(404, { 'Content-Type': 'application/json' }).end(NOT_FOUND),
  );
});
afterAll(() => server.close());

const plugin = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));

async function firstLine(...words: string[]): Promise<string> {
  const kubeconfig = server.kubeconfig({ token: 't' });
  const run = await execa(
    process.execPath,
    [plugin, 'flamegraph', 'pod/p', '--kubeconfig', kubeconfig, ...words],
    {
      env: { PATH: KUBECTL_PATH, HOME: server.folder },
      extendEnv: false,
      reject: false,
    },
  );
  expect(run.stdout).toBe('');
  return run.stderr.split('\n')[0]!;
}

it.each<[string, () => string[], () => string | RegExp]>([
  ['nothing, where it is the current context', () => [], () => /^error: pod "p" not found/],
  ['another context', () => ['--context', 'other'], () => `context other, server ${server.url}`],
  ['another server', () => ['-s', server.url], () => `context x, server ${server.url}`],
  ['a dry run', () => ['--dry-run=client'], () => `context x, server ${server.url}`],
])('says first where it goes: %s', async (_, words, line) =>
  expect(await firstLine(...words())).toMatch(line()),
);

it('has it in what -v shows, with the line of kubectl that read it', async () => {
  const kubeconfig = server.kubeconfig({ token: 't' });
  const words = [plugin, 'flamegraph', 'pod/p', '-v', '--kubeconfig', kubeconfig, '--token=secret'];
  const { stderr } = await execa(process.execPath, words, {
    env: { PATH: KUBECTL_PATH, HOME: server.folder },
    extendEnv: false,
    reject: false,
  });
  expect(stderr).toContain(
    `kubectl config view --raw -o json --kubeconfig=${join(server.folder, 'kubeconfig')}`,
  );
  expect(stderr).toContain(`context x, server ${server.url}`);
  expect(stderr).not.toContain('secret');
});
