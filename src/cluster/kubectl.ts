import { kill } from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { clusterError, reasonOf } from '../errors.ts';
import { quoteFor } from '../text/shell-quote.ts';
import type { CallResult, ContainerRef, RemoteStream } from './cluster.ts';
import { type Connection, kubectlFlags, shownFlags } from './connection.ts';
import { childEnvironment, type KubectlHome, NOT_INSTALLED } from './kubectl-home.ts';

/** What is used of execa's subprocess; its own type depends on each option given. */
interface Child
  extends PromiseLike<{ code?: string; exitCode?: number; stdout?: unknown; stderr?: unknown }> {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  kill(): boolean;
  readonly pid?: number | undefined;
}

/** What kubectl itself has to say is short; a pod that floods it ends the call. */
const STREAMED = { buffer: { stdout: false, stderr: true }, maxBuffer: { stderr: 2 ** 20 } };

/** The longest answer is the file of events of a capture of days. A pod that says more ends the call, as failed. */
const EXEC_BYTES = 32 * 2 ** 20;

/** What is run by `exec` takes moments; one whose stream is lost on the way would wait for ever. */
const EXEC_MS = 60_000;

/**
 * The user's own kubectl. Children get a process group of their own, so that Ctrl-C in the terminal reaches us
 * alone and we decide what it ends.
 */
export class Kubectl {
  readonly #connection: Connection;
  readonly #home: KubectlHome;
  readonly #flags: () => Promise<readonly string[]>;
  /** Children that run, as kill(2) takes them: by their process group where they have one. */
  readonly #running = new Set<number>();

  /** `flags` lead to the cluster, as of now; by themselves they are those that the user gave. */
  constructor(
    connection: Connection,
    home: KubectlHome,
    flags: () => Promise<readonly string[]> = async () => kubectlFlags(connection),
  ) {
    this.#connection = connection;
    this.#home = home;
    this.#flags = flags;
    home.onExit?.(() => this.#endChildren());
  }

  /** Those with a process group of their own do not end with us, nor what they started: a credential plugin that hangs. */
  #endChildren(): void {
    for (const target of this.#running) {
      try {
        kill(target, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
  }

  /** With the flags of the user, of which the secret ones are not shown. */
  line(words: readonly string[]): string {
    return ['kubectl', ...shownFlags(this.#connection), ...words].map(quoteFor(this.#home.windows)).join(' ');
  }

  followLogs(ref: ContainerRef): RemoteStream {
    // kubectl would cut a followed log off after --request-timeout, however much comes; the last flag counts.
    const unbounded = this.#connection.requestTimeout === undefined ? [] : ['--request-timeout=0'];
    return this.#stream(['logs', '-f', '-n', ref.namespace, ref.pod, '-c', ref.container, ...unbounded]);
  }

  execStream(ref: ContainerRef, argv: readonly string[]): RemoteStream {
    return this.#stream(['exec', '-i', '-n', ref.namespace, ref.pod, '-c', ref.container, '--', ...argv]);
  }

  async exec(ref: ContainerRef, argv: readonly string[], signal?: AbortSignal): Promise<CallResult> {
    return finished(
      await this.#start(['exec', '-n', ref.namespace, ref.pod, '-c', ref.container, '--', ...argv], {
        ...(signal && { cancelSignal: signal }),
        buffer: true,
        maxBuffer: EXEC_BYTES,
        timeout: EXEC_MS,
      }),
    );
  }

  /** With a terminal in our own process group: kubectl reads it, and hears of its size. */
  async attach(
    { namespace, pod, container }: ContainerRef,
    { tty, signal }: { readonly tty: boolean; readonly signal: AbortSignal },
  ): Promise<number> {
    const words = ['attach', '-q', tty ? '-it' : '-i', '-n', namespace, pod, '-c', container];
    const child = await this.#start(words, {
      ...(tty
        ? { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit', detached: false }
        : { stdin: 'inherit', stdout: 'ignore', stderr: 'pipe' }),
      cancelSignal: signal,
      buffer: true,
    });
    return (await finished(child)).exitCode;
  }

  /**
   * The local name is relative, with the target folder as working directory: kubectl takes whatever stands
   * before a colon for a pod, and so cannot be given `C:\…` (kubernetes/kubernetes#77310).
   */
  copy(
    ref: ContainerRef,
    remotePath: string,
    directory: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<CallResult> {
    return this.#call(
      ['cp', '-c', ref.container, `${ref.namespace}/${ref.pod}:${remotePath}`, name],
      directory,
      signal,
    );
  }

  /**
   * What a call printed; undefined when it failed, or had not ended in time. Nothing is waited for after that: a
   * credential plugin may outlive kubectl and keep its pipes open.
   */
  async ask(words: readonly string[], boundMs: number): Promise<string | undefined> {
    const starting = this.#start(words, { buffer: true, killSignal: 'SIGKILL' });
    const answered = starting.then(finished).then(
      ({ exitCode, stdout }) => (exitCode === 0 ? Buffer.from(stdout).toString('utf8') : undefined),
      () => undefined,
    );
    const late = new AbortController();
    const bound = delay(boundMs, undefined, { signal: late.signal }).catch(() => undefined);
    const text = await Promise.race([answered, bound]);
    late.abort();
    if (text === undefined) {
      const { child } = await starting;
      child.kill();
      child.stdout?.destroy();
      child.stderr?.destroy();
    }
    return text;
  }

  /**
   * Lets kubectl serve the API, with the user's credentials whatever they are, on a socket: for reads of the paths that
   * match, and for as long as this process lives, however it ends (the shell waits at a pipe for that). It has begun
   * when it prints. Not on Windows.
   */
  serve(socket: string, paths: RegExp): RemoteStream {
    const words = ['proxy', `--unix-socket=${socket}`, `--accept-paths=${paths.source}`];
    const line = [...kubectlFlags(this.#connection), ...words, '--reject-methods=POST,PUT,PATCH,DELETE'];
    const script = 'kubectl "$@" & cat >/dev/null; kill $!';
    const starting = this.#start(['-c', script, 'sh', ...line], { stdin: 'pipe', ...STREAMED }, 'sh');
    // The shell has to live to end kubectl: it is told by the pipe's end.
    return {
      ...this.#streamOf(starting),
      kill: () =>
        void starting.then(
          ({ child }) => child.stdin?.end(),
          () => {},
        ),
    };
  }

  async #call(words: readonly string[], cwd?: string, signal?: AbortSignal): Promise<CallResult> {
    return finished(
      await this.#start(words, {
        ...(cwd && { cwd }),
        ...(signal && { cancelSignal: signal }),
        buffer: true,
      }),
    );
  }

  #stream(words: readonly string[]): RemoteStream {
    return this.#streamOf(this.#start(words, { stdin: 'pipe', ...STREAMED }));
  }

  #streamOf(starting: Promise<Started>): RemoteStream {
    const ended = starting.then(finished).catch((problem: unknown) => ({
      exitCode: 127,
      stdout: new Uint8Array(),
      stderr: reasonOf(problem),
    }));
    const withChild = (use: (child: Child) => void) =>
      void starting.then(
        ({ child }) => use(child),
        () => {},
      );
    // The remote end may close first; its status says so.
    withChild((child) => child.stdin?.on('error', () => {}));
    return {
      chunks: chunksOf(starting),
      write: (text) => withChild((child) => child.stdin?.write(text)),
      ended,
      kill: () =>
        withChild((child) => {
          child.kill();
          child.stdout?.destroy(); // What nobody reads any more would keep it from ever ending.
        }),
    };
  }

  async #start(words: readonly string[], options: object, program = 'kubectl'): Promise<Started> {
    // Of a script its first line: the rest is in src/node or src/session.
    const short = words.map((word) => (word.includes('\n') ? `${word.trim().split('\n')[0]} …` : word));
    this.#home.trace?.(this.line(short));
    const flags = program === 'kubectl' ? await this.#flags() : [];
    const began = Date.now();
    const child = execa(program, [...flags, ...words], {
      env: childEnvironment(this.#home) as Record<string, string>,
      extendEnv: false,
      detached: !this.#home.windows,
      encoding: 'buffer',
      stripFinalNewline: false,
      stdin: 'ignore',
      reject: false,
      forceKillAfterDelay: 2000,
      ...options,
    }) as unknown as Child;
    const { detached = !this.#home.windows } = options as { detached?: boolean };
    const target = child.pid === undefined ? undefined : detached ? -child.pid : child.pid;
    if (target !== undefined) this.#running.add(target);
    child.then(
      ({ exitCode }) => {
        if (target !== undefined) this.#running.delete(target);
        const how = exitCode === undefined ? 'a signal' : `status ${exitCode}`;
        this.#home.trace?.(`kubectl ${words[0]} ended with ${how} in ${Date.now() - began} ms`, 2);
      },
      () => {}, // Told by whoever waits for it.
    );
    return { child };
  }
}

/** In an object, because a subprocess is a promise of its own end. */
interface Started {
  readonly child: Child;
}

/** What could not be started has no chunks; `ended` says why. */
async function* chunksOf(starting: Promise<Started>): AsyncIterable<Uint8Array> {
  const started = await starting.catch(() => undefined);
  if (started) yield* started.child.stdout as AsyncIterable<Uint8Array>;
}

async function finished({ child }: Started): Promise<CallResult> {
  const result = await child;
  if (result.code === 'ENOENT') {
    throw clusterError(...NOT_INSTALLED);
  }
  const bytes = (value: unknown) => (value instanceof Uint8Array ? value : new Uint8Array());
  return {
    exitCode: result.exitCode ?? 1,
    stdout: bytes(result.stdout),
    stderr: Buffer.from(bytes(result.stderr)).toString('utf8').trim(),
  };
}
