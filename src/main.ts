import { setTimeout as delay } from 'node:timers/promises';
import type { Configuration, Context } from './cli/command.ts';
import { configPath, readConfig } from './cli/config/file.ts';
import { commandOf } from './cli/find-verb.ts';
import { parseCommandLine } from './cli/parse.ts';
import { withOrigin } from './cli/settings.ts';
import { verbosityOf } from './cli/verbosity.ts';
import { Doors } from './cluster/doors.ts';
import { readAhead } from './cluster/read-ahead.ts';
import { COMMANDS } from './commands/index.ts';
import { EXIT, type ExitCode, GkeprofError, reasonOf } from './errors.ts';
import { Interrupts, type SignalName } from './interrupts.ts';
import type { TextSink } from './output/live-lines.ts';
import { Log, styleFor } from './output/log.ts';
import type { ByteSink, ByteSource } from './output/stream.ts';
import { safeSink } from './output/terminal-text.ts';
import { printable } from './text/printable.ts';
import type { Engine } from './version.ts';

/** The outside world, handed in by the entry: nothing in src/ asks for a global. */
export interface Io {
  readonly stdin: ByteSource;
  readonly stdout: ByteSink;
  readonly stderr: TextSink & ByteSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly windows: boolean;
  readonly macos?: boolean;
  readonly engine: Engine;
  readonly self?: readonly string[];
  /** Calls back for each signal that asks the process to end. */
  readonly onSignal: (receive: (signal: SignalName) => void) => void;
  /** Calls back when the process ends, however it does. */
  readonly onExit?: (end: () => void) => void;
  /** Called when the command line is done while something still waits, possibly for ever. */
  readonly onUnfinished?: () => void;
}

/** Runs one command line. Returns the exit code; never throws for anything a user can cause. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const interrupts = new Interrupts();
  io.onSignal((signal) => interrupts.receive(signal));
  const [stdout, stderr] = [safeSink(io.stdout), safeSink(io.stderr)];
  const style = styleFor(() => io.stderr.isTTY === true, io.env);
  let log = new Log(io.stderr, { style });
  let level = 0;
  const verb = commandOf(argv, COMMANDS);
  const failureCode: ExitCode | undefined = verb?.failureCode;
  const ahead = verb?.options.kubeconfig ? readAhead(argv, io) : undefined;
  const configuration: Configuration = {
    path: configPath(io.env, io.windows),
    read: () => readConfig(io.env, io.windows, COMMANDS),
  };
  let showsWhere = false;
  let isAsked = false;
  const doors = new Doors(async (connection, isFirst) => {
    isAsked = true;
    const { openCluster } = await import('./cluster/api.ts');
    const cluster = await openCluster(connection, {
      env: io.env,
      windows: io.windows,
      trace: (line, level) => log.trace(line, level),
      ...(ahead && { ahead }),
      ...(io.onExit && { onExit: io.onExit }),
    });
    const { context: name, server, isCurrent } = cluster.reached;
    if (isFirst && (!isCurrent || showsWhere)) log.line(`${name ? `context ${name}, ` : ''}server ${server}`);
    return cluster;
  });
  const over = interrupts.over();
  let isOver = false;
  over.catch(() => {
    isOver = true;
  });
  try {
    const understood = parseCommandLine(argv, COMMANDS, { env: io.env, readConfig: configuration.read });
    const invocation = await Promise.race([understood, over]);
    if (invocation.kind === 'print') {
      stdout.write(invocation.text);
      return EXIT.done;
    }
    const { command, raw } = invocation;
    const options: unknown = withOrigin(raw, (given) => command.validate(given));
    const loud = withOrigin(raw, verbosityOf);
    level = loud.level;
    showsWhere = (raw.text('dry-run') ?? 'none') !== 'none';
    log = new Log(io.stderr, { ...loud, style });
    const context: Context = {
      get stdin() {
        return io.stdin;
      },
      stdout,
      stderr,
      log,
      env: io.env,
      configuration,
      commands: COMMANDS,
      interrupts,
      openCluster: (connection) => doors.open(connection),
      windows: io.windows,
      engine: io.engine,
      get self() {
        return io.self ?? [];
      },
      open: async (path) => {
        const { openFile } = await import('./files/open.ts');
        return openFile(path, { windows: io.windows, macos: io.macos === true, env: io.env });
      },
      names: async (connection, boundMs) => {
        const { namesByKubectl } = await import('./cluster/completion-names.ts');
        const home = { env: io.env, windows: io.windows, ...(io.onExit && { onExit: io.onExit }) };
        return namesByKubectl(connection, home, boundMs);
      },
      kubectlVersion: async (boundMs) => {
        const { kubectlVersion } = await import('./cluster/kubectl-version.ts');
        return kubectlVersion(
          { env: io.env, windows: io.windows, trace: (line) => log.trace(line) },
          boundMs,
        );
      },
      leaveUnfinished: () => io.onUnfinished?.(),
      now: () => Date.now(),
      sleep: async (ms, signal) => {
        await delay(ms, undefined, signal && { signal }).catch((error: unknown) => {
          throw signal?.aborted ? signal.reason : error;
        });
      },
    };
    const running = command.run(options, context);
    running.catch(() => {}); // The promise may be rejected after the race below is decided.
    const code = await Promise.race([running, over]);
    stdout.end();
    stderr.end();
    return code;
  } catch (error) {
    if (isOver) io.onUnfinished?.();
    log.end();
    if (isFull(error)) {
      log.error(error.message, 'free some space, or choose another folder with --output-dir');
      return EXIT.failed;
    }
    if (isOfFile(error)) {
      log.error(printable(error.message), 'check that the file or folder exists and that you may access it');
      return failureCode ?? EXIT.failed;
    }
    if (!(error instanceof GkeprofError)) {
      log.error(
        reasonOf(error),
        'this is a bug in kubectl gkeprof; run the command again with -v to see where it failed',
      );
      if (error instanceof Error && level > 0) stderr.write(`${error.stack}\n`);
      return failureCode ?? EXIT.failed;
    }
    log.error(error.message, error.hint);
    return interrupts.stop.aborted ? error.code : (failureCode ?? error.code);
  } finally {
    if (!isAsked) ahead?.abandon();
    await doors.close();
  }
}

/** A full or read-only disk is not a bug of this tool. */
const isFull = (error: unknown): error is Error =>
  error instanceof Error &&
  /^(?:ENOSPC|EDQUOT|EFBIG|EROFS)$/.test((error as NodeJS.ErrnoException).code ?? '');

/** Neither is a file or folder that is missing, has the wrong type or belongs to somebody else. */
const isOfFile = (error: unknown): error is Error =>
  error instanceof Error &&
  (error as NodeJS.ErrnoException).path !== undefined &&
  (error as NodeJS.ErrnoException).syscall?.startsWith('spawn') === false &&
  /^(?:EACCES|EPERM|ENOENT|ENOTDIR|EISDIR|ENAMETOOLONG|ELOOP|EBUSY|ETXTBSY)$/.test(
    (error as NodeJS.ErrnoException).code ?? '',
  );
