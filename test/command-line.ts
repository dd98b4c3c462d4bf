import { main } from '../src/main.ts';

export interface Ended {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a command line in this process, without a cluster, and without a terminal unless `isTTY` is set. */
export async function gkeprof(
  argv: readonly string[],
  stdin: string | Uint8Array = '',
  env: Readonly<Record<string, string>> = {},
  isTTY = false,
): Promise<Ended> {
  const out: Buffer[] = [];
  const err: string[] = [];
  const code = await main(argv, {
    stdin: (async function* () {
      yield Buffer.from(stdin as string);
    })(),
    stdout: { isTTY, write: (data) => out.push(Buffer.from(data as string)) },
    stderr: { isTTY, write: (text: string | Uint8Array) => err.push(Buffer.from(text as string).toString()) },
    env,
    windows: false,
    engine: { node: '26.10.0', platform: 'linux/x64' },
    onSignal: () => {},
  });
  return { code, stdout: Buffer.concat(out), stderr: err.join('') };
}
