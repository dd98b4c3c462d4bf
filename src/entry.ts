import { main } from './main.ts';

/** The one place that touches the process: its arguments, streams, signals and exit code. */
export async function run(): Promise<void> {
  // `gkeprof … | head` ends quietly, as other tools do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.exitCode = await main(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    windows: process.platform === 'win32',
    macos: process.platform === 'darwin',
    onSignal: (receive) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => receive(signal));
    },
  });
}
