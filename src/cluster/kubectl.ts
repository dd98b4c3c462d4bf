import { kill } from 'node:process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { clusterError, reasonOf } from '../errors.ts';
import { quoteFor } from '../text/shell-quote.ts';
import type { CallResult, ContainerRef, RemoteStream } from './cluster.ts';
import { type Connection, kubectlFlags, shownFlags } from './connection.ts';
import { childEnvironment, type KubectlHome, NOT_INSTALLED } from './kubectl-home.ts';

/** The parts of execa's result that are used here. */
interface Ended {
  readonly code?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** What this program did to it: a signal of its caller, a time limit, or a limit of its output. */
  readonly isCanceled?: boolean;
  readonly timedOut?: boolean;
  readonly isMaxBuffer?: boolean;
  readonly stdout?: unknown;
  readonly stderr?: unknown;
}

/** The parts of execa's subprocess that are used here; its own type changes with every option. */
interface Child extends PromiseLike<Ended> {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  kill(): boolean;
  readonly pid?: number | undefined;
}

/** kubectl's own messages are short, so a pod that floods stderr ends the call. */
const STREAMED = { buffer: { stdout: false, stderr: true }, maxBuffer: { stderr: 2 ** 20 } };

/** The longest output is the event file of a capture that ran for days. A call with more output fails. */
const EXEC_BYTES = 32 * 2 ** 20;

/** Commands that run through `exec` are short. The limit ends a call whose connection was lost, which would never end. */
const EXEC_MS = 60_000;

/**
 * Runs the user's own kubectl. Each process gets its own process group, so that Ctrl-C in the terminal reaches only this
 * program, which then decides what to stop.
 */
export class Kubectl {
  readonly #connection: Connection;
  readonly #home: KubectlHome;
  readonly #flags: () => Promise<readonly string[]>;
  /** The running processes as targets of kill(2): a process group is a negative number. */
  readonly #running = new Set<number>();

  /** `flags` are the connection flags for a process that starts now; by default those that the user gave. */
  constructor(
    connection: Connection,
    home: KubectlHome,
    flags: () => Promise<readonly string[]> = async () => kubectlFlags(connection),
  ) {
    this.#connection = connection;
    this.#home = home;
    this.#flags = flags;
    home.onExit?.(() => this.close());
  }

  /**
   * Ends the processes that still run. A process group of its own does not end with this process, nor does a credential
   * plugin in it that hangs; and this process does not end before its children.
   */
  close(): void {
    for (const target of this.#running) {
      try {
        kill(target, 'SIGKILL');
      } catch {
        // The process has ended in the meantime.
      }
    }
  }

  /** The command line with the user's flags, without secrets. */
  line(words: readonly string[]): string {
    return ['kubectl', ...shownFlags(this.#connection), ...words].map(quoteFor(this.#home.windows)).join(' ');
  }

  followLogs(ref: ContainerRef): RemoteStream {
    // kubectl would end a followed log after --request-timeout, even while lines arrive. The last flag wins.
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

  /** With `tty`, kubectl runs in this program's process group, because it reads the terminal and follows its size. */
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
   * The local name is relative to the target folder, which is the working directory, because kubectl treats the text before
   * a colon as a pod: it would misread `C:\…` (kubernetes/kubernetes#77310).
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
   * The output of a call; undefined if it failed or did not end in time. The pipes are closed then, because a credential
   * plugin may outlive kubectl and keep them open.
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
      const { child, kill: end } = await starting;
      end();
      child.stderr?.destroy();
    }
    return text;
  }

  /**
   * Lets `kubectl proxy` serve the API on a Unix socket with the user's credentials, only for GET requests to matching
   * paths. A shell waits at a pipe and ends kubectl when this process ends for any reason. The proxy is ready when it
   * prints its first line. Not available on Windows.
   */
  serve(socket: string, paths: RegExp): RemoteStream {
    const words = ['proxy', `--unix-socket=${socket}`, `--accept-paths=${paths.source}`];
    const line = [...kubectlFlags(this.#connection), ...words, '--reject-methods=POST,PUT,PATCH,DELETE'];
    const script = 'kubectl "$@" & cat >/dev/null; kill $!';
    const starting = this.#start(['-c', script, 'sh', ...line], { stdin: 'pipe', ...STREAMED }, 'sh');
    // The shell must not be killed, because it has to end kubectl; closing the pipe tells it to.
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
    const whenStarted = (use: (started: Started) => void) => void starting.then(use, () => {});
    // The remote end may close stdin first. That is not an error of its own: the exit code shows the result.
    whenStarted(({ child }) => child.stdin?.on('error', () => {}));
    return {
      chunks: chunksOf(starting),
      write: (text) => whenStarted(({ child }) => child.stdin?.write(text)),
      ended,
      kill: () => whenStarted((started) => started.kill()),
    };
  }

  async #start(words: readonly string[], options: object, program = 'kubectl'): Promise<Started> {
    // Only the first line of a script is shown; the whole script is in src/node or src/session.
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
    let isKilled = false;
    child.then(
      (ended) => {
        if (target !== undefined) this.#running.delete(target);
        this.#home.trace?.(
          `kubectl ${words[0]} ${howEnded(ended, isKilled)} after ${Date.now() - began} ms`,
          2,
        );
      },
      () => {}, // The caller that awaits the process reports the error.
    );
    return {
      child,
      kill: () => {
        isKilled = true;
        child.kill();
        child.stdout?.destroy(); // Unread output would keep the process from ending.
      },
    };
  }
}

/** How a process ended, as the predicate of a sentence. `isKilled`: this program ended it, mostly because it needed no more. */
function howEnded(ended: Ended, isKilled: boolean): string {
  if (ended.exitCode !== undefined) return `ended with status ${ended.exitCode}`;
  if (isKilled || ended.isCanceled || ended.timedOut || ended.isMaxBuffer) return 'was ended by this command';
  return ended.signal === undefined ? 'could not be started' : `was ended by ${ended.signal}`;
}

/** Wraps the subprocess, because it is thenable: awaiting a bare one would wait for its end. */
interface Started {
  readonly child: Child;
  /** Ends it, and drops what it has printed and nobody has read. */
  kill(): void;
}

/** Yields nothing for a process that could not be started; `ended` has the reason. */
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
