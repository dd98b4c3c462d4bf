import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pcap, udp } from '../packets/packets.ts';

const PLUGIN = fileURLToPath(new URL('../../plugin/kubectl-gkeprof', import.meta.url));

let folder: string;
let servers: Server[];
let children: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-interrupted-'));
  servers = [];
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

/** The tool as a process of its own, as a terminal starts it. */
function start(words: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [PLUGIN, ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH!, HOME: folder, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.push(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data) => {
    said.stdout += data;
  });
  child.stderr.on('data', (data) => {
    said.stderr += data;
  });
  child.stdin.on('error', () => {});
  const ended = once(child, 'close').then(([code, signal]) => ({
    // As a shell reports it.
    status: signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : (code as number),
    ...said,
  }));
  return { child, said, ended };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

async function listening(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function kubeconfig(server: string, user: object = { token: 't' }): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const CLUSTER_VERBS = [
  ['nodes'],
  ['nodes', '--probe'],
  ['ps', 'node/n'],
  ['ps', 'node/n', '--watch'],
  ['whois', 'node/n', '1'],
  ['pcap', 'pod/p'],
  ['pcap', 'pod/p', '--dry-run=server'],
  ['flamegraph', 'pod/p'],
  ['flamegraph', 'node/n', '--pid', '1'],
  ['crictl', 'node/n', '--', 'ps'],
  ['shell', 'node/n', '--', 'id'],
  ['doctor'],
  ['doctor', 'node/n'],
];

describe('Ctrl-C once', () => {
  it.each(CLUSTER_VERBS)(
    'ends what waits for an API server that never answers: %s %s %s %s',
    async (...words) => {
      let connections = 0;
      const server = await listening(createServer(() => (connections += 1)));
      const { child, ended } = start([words[0]!, '--kubeconfig', kubeconfig(server), ...words.slice(1)]);
      await until(() => connections > 0);
      child.kill('SIGINT');
      expect(await ended).toMatchObject({
        status: 130,
        stdout: '',
        stderr: expect.stringContaining('interrupted'),
      });
    },
  );

  it.each([['nodes'], ['pcap', 'pod/p'], ['crictl', 'node/n', '--', 'ps']])(
    'ends what waits for a credential plugin that hangs: %s %s',
    async (...words) => {
      const marker = join(folder, 'asked');
      const plugin = join(folder, 'plugin');
      writeFileSync(plugin, `#!/bin/sh\n: >${marker}\nexec sleep 40\n`, { mode: 0o755 });
      const user = {
        exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' },
      };
      const config = kubeconfig('https://127.0.0.1:1', user);
      const { child, ended } = start([words[0]!, '--kubeconfig', config, ...words.slice(1)]);
      await until(() => existsSync(marker));
      child.kill('SIGINT');
      expect((await ended).status).toBe(130);
    },
  );

  it.each([
    ['render', '-'],
    ['diff', '-', 'x.folded'],
  ])('ends what waits for more on stdin: %s %s', async (...words) => {
    writeFileSync(join(folder, 'x.folded'), 'a;b 1\n');
    const { child, ended } = start(words);
    // More than a pipe holds: it is taken when it is read.
    await new Promise((resolve) => child.stdin.write('a;b 1\n'.repeat(100_000), resolve));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130, stdout: '' });
  });

  it('ends what reads packets from stdin with what they were', async () => {
    const { child, ended } = start(['analyze', '-', '--show', 'summary']);
    await new Promise((resolve) => child.stdin.write(packets(5000), resolve));
    child.kill('SIGINT');
    const { status, stdout } = await ended;
    expect(status).toBe(0);
    expect(stdout).toMatch(/packets/i);
  });

  it('ends what waits for a receipt that is a pipe', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const { child, ended } = start(['verify', 'pipe']);
    const writer = await reader(path);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130, stdout: '' });
    closeSync(writer);
  });

  it('ends what waits for its configuration', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const { child, ended } = start(['config', 'view'], { GKEPROF_CONFIG: path });
    const writer = await reader(path);
    child.kill('SIGINT');
    expect((await ended).status).toBe(130);
    closeSync(writer);
  });

  it.each([
    { words: ['analyze', 'big'], write: hugeCapture },
    { words: ['analyze', 'big', '--redact', 'copy'], write: hugeCapture },
    { words: ['render', 'big'], write: hugeRecording },
  ])('ends what reads a large file: $words', async ({ words, write }) => {
    const path = join(folder, 'big');
    write(path);
    const { child, ended } = start(words);
    // It has the file open: it reads.
    await until(() => opened(child.pid!, path));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130, stdout: '' });
    expect(readdirSync(folder)).toEqual(['big']);
  });
});

describe('a long list that is being written', () => {
  const FORMS = ['--all --show udp', '--all --show ip', '-o json', '-o yaml', '--format tshark --show udp'];
  const CONVERSATIONS = 100_000;

  it.each(FORMS.flatMap((form) => (['SIGINT', 'SIGTERM'] as const).map((signal) => [form, signal] as const)))(
    'is ended by a signal: %s, %s',
    async (form, signal) => {
      writeFileSync(join(folder, 'many.pcap'), conversations(CONVERSATIONS));
      const { child, ended } = start(['analyze', 'many.pcap', ...form.split(' ')]);
      await once(child.stdout, 'data');
      // What is not read cannot be written to its end before the signal comes.
      child.stdout.pause();
      child.kill(signal);
      child.stdout.resume();
      const { status, stderr } = await ended;
      expect({ status, stderr }).toEqual({
        status: signal === 'SIGINT' ? 130 : 143,
        stderr: 'error: interrupted: nothing was kept\n',
      });
    },
  );

  it.each(FORMS)('ends quietly with the reader of its pipe: %s', async (form) => {
    writeFileSync(join(folder, 'many.pcap'), conversations(CONVERSATIONS));
    const { child, ended } = start(['analyze', 'many.pcap', ...form.split(' ')]);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toMatchObject({ status: 0, stderr: '' });
  });
});

/** An API server that knows one pod on one node, and does with what is asked else what it is told. */
async function api(answer: (request: IncomingMessage, response: ServerResponse) => boolean): Promise<string> {
  const containerStatuses = [
    { name: 'c', containerID: `containerd://${'a'.repeat(64)}`, state: { running: {} }, ready: true },
  ];
  const pod = {
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: { nodeName: 'n', containers: [{ name: 'c' }] },
    status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }], containerStatuses },
  };
  const node = { metadata: { name: 'n' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } };
  const server = createHttpServer((request, response) => {
    if (answer(request, response)) return;
    const path = request.url!.split('?')[0]!;
    const body = path.endsWith('/pods/p')
      ? pod
      : path.endsWith('/nodes/n')
        ? node
        : path.endsWith('reviews')
          ? { status: { allowed: true } }
          : { items: path.endsWith('/nodes') ? [node] : [] };
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  return listening(server);
}

describe('Ctrl-C when there is a debug pod', () => {
  const VERBS = [
    ['pcap', 'pod/p'],
    ['flamegraph', 'pod/p'],
    ['ps', 'node/n'],
    ['whois', 'node/n', '1'],
    ['nodes', '--probe'],
    ['crictl', 'node/n', '--', 'ps'],
    ['shell', 'node/n', '--', 'id'],
  ];

  it.each([...VERBS, ['doctor', 'node/n']])(
    'deletes it, though nothing else is answered: %s %s',
    async (...words) => {
      let created = '';
      let isRead = false;
      let deleted = '';
      const server = await api((request, response) => {
        const debugPod = /\/namespaces\/gkeprof\/pods\/([^/?]+)/.exec(request.url!)?.[1];
        if (request.method === 'POST' && /\/pods(\?|$)/.test(request.url!)) {
          let pod = '';
          request.setEncoding('utf8');
          request.on('data', (data) => {
            pod += data;
          });
          request.on('end', () => {
            if (!request.url!.includes('dryRun')) created = pod;
            response.writeHead(201, { 'Content-Type': 'application/json' }).end(pod);
          });
          return true;
        }
        if (request.method === 'DELETE') {
          deleted = debugPod!;
          response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
          return true;
        }
        // It never answers how the pod is.
        if (debugPod) isRead = true;
        return debugPod !== undefined;
      });
      const { child, ended } = start([words[0]!, '--kubeconfig', kubeconfig(server), ...words.slice(1)]);
      await until(() => isRead);
      child.kill('SIGINT');
      expect(await ended).toMatchObject({ status: 130, stdout: '' });
      expect(deleted).toBe((JSON.parse(created) as { metadata: { name: string } }).metadata.name);
    },
  );

  it.each(VERBS)(
    'prints the command that deletes it when nothing is answered at all: %s %s',
    async (...words) => {
      let isAsked = false;
      const server = await api(({ method, url }) => {
        const isCreation = method === 'POST' && /\/pods(\?|$)/.test(url!);
        isAsked ||= isCreation;
        return isCreation || method === 'DELETE';
      });
      const { child, ended } = start([words[0]!, '--kubeconfig', kubeconfig(server), ...words.slice(1)]);
      await until(() => isAsked);
      child.kill('SIGINT');
      // Of two signals that wait for a process it gets one.
      await until(() => !hasPending(child.pid!, 'SIGINT'));
      child.kill('SIGINT');
      const { status, stderr } = await ended;
      expect(status).toBe(130);
      expect(stderr).toMatch(/may still be created: kubectl .*delete pod -n gkeprof gkeprof-/);
    },
  );
});

/** Whether a signal waits for the process (proc(5)). */
function hasPending(pid: number, signal: 'SIGINT'): boolean {
  const [, mask] = /^ShdPnd:\t(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return ((BigInt(`0x${mask}`) >> BigInt(osConstants.signals[signal] - 1)) & 1n) === 1n;
}

/** Waits until somebody has opened the pipe to read it; the end to write is open then. */
async function reader(path: string): Promise<number> {
  for (;;) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await delay(20);
    }
  }
}

/** Whether the process has the file open (proc(5)). */
const opened = (pid: number, path: string): boolean => {
  const files = `/proc/${pid}/fd`;
  return readdirSync(files).some((each) => {
    try {
      return readlinkSync(join(files, each)) === path;
    } catch {
      return false; // It was closed just then.
    }
  });
};

/** The header of a pcap file (draft-ietf-opsawg-pcap): Ethernet, packets of at most so many bytes. */
function pcapHeader(snapshotLength: number): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(snapshotLength, 16);
  header.writeUInt32LE(1, 20);
  return header;
}

/** The header of a packet at time 0 with so many bytes. */
function packetHeader(length: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(length, 8);
  header.writeUInt32LE(length, 12);
  return header;
}

/** A capture of so many packets, each with 1,000 bytes that mean nothing. */
function packets(count: number): Buffer {
  const packet = Buffer.concat([packetHeader(1000), Buffer.alloc(1000)]);
  return Buffer.concat([pcapHeader(65_535), ...Array.from({ length: count }, () => packet)]);
}

/**
 * Writes a capture of 16 GB that takes 250 MB of the disk: the bytes of its packets are holes. Whoever reads it is busy
 * for seconds, so that a signal reaches them before the end on a machine under load also.
 */
function hugeCapture(path: string): void {
  const length = 262_144; // tcpdump's own limit
  const file = openSync(path, 'w');
  writeSync(file, pcapHeader(length));
  const header = packetHeader(length);
  for (let at = 0; at < 61_000; at += 1) writeSync(file, header, 0, 16, 24 + at * (16 + length));
  ftruncateSync(file, 24 + 61_000 * (16 + length));
  closeSync(file);
}

/** Writes raw stacks of half a gigabyte: one line of them costs more than a packet. */
function hugeRecording(path: string): void {
  const file = openSync(path, 'w');
  const piece = Buffer.from(raw(5000));
  for (let at = 0; at < 1000; at += 1) writeSync(file, piece);
  closeSync(file);
}

/** A capture of so many datagrams, each of a conversation of its own. */
function conversations(count: number): Buffer {
  const frame = udp({ src: '10.0.0.0', dst: '10.200.0.1', payload: '' });
  const whole = Buffer.alloc(24 + count * (16 + frame.length));
  pcap('raw', []).copy(whole);
  for (let at = 0; at < count; at += 1) {
    const from = 24 + at * (16 + frame.length);
    whole.writeUInt32LE(frame.length, from + 8);
    whole.writeUInt32LE(frame.length, from + 12);
    frame.copy(whole, from + 16);
    whole.writeUInt32BE(0x0a000000 + at, from + 16 + 12);
  }
  return whole;
}

/** Raw stacks, as perf script prints them. */
const raw = (count: number): string =>
  Array.from(
    { length: count },
    (_, at) =>
      `redis 7/7 [000] ${at}.000000: 1 cpu-clock:\n\tffff f${at % 99}+0x1 (/bin/redis)\n\tffff main+0x1 (/bin/redis)\n\n`,
  ).join('');
