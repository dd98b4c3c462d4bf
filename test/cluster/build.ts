import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cached, filesBelow, keyOf } from './cache.ts';
import { CACHE } from './home.ts';
import { BUILD_CGROUP, KUBERNETES_VERSION } from './layout.ts';
import { lastLines, launch } from './processes.ts';
import { type Report, withHeartbeat } from './progress.ts';

const SOURCES = join(import.meta.dirname, 'kubernetes');
const BUILD_SCRIPT = join(import.meta.dirname, 'build.sh');
const [MAJOR, MINOR] = KUBERNETES_VERSION.split('.');

const VERSION_VARIABLES = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(
  (module) => [
    `-X ${module}.gitVersion=v${KUBERNETES_VERSION}`,
    `-X ${module}.gitMajor=${MAJOR}`,
    `-X ${module}.gitMinor=${MINOR}`,
  ],
);

const BUILD_FLAGS = [
  ...['-mod=readonly', '-trimpath', '-buildvcs=false', '-tags=osusergo,netgo'],
  `-ldflags=-s -w ${VERSION_VARIABLES.join(' ')}`,
];

/** The programs that the module holds, in one build: the servers, kubectl, and the pause container's. */
const PROGRAMS = ['.', './kubectl', './pause'];

/** The user's own Go settings stay in force (proxies, for one), but for what makes the result differ. */
const GO_ENVIRONMENT = {
  CGO_ENABLED: '0',
  GOFLAGS: '',
  GOWORK: 'off',
  GOMODCACHE: join(CACHE, 'go', 'modules'),
  GOCACHE: join(CACHE, 'go', 'build'),
};

const CRICTL = join(import.meta.dirname, '..', '..', 'image', 'crictl');
const UNWINDER = join(import.meta.dirname, '..', '..', 'image', 'unwinder');
const CRICTL_MODULE = 'github.com/kubernetes-sigs/cri-tools';
const CRICTL_FLAGS = [
  ...['-mod=readonly', '-trimpath', '-buildvcs=false'],
  `-ldflags=-s -w -X ${CRICTL_MODULE}/pkg/version.Version=1.30.0`,
];

/** Builds Kubernetes unless it is in the cache; returns the folder with `kubernetes`, `kubectl` and `pause`. */
export async function ensureBinaries(report: Report): Promise<string> {
  const version = await execa('go', ['env', 'GOVERSION'], { cwd: SOURCES, env: GO_ENVIRONMENT });
  const sources = await filesBelow(SOURCES);
  const key = keyOf({ ...sources, 'go version': version.stdout, 'build flags': BUILD_FLAGS.join(' ') });
  return cached(join(CACHE, `kubernetes-${key}`), async (unfinished) => {
    report(
      'Kubernetes: building it from source (8 to 12 minutes on two cores, half a minute when only little changed)',
    );
    await mkdir(unfinished);
    const log = join(CACHE, 'kubernetes.log');
    await rm(log, { force: true });
    const work = runBuild(['go', 'build', '-v', ...BUILD_FLAGS, '-o', `${unfinished}/`, ...PROGRAMS], log, {
      cwd: SOURCES,
      env: GO_ENVIRONMENT,
    });
    await withHeartbeat(report, () => describeGoBuild(log), work);
    report('Kubernetes: built');
  });
}

/** Has the modules of the image's crictl at hand; returns the folder that is a module proxy of them. */
export async function downloadGoModules(log: string): Promise<string> {
  await runBuild(['go', 'mod', 'download'], log, { cwd: CRICTL, env: GO_ENVIRONMENT });
  // This one is built with the Go that its go.mod names: a newer one than Debian's.
  const toolchain = /^toolchain (\S+)$/m.exec(await readFile(join(UNWINDER, 'go.mod'), 'utf8'))![1]!;
  const env = { ...GO_ENVIRONMENT, GOTOOLCHAIN: toolchain };
  // This downloads what is built. `go mod download` also wants the modules of the profiler's own tests.
  const vendored = await mkdtemp(join(tmpdir(), 'gkeprof-modules-'));
  await runBuild(['go', 'mod', 'vendor', '-o', vendored], log, { cwd: UNWINDER, env });
  await rm(vendored, { recursive: true });
  return join(GO_ENVIRONMENT.GOMODCACHE, 'cache', 'download');
}

/** The image's crictl, built once more for a node that has its own and for the tests to ask; returns its path. */
export async function ensureCrictl(report: Report): Promise<string> {
  const key = keyOf({ ...(await filesBelow(CRICTL)), 'build flags': CRICTL_FLAGS.join(' ') });
  return cached(join(CACHE, `crictl-${key}`), async (unfinished) => {
    report('crictl: building it from source (a minute or two)');
    const log = join(CACHE, 'crictl.log');
    await rm(log, { force: true });
    await runBuild(['go', 'build', ...CRICTL_FLAGS, '-o', unfinished, `${CRICTL_MODULE}/cmd/crictl`], log, {
      cwd: CRICTL,
      env: GO_ENVIRONMENT,
    });
  });
}

async function describeGoBuild(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const downloaded = lines.filter((line) => line.startsWith('go: ')).length;
  const compiled = lines.length - downloaded;
  return `Kubernetes: ${compiled === 0 ? `${downloaded} modules downloaded` : `${compiled} of about 2750 packages compiled`}`;
}

type BuildOptions = { readonly cwd: string; readonly env?: Readonly<Record<string, string>> };

/**
 * Runs a step of a build, its output in a log. In a cgroup and a mount namespace of its own: when `up` is killed, the
 * next one finds the processes that went on, and mounts go with them.
 */
export async function runBuild(
  command: readonly string[],
  log: string,
  { cwd, env = {} }: BuildOptions,
): Promise<void> {
  const args = launch(BUILD_CGROUP, log, ['unshare', '--mount', 'sh', BUILD_SCRIPT, ...command]);
  const { exitCode } = await execa('sh', args, { cwd, env, stdio: 'ignore', reject: false });
  if (exitCode !== 0) throw new Error(`${command[0]} failed (${log}):\n${await lastLines(log)}`);
}
