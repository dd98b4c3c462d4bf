import { copyFile, cp, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { downloadGoModules, runBuild } from './build.ts';
import { cached, filesBelow, keyOf } from './cache.ts';
import { CACHE } from './home.ts';
import { lastLines } from './processes.ts';
import { type Report, withHeartbeat } from './progress.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

/** Without namespaces or cgroups of their own, which the machine may not grant, and without a registry. */
const BUILD_FLAGS = ['--isolation=chroot', '--network=host', '--pull-never'];

function contextOf(name: string): string {
  return join(import.meta.dirname, 'images', name);
}

/** An image of the cluster: its reference in the nodes' container runtimes, and the folder it is built from. */
type Image = { readonly reference: string; readonly context: string };

export const DEBIAN: Image = {
  reference: 'debian:trixie-slim',
  context: contextOf('debian'),
};
const PAUSE: Image = { reference: 'localhost/gkeprof-test/pause:1', context: contextOf('pause') };
export const TOOLS: Image = { reference: 'localhost/gkeprof-tools:test', context: join(REPOSITORY, 'image') };
export const REDIS_FP: Image = {
  reference: 'localhost/gkeprof-test/redis:fp',
  context: contextOf('redis-fp'),
};
export const REDIS_STOCK: Image = {
  reference: 'localhost/gkeprof-test/redis:stock',
  context: contextOf('redis-stock'),
};

/** Builds the archives of all images of the cluster that are not in the cache; returns them by reference. */
export async function ensureImageArchives(
  binaries: Promise<string>,
  report: Report,
): Promise<ReadonlyMap<string, string>> {
  const pause = binaries.then((folder) => pauseArchive(folder, report));
  const [archive, archives] = await Promise.all([pause, debianArchives(report)]);
  return archives.set(PAUSE.reference, archive);
}

/**
 * Builds the archive of the programs with known shares unless it is in the cache; returns it by its reference. A cluster
 * that is up may have an image of earlier sources, so what it is made from is in its tag.
 */
export async function ensureProgramsArchive(report: Report): Promise<ReadonlyMap<string, string>> {
  const base = await debianArchive(report);
  const context = contextOf('programs');
  const tag = keyOf({ ...(await filesBelow(context)), ingredients: basename(base) }).slice(0, 8);
  const reference = `localhost/gkeprof-test/programs:${tag}`;
  return new Map([
    [reference, await archiveOf({ reference, context }, { ingredients: basename(base), base }, report)],
  ]);
}

async function pauseArchive(binaries: string, report: Report): Promise<string> {
  const prepare = (context: string) => copyFile(join(binaries, 'pause'), join(context, 'pause'));
  return archiveOf(PAUSE, { ingredients: basename(binaries), prepare }, report);
}

async function debianArchive(report: Report): Promise<string> {
  const options = [...(await debootstrapOptions()), 'trixie'];
  const prepare = (context: string, log: string) =>
    runBuild(['mmdebstrap', ...aptHook(context), ...options, join(context, 'rootfs.tar')], log, {
      cwd: context,
      env: { TMPDIR: context },
    });
  return archiveOf(DEBIAN, { ingredients: options.join(' '), prepare }, report);
}

/** Debian and what is built on it, one after the other: they would only slow each other down. */
async function debianArchives(report: Report): Promise<Map<string, string>> {
  const archives = new Map<string, string>();
  for (const image of [DEBIAN, TOOLS, REDIS_FP, REDIS_STOCK])
    archives.set(image.reference, await ensureArchive(image, report));
  return archives;
}

/** Builds the archive of Debian, or of an image that is built on it, unless it is in the cache. Returns its path. */
export async function ensureArchive(image: Image, report: Report): Promise<string> {
  const base = await debianArchive(report);
  if (image === DEBIAN) return base;
  const modules = image === TOOLS ? goModules : undefined;
  return archiveOf(image, { ingredients: basename(base), base, ...(modules && { modules }) }, report);
}

/** The modules of the image's Go programs from this machine: it may know a proxy, or a certificate, that the build doesn't. */
async function goModules(log: string): Promise<readonly string[]> {
  const proxy = await downloadGoModules(log);
  // A folder of modules cannot answer for the checksum database; go.sum has the sums of all modules but of Go itself.
  const settings = ['GOPROXY=file:///goproxy', 'GOSUMDB=off'].flatMap((each) => ['--build-arg', each]);
  return ['--volume', `${proxy}:/goproxy:ro`, ...settings];
}

/** The Debian that everybody's Dockerfile starts from, as small as the official slim image and as quiet about its host. */
async function debootstrapOptions(): Promise<string[]> {
  const excluded = ['doc', 'groff', 'info', 'linda', 'lintian', 'locale', 'man'];
  return [
    ...['--mode=root', '--variant=minbase', '--include=ca-certificates'],
    ...excluded.map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    ...(await machineAptOptions()).map((option) => `--aptopt=${option}`),
  ];
}

function aptHook(context: string): string[] {
  return [`--customize-hook=sh '${join(context, 'apt.sh')}' "$1"`];
}

/** How this machine gets at its Debian archive has to work in the image too. */
async function machineAptOptions(): Promise<string[]> {
  const { stdout } = await execa('apt-config', ['dump', 'Acquire']);
  return stdout
    .split('\n')
    .filter((line) => /^Acquire::(Check-(Valid-Until|Date)|https?::Proxy) /.test(line));
}

type Recipe = {
  /** What the image is made from besides the folder that it is built in. */
  readonly ingredients: string;
  /** Puts into the folder what cannot lie there ready. */
  readonly prepare?: (context: string, log: string) => Promise<void>;
  /** The archive of the image that the Dockerfile starts from. */
  readonly base?: string;
  /** What the build is told about where Go modules are. */
  readonly modules?: (log: string) => Promise<readonly string[]>;
};

/** Builds an image's archive unless it is in the cache. */
async function archiveOf({ reference, context }: Image, recipe: Recipe, report: Report): Promise<string> {
  const { ingredients, prepare, base, modules } = recipe;
  const flags = BUILD_FLAGS.join(' ');
  const key = keyOf({ ...(await filesBelow(context)), ingredients, 'build flags': flags });
  const name = reference.slice(reference.lastIndexOf('/') + 1).replace(':', '-');
  return cached(join(CACHE, 'images', `${name}-${key}.tar`), async (archive) => {
    report(`image ${reference}: building it`);
    const log = join(CACHE, `image-${name}.log`);
    await rm(log, { force: true });
    const folder = dirname(archive);
    const work = (async () => {
      await cp(context, join(folder, 'context'), { recursive: true });
      await prepare?.(join(folder, 'context'), log);
      await buildWithBuildah(folder, { reference, archive, log, base, modules: await modules?.(log) });
    })();
    await withHeartbeat(
      report,
      async () => `image ${reference}: ${stripVTControlCharacters(await lastLines(log, 1)).slice(0, 90)}`,
      work,
    );
  });
}

type Build = {
  readonly reference: string;
  readonly archive: string;
  readonly log: string;
  readonly base: string | undefined;
  readonly modules: readonly string[] | undefined;
};

/** Builds the Dockerfile in `folder`/context with everything that buildah keeps in `folder` too. */
async function buildWithBuildah(
  folder: string,
  { reference, archive, log, base, modules = [] }: Build,
): Promise<void> {
  const folders = ['--root', join(folder, 'root'), '--runroot', join(folder, 'runroot')];
  const store = [...folders, '--storage-driver', 'vfs'];
  const buildah = (...args: string[]) =>
    runBuild(['buildah', ...store, ...args], log, { cwd: folder, env: { TMPDIR: folder } });
  if (base) await buildah('pull', `docker-archive:${base}`);
  const id = join(folder, 'id');
  await buildah('bud', ...BUILD_FLAGS, ...modules, '--iidfile', id, 'context');
  // By its id, since a name in this store would get into the archive as well.
  await buildah('push', await readFile(id, 'utf8'), `docker-archive:${archive}:${reference}`);
}
