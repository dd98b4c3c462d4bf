import { mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { execa } from 'execa';

/** An image that was unpacked. */
export interface UnpackedImage {
  /** The folder that is its root. */
  readonly root: string;
  /** What a registry keeps of its layers and a node pulls: gzip at level 6, as builders do by default. */
  readonly compressedBytes: number;
  /** The processor that it was built for, such as `amd64`. */
  readonly architecture: string;
}

interface Entry {
  readonly Config: string;
  readonly Layers: readonly string[];
}

/**
 * Unpacks an image that `docker save`, or buildah as docker-archive, wrote, into the folder `into`: layer after layer, without what a
 * later layer removed.
 */
export async function unpackImage(path: string, into: string): Promise<UnpackedImage> {
  const work = await mkdtemp(join(tmpdir(), 'gkeprof-image-'));
  try {
    await execa('tar', ['-xf', path, '-C', work]);
    const manifest = JSON.parse(await readFile(join(work, 'manifest.json'), 'utf8')) as readonly Entry[];
    const [image] = manifest;
    if (!image || manifest.length > 1)
      throw new Error(`${path} has ${manifest.length} images instead of one`);
    const config = JSON.parse(await readFile(join(work, image.Config), 'utf8')) as { architecture: string };
    const root = join(into, 'root');
    await mkdir(root, { recursive: true });
    let compressedBytes = 0;
    for (const layer of image.Layers) {
      const file = join(work, layer);
      compressedBytes += (await isGzip(file)) ? (await stat(file)).size : await gzipBytes([file]);
      await execa('tar', ['-xpf', file, '-C', root]);
      await applyWhiteouts(root);
    }
    return { root, compressedBytes, architecture: config.architecture };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A file `.wh.NAME` says that the layer removes NAME (the OCI image specification, "Whiteouts"). */
async function applyWhiteouts(root: string): Promise<void> {
  for (const path of await filesIn(root)) {
    const [, removed] = /^\.wh\.(.+)$/.exec(basename(path)) ?? [];
    if (removed === undefined) continue;
    // An opaque folder hides what earlier layers had in it, which cannot be told from what this one has.
    if (removed === '.wh..opq') throw new Error(`${path} is an opaque whiteout`);
    await rm(join(root, dirname(path), removed), { recursive: true, force: true });
    await rm(join(root, path));
  }
}

/** The regular files below a folder, by their paths relative to it. It follows no link, as Node's recursive readdir does. */
export async function filesIn(root: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await filesIn(root, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.readUInt16BE() === 0x1f8b;
  } finally {
    await file.close();
  }
}

/** How many bytes files take, one behind the other, if they are compressed by gzip at level 6. */
export async function gzipBytes(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  const all = async function* () {
    for (const path of paths) yield* (await open(path)).createReadStream();
  };
  await pipeline(Readable.from(all()), createGzip({ level: 6 }), async (packed) => {
    for await (const chunk of packed) bytes += (chunk as Buffer).length;
  });
  return bytes;
}
