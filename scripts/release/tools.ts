import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cached, keyOf } from '../../test/cluster/cache.ts';
import { CACHE } from '../../test/cluster/home.ts';
import { NODE_VERSION, type Platform } from './platforms.ts';

/** Node's binary for a platform, from its npm package, checked and kept; returns its path. */
export async function nodeBinary({ os, node }: Platform): Promise<string> {
  if (!node) throw new Error('there is no such binary');
  const key = keyOf({ version: NODE_VERSION, ...node });
  const folder = await cached(join(CACHE, `${node.name}-${key}`), async (unfinished) => {
    await mkdir(unfinished);
    const words = ['pack', `${node.name}@${NODE_VERSION}`, '--json', '--pack-destination', unfinished];
    const { stdout } = await execa('npm', words, { cwd: unfinished });
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
    const tarball = join(unfinished, filename);
    const found = `sha512-${createHash('sha512')
      .update(await readFile(tarball))
      .digest('base64')}`;
    if (found !== node.integrity)
      throw new Error(`${node.name}@${NODE_VERSION} is not the one that was pinned: ${found}`);
    await execa('tar', ['-xzf', tarball, '-C', unfinished, 'package/bin']);
    await execa('rm', [tarball]);
  });
  return join(folder, 'package', 'bin', os === 'windows' ? 'node.exe' : 'node');
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
