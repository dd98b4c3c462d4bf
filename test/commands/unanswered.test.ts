import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KUBECTL_PATH } from '../real-kubectl.ts';

const PLUGIN = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-unanswered-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** doctor as a process of its own, with the status by which it ended and the seconds that it took. */
async function doctor(server: string, path = KUBECTL_PATH) {
  const kubeconfig = join(folder, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user: { token: 't' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  const began = performance.now();
  const child = spawn(process.execPath, [PLUGIN, 'doctor', '--kubeconfig', kubeconfig], {
    env: { PATH: path, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [status] = (await once(child, 'close')) as [number];
  return { status, stdout, stderr, seconds: (performance.now() - began) / 1000 };
}

it('doctor ends within its bound where the API server takes connections and never answers', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const run = await doctor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(run.status).toBe(3);
    expect(run.stdout).toMatch(/^kubectl +ok /m);
    expect(run.stdout).toMatch(/^cluster +problem .*no answer within 10 s/m);
    expect(run.stdout).toMatch(/^node +unknown +the cluster was not reached/m);
    // A request to the API server may take 30 s by itself: the process must not wait for those that were given up.
    expect(run.seconds).toBeLessThan(28);
  } finally {
    server.close();
  }
});

it('doctor says what is wrong without a kubectl, without a stack trace', async () => {
  const run = await doctor('http://127.0.0.1:9', [folder, '/nowhere'].join(delimiter));
  expect(run.status).toBe(3);
  expect(run.stdout).toMatch(/^kubectl +problem +kubectl was not found on PATH +install kubectl/m);
  expect(run.stderr).not.toMatch(/\n {4}at /);
});
