import { fstatSync, writeSync } from 'node:fs';
import { isSea } from 'node:sea';
import { EXIT } from './errors.ts';
import { main } from './main.ts';
import { firstWrite } from './output/first-write.ts';

/** The one place that touches the process: its arguments, streams, signals and exit code. */
export async function run(): Promise<void> {
  const windows = process.platform === 'win32';
  const makeStdout = () =>
    // `gkeprof … | head` ends quietly, as other tools do.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  let interrupted: NodeJS.Signals | undefined;
  let isUnfinished = false;
  const code = await main(process.argv.slice(2), {
    // Getters, because Node creates each stream when it is first accessed.
    get stdin() {
      return process.stdin;
    },
    stdout: windows
      ? makeStdout()
      : firstWrite(
          makeStdout,
          (bytes) => writeTo(1, bytes),
          () => isDevice(1),
        ),
    stderr: windows
      ? process.stderr
      : firstWrite(
          () => process.stderr,
          (bytes) => writeTo(2, bytes),
          () => isDevice(2),
        ),
    env: process.env,
    windows,
    macos: process.platform === 'darwin',
    get self() {
      return isSea() ? [process.execPath] : [process.execPath, process.argv[1]!];
    },
    engine: { node: process.versions.node, platform: `${process.platform}/${process.arch}` },
    onSignal: (receive) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => {
          interrupted ??= signal;
          receive(signal);
        });
    },
    onExit: (end) => process.once('exit', end),
    onUnfinished: () => {
      isUnfinished = true;
    },
  });
  process.exitCode = code;
  if (interrupted && code >= EXIT.hangup) endBy(interrupted, code, isUnfinished);
  else if (isUnfinished) process.exit(code);
  // By itself Node.js gives up its signal handlers before it has ended: a signal in that time would replace the exit code.
  else process.once('exit', () => process.exit());
}

/**
 * Ends the process at once. Node waits for its threads, and a thread that reads from a silent pipe never ends. In that
 * case the signal itself ends the process; shells report the same status for it.
 */
function endBy(signal: NodeJS.Signals, code: number, isUnfinished: boolean): void {
  if (!isUnfinished || process.platform === 'win32') process.exit(code);
  process.emit('exit', code); // Listeners of this event end child processes.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** A terminal is always a character device, so this answers without creating Node's stream. */
function isDevice(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice();
  } catch {
    return false;
  }
}

function writeTo(descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE') return bytes.length;
    if (code === 'EAGAIN') return 0;
    throw error;
  }
}
