import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, expect, inject } from 'vitest';
import { defaultImage } from '../../src/cli/images.ts';

/** What test/e2e/setup.ts made ready: plain data, so that it can be handed to the test files. */
export interface World {
  readonly kubectl: string;
  /** Folder that holds kubectl and nothing else that matters. */
  readonly binDir: string;
  /** Of the administrator. */
  readonly admin: string;
  /** Of a user who has only what `kubectl gkeprof manifests` grants. */
  readonly sre: string;
  /** Of a user who may exec into the pods that are looked at, and attach to debug pods, besides. */
  readonly sreShell: string;
  /** Of a user with what is granted for debug pods, who may not exec into anything else. */
  readonly sreNoTarget: string;
  /** Of a user who may read pods and nodes, and may create debug pods, but not exec. */
  readonly noExec: string;
  readonly nodes: readonly [string, string];
  readonly images: {
    readonly tools: string;
    readonly debian: string;
    readonly redisFp: string;
    readonly redisStock: string;
  };
}

declare module 'vitest' {
  export interface ProvidedContext {
    world: World;
  }
}

export const world = (): World => inject('world');

/** Where the Redis pods of the suite live. */
export const NAMESPACE = 'gkeprof-e2e';

/** The diagnostic image under a name whose pull test/e2e/slow-registry.ts holds up. */
export const SLOW_IMAGE = 'localhost:5117/gkeprof/tools:1';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What is under test: the bundle that users have, which the set-up makes, or `GKEPROF=source` for the source tree's plugin. */
export const pluginDir = join(ROOT, process.env.GKEPROF === 'source' ? 'plugin' : 'dist');

export const environment = (kubeconfig: string, folder = pluginDir): Record<string, string> => ({
  HOME: process.env.HOME ?? '/',
  PATH: [folder, world().binDir, join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter),
  KUBECONFIG: kubeconfig,
});

export interface Run {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly kubeconfig?: string;
  readonly cwd?: string;
  /** Without `--image`: the default image, tools installed at start. */
  readonly plainImage?: boolean;
  /** The source tree's plugin instead of the bundle. */
  readonly source?: boolean;
  /** More variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `kubectl gkeprof …` exactly as a user types it: kubectl finds the plugin on PATH. */
export function start(words: readonly string[], options: RunOptions = {}) {
  const capture = [
    'flamegraph',
    'pcap',
    'waits',
    'ps',
    'whois',
    'crictl',
    'shell',
    'nodes',
    'doctor',
  ].includes(words[0] ?? '');
  const dashes = words.indexOf('--');
  const at = dashes < 0 ? words.length : dashes;
  const image =
    capture && !options.plainImage && !words.includes('--image') ? ['--image', world().images.tools] : [];
  return execa('kubectl', ['gkeprof', ...words.slice(0, at), ...image, ...words.slice(at)], {
    env: {
      ...environment(
        options.kubeconfig ??
          (words[0] === 'crictl' || words[0] === 'shell' ? world().sreShell : world().sre),
        options.source ? join(ROOT, 'plugin') : pluginDir,
      ),
      ...options.env,
    },
    extendEnv: false,
    cwd: options.cwd ?? tmpdir(),
    reject: false,
    stdin: 'ignore',
    // Sooner than the test's own end, which would not say where it hung.
    timeout: 400_000,
  });
}

export async function gkeprof(words: readonly string[], options: RunOptions = {}): Promise<Run> {
  const result = await start(words, options);
  if (result.timedOut) throw new Error(`kubectl gkeprof ${words.join(' ')} hung behind:\n${result.stderr}`);
  return {
    code: result.exitCode,
    stdout: String(result.stdout),
    stderr: String(result.stderr),
  };
}

/** kubectl as the administrator; fails the test when it fails. */
export async function kubectl(words: readonly string[], input?: string): Promise<string> {
  const result = await execa(world().kubectl, words, {
    env: { KUBECONFIG: world().admin },
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  });
  return result.stdout;
}

/** A namespace in which pods can be created: without the account that they run as, the API server refuses them. */
export async function createNamespace(name: string): Promise<void> {
  await kubectl(['create', 'namespace', name]);
  await kubectl(['wait', '-n', name, '--for=create', 'serviceaccount/default', '--timeout=240s']);
}

/** The words of `manifests` for the images that the policy allows throughout the suite. */
export const allowedImages = (tools: string): string[] =>
  [tools, defaultImage().image, 'localhost/no-such-image:1', SLOW_IMAGE].flatMap((image) => [
    '--allow-image',
    image,
  ]);

export const debugPods = async (namespace = 'gkeprof'): Promise<string[]> =>
  (
    await kubectl([
      'get',
      'pods',
      '-n',
      namespace,
      '-l',
      'app.kubernetes.io/managed-by=kubectl-gkeprof',
      '-o',
      'name',
    ])
  )
    .split('\n')
    .filter(Boolean);

/** Processes of a capture on the nodes, which on this cluster are processes of this machine. */
export async function captureProcesses(): Promise<string[]> {
  const result = await execa('pgrep', ['-a', '-f', 'gkeprof-capture|/gkeprof/(out|work)/'], {
    reject: false,
  });
  return result.stdout.split('\n').filter((line) => line && !line.includes('pgrep'));
}

/** Ends the processes of a capture whose command line matches, as the kernel does when memory runs out. */
export async function killOnNode(pattern: RegExp): Promise<void> {
  const found = (await captureProcesses()).filter((line) => pattern.test(line));
  expect(found).not.toEqual([]);
  for (const line of found) {
    try {
      process.kill(Number(line.split(' ')[0]), 'SIGKILL');
    } catch (error) {
      // The script starts short-lived processes of its own name, and its end ends its tool.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Until a command says something on stderr. */
export async function says(run: ReturnType<typeof start>, words: string): Promise<void> {
  let said = '';
  run.stderr!.on('data', (text) => {
    said += text;
  });
  const heard = await eventually(
    async () => said,
    (text) => text.includes(words),
  );
  expect(heard).toContain(words);
}

/**
 * Until the client of a capture says that it captures, and has for a while: the tool's process is there much earlier, and
 * before the client has heard of it the first Ctrl-C is enough to leave.
 */
export async function captures(run: ReturnType<typeof start>): Promise<void> {
  await says(run, 'capturing for');
  await new Promise((resolve) => setTimeout(resolve, 4000));
}

/** Until the client of a capture says that it captures, and its tcpdump has written so many bytes on the node. */
export async function capturesPackets(run: ReturnType<typeof start>, bytes: number): Promise<void> {
  await says(run, 'capturing for');
  const written = async () => {
    const [pid] = (await captureProcesses()).flatMap((line) => /^(\d+) tcpdump /.exec(line)?.[1] ?? []);
    if (pid === undefined) return 0;
    return statSync(`/proc/${pid}/root/gkeprof/out/capture.pcap`, { throwIfNoEntry: false })?.size ?? 0;
  };
  expect(await eventually(written, (size) => size >= bytes)).toBeGreaterThanOrEqual(bytes);
}

/**
 * Until a condition holds; the last value when it never does, for the assertion to show. The bound is for what hangs:
 * on a busy machine everything takes ten times as long.
 */
export async function eventually<T>(
  read: () => Promise<T>,
  good: (value: T) => boolean,
  seconds = 240,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await read();
    if (good(value) || Date.now() > deadline) return value;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** After every test: no debug pod, no process of a capture. A pod may take its grace period to go. */
export function leavesNothing(): void {
  afterEach(async () => {
    expect(await eventually(debugPods, (pods) => pods.length === 0)).toEqual([]);
    expect(await eventually(captureProcesses, (found) => found.length === 0)).toEqual([]);
  });
}

/** A fresh folder for a test's files, removed after it. */
export function outputFolder(): { readonly path: () => string; readonly files: () => string[] } {
  let path: string | undefined;
  afterEach(() => {
    if (path) rmSync(path, { recursive: true, force: true });
    path = undefined;
  });
  return {
    path() {
      path ??= mkdtempSync(join(tmpdir(), 'gkeprof-e2e-'));
      return path;
    },
    files: () => (path ? readdirSync(path).sort() : []),
  };
}
