import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RemoteStream } from '../../src/cluster/cluster.ts';
import type { Connection } from '../../src/cluster/connection.ts';
import { Kubectl } from '../../src/cluster/kubectl.ts';

const FAKES = fileURLToPath(new URL('../fixtures/bin', import.meta.url));
const REF = { namespace: 'gkeprof', pod: 'gkeprof-perf-1', container: 'files' };

let folder: string;
let log: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'gkeprof-kubectl-')));
  log = join(folder, 'log');
  writeFileSync(log, '');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The real class with a kubectl that does what the bash script says. */
function kubectl(
  script: string,
  connection: Connection = {},
  trace?: (line: string, level?: number) => void,
): Kubectl {
  const env = { PATH: `${FAKES}:${process.env.PATH}`, FAKE_LOG: log, FAKE_SCRIPT: script, GIVEN: 'yes' };
  return new Kubectl(connection, { env, windows: false, ...(trace && { trace }) });
}

const calls = () => readFileSync(log, 'utf8').trim().split('\n');
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function read(stream: RemoteStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

describe('a line for hints', () => {
  it('ends a call that says more than any answer has, as failed, and keeps no more than that', async () => {
    const got = await kubectl('yes').exec(REF, ['x']);
    expect(got.exitCode).not.toBe(0);
    expect(got.stdout.length).toBeLessThanOrEqual(32 << 20);
  });

  it('is what a person would type, with the flags given and quoted for the shell', () => {
    const connection = { context: 'my cluster', kubeconfig: '/k', as: "o'neil", asGroups: ['g'] };
    expect(kubectl('', connection).line(['delete', 'pod', '-n', 'x', 'p'])).toBe(
      `kubectl --kubeconfig=/k '--context=my cluster' '--as=o'\\''neil' --as-group=g delete pod -n x p`,
    );
  });
});

it('ends the processes that still run when it is closed', async () => {
  const door = kubectl('exec sleep 60');
  const running = door.exec(REF, ['x']);
  await expect.poll(() => readFileSync(log, 'utf8')).not.toBe('');
  const began = Date.now();
  door.close();
  expect((await running).exitCode).not.toBe(0);
  // By itself it ends after a minute.
  expect(Date.now() - began).toBeLessThan(50_000);
});

describe('exec', () => {
  it('hands on every word as it is, and the connection before the verb', async () => {
    const traced: string[] = [];
    await kubectl(
      '',
      { context: 'prod', namespace: 'ignored' },
      (line, level = 1) => level < 2 && traced.push(line),
    ).exec(REF, ['sh', '-c', '$(touch /tmp/x); "\n', '--']);
    const line = `--context=prod exec -n gkeprof gkeprof-perf-1 -c files -- sh -c $'$(touch /tmp/x); "\\n' --`;
    expect(calls()).toEqual([line]);
    // Of a script that is more than a line, its first.
    expect(traced).toEqual([`kubectl ${line.replace(/\$'.*'/, `'$(touch /tmp/x); " …'`)}`]);
  });

  it('gives bytes, trimmed words of failure and the status, which is a result and no error', async () => {
    const got = await kubectl(`printf '\\xff\\x00a\\n'; printf ' oops\\n\\n' >&2; exit 7`).exec(REF, ['x']);
    expect([...got.stdout]).toEqual([0xff, 0, 0x61, 0x0a]);
    expect(got).toMatchObject({ exitCode: 7, stderr: 'oops' });
  });

  it('gives it the environment it was told, nothing of ours, and no stdin to wait for', async () => {
    process.env.GKEPROF_TEST_LEAK = 'leaked';
    const got = await kubectl('echo "$GIVEN$GKEPROF_TEST_LEAK"; read -r _ || echo closed').exec(REF, ['x']);
    delete process.env.GKEPROF_TEST_LEAK;
    expect(text(got.stdout)).toBe('yes\nclosed\n');
  });

  it("runs in a process group of its own, which the terminal's Ctrl-C does not reach", async () => {
    const got = await kubectl('ps -o pid=,pgid= -p $$').exec(REF, ['x']);
    const [pid, group] = text(got.stdout).trim().split(/\s+/);
    expect(group).toBe(pid);
  });

  it('ends with the signal', async () => {
    const stop = new AbortController();
    const running = kubectl(
      `echo $$ >${folder}/pid.new; mv ${folder}/pid.new ${folder}/pid; exec sleep 30`,
    ).exec(REF, ['x'], stop.signal);
    await expect.poll(() => existsSync(join(folder, 'pid'))).toBe(true);
    stop.abort();
    expect((await running).exitCode).not.toBe(0);
    expect(isAlive(Number(readFileSync(join(folder, 'pid'), 'utf8')))).toBe(false);
  });
});

describe('streams', () => {
  it('follows a log to its end', async () => {
    const stream = kubectl('echo one; echo two; exit 3').followLogs(REF);
    expect(await read(stream)).toBe('one\ntwo\n');
    expect((await stream.ended).exitCode).toBe(3);
    expect(calls()).toEqual(['logs -f -n gkeprof gkeprof-perf-1 -c files']);
  });

  it('is not cut off by --request-timeout, which kubectl applies to a followed log as a whole', async () => {
    await read(kubectl('', { requestTimeout: '10s' }).followLogs(REF));
    expect(
      calls()[0]!
        .match(/--request-timeout=\S+/g)!
        .at(-1),
    ).toBe('--request-timeout=0');
  });

  it('can be ended', async () => {
    const stream = kubectl('echo $$; exec sleep 30').followLogs(REF);
    const { value } = await stream.chunks[Symbol.asyncIterator]().next();
    stream.kill();
    await stream.ended;
    expect(isAlive(Number(text(value!)))).toBe(false);
  });

  it('writes to the remote command', async () => {
    const stream = kubectl('read -r word; echo "got $word"').execStream(REF, ['cat']);
    stream.write('hello\n');
    expect(await read(stream)).toBe('got hello\n');
    expect(calls()).toEqual(['exec -i -n gkeprof gkeprof-perf-1 -c files -- cat']);
  });

  it('bears a remote command that closes first', async () => {
    const stream = kubectl('exec <&-; echo bye').execStream(REF, ['x']);
    expect(await read(stream)).toBe('bye\n');
    for (let i = 0; i < 20; i += 1) stream.write('more\n'.repeat(5000));
    expect((await stream.ended).exitCode).toBe(0);
  });
});

describe('the trace line at the end of a process', () => {
  const said: string[] = [];
  const traced = (script: string) => {
    said.length = 0;
    return kubectl(script, {}, (line) => said.push(line.replace(/\d+ ms$/, 'N ms')));
  };

  it('is its status', async () => {
    await traced('exit 3').exec(REF, ['x']);
    expect(said.at(-1)).toBe('kubectl exec ended with status 3 after N ms');
  });

  it.each<[string, (door: Kubectl) => Promise<unknown>]>([
    [
      'a stream that is not needed any more',
      async (door) => {
        const stream = door.execStream(REF, ['x']);
        await stream.chunks[Symbol.asyncIterator]().next();
        stream.kill();
        await stream.ended;
      },
    ],
    [
      'a call that the user gave up',
      async (door) => {
        const stop = new AbortController();
        const running = door.exec(REF, ['x'], stop.signal);
        await expect.poll(() => readFileSync(log, 'utf8')).not.toBe('');
        stop.abort();
        await running;
      },
    ],
  ])('is that this command ended it: %s', async (_what, act) => {
    await act(traced('echo here; exec sleep 60'));
    expect(said.at(-1)).toBe('kubectl exec was ended by this command after N ms');
  });

  it('is the signal of somebody else', async () => {
    await traced('kill -KILL $$').exec(REF, ['x']);
    expect(said.at(-1)).toBe('kubectl exec was ended by SIGKILL after N ms');
  });

  it('is that there was no process', async () => {
    const env = { PATH: folder };
    const trace = (line: string) => said.push(line.replace(/\d+ ms$/, 'N ms'));
    await expect(new Kubectl({}, { env, windows: false, trace }).exec(REF, ['x'])).rejects.toThrow();
    expect(said.at(-1)).toBe('kubectl exec could not be started after N ms');
  });
});

describe('copy', () => {
  it('names the local file relative to its folder, and the remote one whole', async () => {
    const got = await kubectl('pwd; echo data >part').copy(REF, '/gkeprof/out/f.gz', folder, 'part');
    expect(text(got.stdout)).toBe(`${folder}\n`);
    expect(readFileSync(join(folder, 'part'), 'utf8')).toBe('data\n');
    expect(calls()).toEqual(['cp -c files gkeprof/gkeprof-perf-1:/gkeprof/out/f.gz part']);
  });

  it('ends with the signal, for a second Ctrl-C does not wait for a gigabyte', async () => {
    const stop = new AbortController();
    const copying = kubectl('exec sleep 60').copy(REF, '/f', folder, 'part', stop.signal);
    await expect.poll(() => readFileSync(log, 'utf8')).not.toBe('');
    const began = Date.now();
    stop.abort();
    await copying;
    // By itself it ends after a minute.
    expect(Date.now() - began).toBeLessThan(50_000);
  });
});

describe('where kubectl is not installed', () => {
  const nowhere = () => new Kubectl({}, { env: { PATH: folder }, windows: false });

  it('says so', async () => {
    await expect(nowhere().exec(REF, ['x'])).rejects.toMatchObject({
      code: 3,
      message: 'kubectl was not found on PATH',
      hint: expect.stringContaining('install kubectl'),
    });
  });

  it('gives a stream that is over, and that does not end the process by an unhandled rejection', async () => {
    const stream = nowhere().followLogs(REF);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await read(stream)).toBe('');
    expect(await stream.ended).toMatchObject({ exitCode: 127, stderr: 'kubectl was not found on PATH' });
  });
});
