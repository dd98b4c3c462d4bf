import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { filesIn } from './archive.ts';

/** A package of Debian of which the image has something. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** What it was built from: most fixes of security are announced by this name. */
  readonly source: { readonly name: string; readonly version: string };
}

/** A Go program, with the modules that its own build information names. */
export interface GoProgram {
  readonly name: string;
  /** That of the module which its main package comes from; empty if that is a folder of ours, as of the unwinder. */
  readonly version: string;
  /** The main package. */
  readonly from: string;
  readonly goVersion: string;
  readonly modules: ReadonlyArray<{ readonly path: string; readonly version: string }>;
}

/** What an image consists of. */
export interface Contents {
  readonly debian: { readonly name: string; readonly version: string };
  readonly packages: readonly DebianPackage[];
  readonly programs: readonly GoProgram[];
  /** Its regular files, each a path below the root, by what they belong to. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** Where scanners look for packages in an image without dpkg. */
const STATUS = 'var/lib/dpkg/status.d';
/** What image/slim.sh and image/Dockerfile make themselves, and what the installation of base packages makes. */
const MADE = /^(?:etc|var\/lib\/dpkg|var\/cache\/ldconfig|usr\/local\/share\/doc)\//;
/** The name for these in `Contents.files`. */
const MADE_BY_BUILD = 'lists, licences and settings';

/** Reads what the unpacked image below `root` consists of. Throws if a file belongs to nothing that is listed. */
export async function contentsOf(root: string): Promise<Contents> {
  const names = await readdir(join(root, STATUS));
  const packages = await Promise.all(
    names
      .filter((name) => !name.endsWith('.md5sums'))
      .sort()
      .map(async (name) => debianPackage(await readFile(join(root, STATUS, name), 'utf8'))),
  );
  const owners = new Map<string, string>();
  for (const { name } of packages)
    for (const path of await filesOfPackage(root, name)) owners.set(path, name);
  const programs: GoProgram[] = [];
  const files = new Map<string, string[]>();
  for (const path of await filesIn(root)) {
    let owner = owners.get(path);
    if (path.startsWith('usr/local/bin/')) {
      programs.push(await goProgram(root, path));
      owner = basename(path);
    }
    if (owner === undefined && (MADE.test(path) || isCopyright(path))) owner = MADE_BY_BUILD;
    if (owner === undefined) throw new Error(`/${path} belongs to no package that the image lists`);
    files.set(owner, [...(files.get(owner) ?? []), path]);
  }
  const release = await readFile(join(root, 'etc/os-release'), 'utf8');
  return {
    debian: {
      name: /^ID=(.*)$/m.exec(release)![1]!,
      version: /^VERSION_ID="?([^"\n]*)/m.exec(release)![1]!,
    },
    packages,
    programs,
    files,
  };
}

/** Reads a stanza of dpkg's status (deb-control(5)). */
export function debianPackage(stanza: string): DebianPackage {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
  const name = field('Package');
  const version = field('Version');
  const architecture = field('Architecture');
  if (!name || !version || !architecture)
    throw new Error(`no package is described by: ${stanza.slice(0, 80)}`);
  const [, source = name, sourceVersion = version] =
    /^(\S+)(?: \((.*)\))?$/.exec(field('Source') ?? '') ?? [];
  return { name, version, architecture, source: { name: source, version: sourceVersion } };
}

async function filesOfPackage(root: string, name: string): Promise<string[]> {
  const sums = await readFile(join(root, STATUS, `${name}.md5sums`), 'utf8');
  return sums
    .split('\n')
    .filter(Boolean)
    .map((line) => line.slice(34).replace(/^(?:bin|lib|lib64|sbin)\//, 'usr/$&'));
}

const isCopyright = (path: string): boolean => /^usr\/share\/doc\/[^/]+\/copyright$/.test(path);

async function goProgram(root: string, path: string): Promise<GoProgram> {
  const { stdout } = await execa('go', ['version', '-m', join(root, path)]);
  const lines = stdout.split('\n').map((line) => line.split('\t'));
  const goVersion = /: go(\S+)/.exec(stdout)?.[1];
  const from = lines.find(([, kind]) => kind === 'path')?.[2];
  if (!goVersion || !from) throw new Error(`/${path} has no build information of Go`);
  // A line `=>` says what a module is replaced by.
  const modules: Array<{ path: string; version: string }> = [];
  let version = '';
  for (const [, kind = '', module = '', ofModule = ''] of lines) {
    if (!['mod', 'dep', '=>'].includes(kind) || ofModule === '(devel)') continue;
    if (kind === 'mod') version = ofModule;
    if (kind === '=>') modules.pop();
    modules.push({ path: module, version: ofModule });
  }
  return { name: basename(path), version, from, goVersion, modules };
}
