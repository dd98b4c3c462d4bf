import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Folder with inferno's programs, built once with cargo and kept: the peer of the benchmarks. */
export async function infernoBin(): Promise<string> {
  const root = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'kubectl-gkeprof-test',
    'inferno',
  );
  if (!existsSync(join(root, 'bin/inferno-flamegraph'))) {
    process.stderr.write('building inferno with cargo (once)\n');
    await execa('cargo', ['install', 'inferno', '--locked', '--root', root], { stdio: ['ignore', 2, 2] });
  }
  return join(root, 'bin');
}
