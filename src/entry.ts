import { fstatSync, writeSync } from 'node:fs';
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
  process.exitCode = await main(process.argv.slice(2), {
    // Node makes each stream when it is first read.
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
    onSignal: (receive) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => receive(signal));
    },
  });
}

/** What is no character device is no terminal: that is known without Node's stream. */
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
