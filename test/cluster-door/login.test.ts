import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openCluster } from '../../src/cluster/api.ts';
import { KUBECTL_PATH } from '../real-kubectl.ts';
import { closeTerminals, terminal } from '../terminal.ts';
import { type ApiServer, apiServer, NOT_FOUND } from './api-server.ts';

let server: ApiServer;
/** The credentials of each request, in order. */
let seen: string[];
let status: number;
beforeEach(async () => {
  seen = [];
  status = 404;
  server = await apiServer((request, response) => {
    seen.push(String(request.headers.authorization));
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(NOT_FOUND);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  server.close();
});
afterAll(closeTerminals);

const plugin = (interactiveMode = 'IfAvailable') => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin', interactiveMode },
});

/** A plugin that gives `token-1`, `token-2` …, the first of which expires at `expires`. */
function writePlugin(expires: string, before = 'token=token-$n'): void {
  const path = join(server.folder, 'plugin');
  writeFileSync(
    path,
    `#!/bin/bash
cd "\${0%/*}"
echo run >>runs
n=$(wc -l <runs)
expires=2100-01-01T00:00:00Z
((n == 1)) && expires=${expires}
${before}
echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"'$token'","expirationTimestamp":"'$expires'"}}'
`,
  );
  chmodSync(path, 0o755);
}
const runs = () => readFileSync(join(server.folder, 'runs'), 'utf8').trim().split('\n').length;

const open = (kubeconfig: string) =>
  openCluster({ kubeconfig }, { env: { PATH: KUBECTL_PATH, HOME: server.folder }, windows: false });
/** The same in a terminal. */
const shownIn = (kubeconfig: string) =>
  terminal(100, `kubectl-gkeprof flamegraph pod/p --kubeconfig ${kubeconfig}`, {
    folder: server.folder,
    env: {
      PATH: [fileURLToPath(new URL('../../plugin', import.meta.url)), KUBECTL_PATH].join(delimiter),
      HOME: server.folder,
    },
  });
const REF = { namespace: 'n', pod: 'p', container: 'c' };

describe('a credential plugin', () => {
  it('is asked once for all calls and all children of kubectl', async () => {
    writePlugin('2100-01-01T00:00:00Z');
    const cluster = await open(server.kubeconfig(plugin()));
    await Promise.all([1, 2, 3].map(() => cluster.readPod('n', 'p').catch(() => {})));
    await cluster.copy(REF, '/f', server.folder, 'f');
    await cluster.copy(REF, '/f', server.folder, 'f');
    await cluster.close();
    expect(new Set(seen)).toEqual(new Set(['Bearer token-1']));
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(runs()).toBe(1);
  });

  it('is asked again when its credential has expired, once for all who find it so', async () => {
    const soon = new Date(Date.now() + 3_600_000);
    writePlugin(soon.toISOString());
    const cluster = await open(server.kubeconfig(plugin()));
    await cluster.readPod('n', 'p').catch(() => {});
    vi.spyOn(Date, 'now').mockReturnValue(soon.getTime() + 1);
    await Promise.all([1, 2, 3].map(() => cluster.readPod('n', 'p').catch(() => {})));
    await cluster.copy(REF, '/f', server.folder, 'f');
    await cluster.close();
    expect(seen[0]).toBe('Bearer token-1');
    expect(new Set(seen.slice(1))).toEqual(new Set(['Bearer token-2']));
    expect(runs()).toBe(2);
  });

  it('is asked again when its credential was refused, for the next call', async () => {
    writePlugin('2100-01-01T00:00:00Z');
    const cluster = await open(server.kubeconfig(plugin()));
    status = 401;
    await expect(cluster.readPod('n', 'p')).rejects.toThrow(/You must be logged in/);
    status = 404;
    await expect(cluster.readPod('n', 'p')).rejects.toThrow(/reached/);
    await cluster.close();
    expect(seen).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it("asks in the user's terminal, once, and reads what is typed there", async () => {
    writePlugin('2100-01-01T00:00:00Z', "printf 'What is your password? ' >&2; read -r token");
    const screen = await shownIn(server.kubeconfig(plugin('Always')));
    await screen.shows((text) => text.includes('What is your password?'));
    await screen.types('open-sesame');
    const shown = await screen.ended();
    expect(shown.match(/What is your password\?/g)).toHaveLength(1);
    expect(shown).toContain('[exit 3]');
    expect(new Set(seen)).toEqual(new Set(['Bearer open-sesame']));
  });

  it('that asks is ended by Ctrl-C, and the command with it', async () => {
    writePlugin('2100-01-01T00:00:00Z', "printf 'Password? ' >&2; read -r token");
    const screen = await shownIn(server.kubeconfig(plugin('Always')));
    await screen.shows((text) => text.includes('Password?'));
    await screen.presses('C-c');
    expect(await screen.ended()).toMatch(/error: interrupted while .*\[exit 130\]/s);
    expect(seen).toEqual([]);
  });
});

it('reads the file of a token again after a minute, and keeps the old one when it is gone', async () => {
  const file = join(server.folder, 'token');
  writeFileSync(file, 'first');
  const cluster = await open(server.kubeconfig({ tokenFile: 'token' }));
  const call = () => cluster.readPod('n', 'p').catch(() => {});
  await call();
  writeFileSync(file, 'second');
  await call();
  const now = Date.now();
  const clock = vi.spyOn(Date, 'now').mockReturnValue(now + 60_000);
  await call();
  writeFileSync(file, '');
  clock.mockReturnValue(now + 120_000);
  await call();
  expect(seen).toEqual(['first', 'first', 'second', 'second'].map((token) => `Bearer ${token}`));
  await cluster.close();
});

describe('children of kubectl', () => {
  /** A kubectl that says how it was called, and does not tell the configuration anything but the truth. */
  const FAKES = fileURLToPath(new URL('../fixtures/bin', import.meta.url));

  it("get what they need in a file that is nobody else's, for as long as the command runs, and no secret in their arguments", async () => {
    const kubeconfig = server.kubeconfig({ token: 'kubeconfigs-secret', as: 'bob' });
    const log = join(server.folder, 'log');
    writeFileSync(log, '');
    const traced: string[] = [];
    const script = `case "$*" in
config*) cat ${kubeconfig} ;;
*) file=\${1#--kubeconfig=}; stat -c %a "$file" "\${file%/*}"; cat "$file"; echo; echo "$KUBECTL_KUBERC"; echo "$file" ;;
esac`;
    const cluster = await openCluster(
      { kubeconfig, token: 'typed-secret', cacheDir: '/cache', requestTimeout: '90' },
      {
        env: { PATH: `${FAKES}${delimiter}${process.env.PATH}`, FAKE_LOG: log, FAKE_SCRIPT: script },
        windows: false,
        trace: (line) => traced.push(line),
      },
    );
    const { stdout } = await cluster.exec(REF, ['true']);
    const [file, folder, config, kuberc, path] = Buffer.from(stdout).toString('utf8').trim().split('\n');
    expect([file, folder, kuberc]).toEqual(['600', '700', 'false']);
    expect(JSON.parse(config!)).toMatchObject({
      clusters: [
        { cluster: { server: server.url, 'certificate-authority': join(server.folder, 'server.crt') } },
      ],
      users: [{ user: { token: 'typed-secret', as: 'bob' } }],
    });
    const calls = readFileSync(log, 'utf8');
    expect(calls).toContain(`--kubeconfig=${path} --cache-dir=/cache --request-timeout=90 exec `);
    expect(calls + traced.join('\n') + cluster.kubectlLine('get', 'pods')).not.toMatch(/secret/);
    expect(cluster.kubectlLine('get', 'pods')).toContain('--token=TOKEN');
    expect(existsSync(path!)).toBe(true);
    await cluster.close();
    expect(existsSync(join(path!, '..'))).toBe(false);
  });

  it('say so where nothing can be kept for them', async () => {
    vi.stubEnv('TMPDIR', '/proc');
    const cluster = await open(server.kubeconfig({ token: 't' }));
    await expect(cluster.exec(REF, ['true'])).rejects.toMatchObject({
      code: 1,
      message: expect.stringMatching(
        /^the temporary folder for kubectl.s credentials could not be created: E/,
      ),
      hint: expect.stringContaining('TMPDIR'),
    });
    const followed = cluster.followLogs(REF);
    expect((await followed.ended).stderr).toMatch(/^the temporary folder for kubectl's credentials/);
    vi.unstubAllEnvs();
    await cluster.close();
  });

  it('leave nothing behind: what a command that was killed a week ago left is removed', async () => {
    const old = mkdtempSync(join(tmpdir(), 'gkeprof-login-'));
    const week = new Date(Date.now() - 8 * 86_400_000);
    utimesSync(old, week, week);
    const young = mkdtempSync(join(tmpdir(), 'gkeprof-login-'));
    const cluster = await open(server.kubeconfig({ token: 't' }));
    await cluster.copy(REF, '/f', server.folder, 'f');
    await cluster.close();
    await vi.waitFor(() => expect(existsSync(old)).toBe(false), 60_000);
    expect(existsSync(young)).toBe(true);
    rmSync(young, { recursive: true });
  });
});
