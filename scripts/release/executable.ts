import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import type { Bundle } from '../bundle/bundle.ts';
import type { Platform } from './platforms.ts';
import { NODE_VERSION } from './platforms.ts';
import { nodeBinary, rcodesign, stripTool } from './tools.ts';

/**
 * One file that needs no Node: Node's binary with the launcher and the packed pieces in it. The pinned Node makes it for
 * every platform (https://nodejs.org/api/single-executable-applications.html); no code cache is put in, because that
 * fits only the system it was made on: the launcher keeps its own.
 */
export async function makeExecutable(platform: Platform, bundle: Bundle, output: string): Promise<void> {
  if (process.versions.node !== NODE_VERSION)
    throw new Error(`executables are made by Node ${NODE_VERSION}, this is ${process.versions.node}`);
  const folder = await mkdtemp(join(tmpdir(), 'gkeprof-executable-'));
  try {
    const config = join(folder, 'config.json');
    await writeFile(join(folder, 'main.mjs'), bundle.launcherOfExecutable);
    await writeFile(join(folder, 'pieces'), bundle.packed);
    const node = await strippedNode(platform, join(folder, 'node'));
    await writeFile(
      config,
      JSON.stringify({
        // The name of `main` is in the program: without the folder's, which is another one each time.
        main: 'main.mjs',
        mainFormat: 'module',
        executable: node,
        output: join(folder, 'program'),
        disableExperimentalSEAWarning: true,
        // A start makes more objects than the 1 MiB that V8 begins with, and nearly all of them stay: what is not
        // collected need not be copied.
        execArgv: ['--min-semi-space-size=8'],
        // NODE_OPTIONS is meant for the user's own Node: a module that it names would run in ours, or fail to load.
        execArgvExtension: 'none',
        assets: { pieces: 'pieces' },
      }),
    );
    await execa(process.execPath, ['--build-sea', config], { cwd: folder });
    if (platform.os === 'darwin') await sign(join(folder, 'program'));
    await mkdir(dirname(output), { recursive: true });
    await copyFile(join(folder, 'program'), output);
    await chmod(output, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Node's binary without its symbol tables, a fifth of a binary for Linux, where this machine can take them away: those for
 * macOS are left as they are, because no test here can run the result, and those for Windows have none. Returns the path.
 */
async function strippedNode(platform: Platform, path: string): Promise<string> {
  const original = await nodeBinary(platform);
  if (platform.os !== 'linux') return original;
  const tool = await stripTool(platform);
  if (tool === undefined) {
    process.stderr.write(`${platform.folder}: not stripped, because llvm-strip is not installed\n`);
    return original;
  }
  await execa(tool, ['--strip-all', '-o', path, original]);
  return path;
}

/** macOS kills a program for arm64 that has no signature; one without an identity ("ad hoc") is enough. */
async function sign(program: string): Promise<void> {
  await execa(await rcodesign(), ['sign', '--binary-identifier', 'kubectl-gkeprof', program]);
}
