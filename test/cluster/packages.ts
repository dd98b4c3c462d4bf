import { readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { exists } from './cache.ts';
import type { Report } from './progress.ts';

/** Debian packages by what needs them: the cluster, the building of its images, and the tests that run on it. */
const DEBIAN_PACKAGES = [
  ...[
    'containerd',
    'runc',
    'containernetworking-plugins',
    'iptables',
    'nftables',
    'iproute2',
    'openssl',
    'util-linux',
  ],
  ...['mmdebstrap', 'buildah', 'crun', 'debian-archive-keyring', 'ca-certificates'],
  ...['tcpdump', 'tshark', 'linux-perf', 'redis-tools', 'shellcheck', 'chromium', 'libxml2-utils', 'procps'],
  ...['tmux', 'zsh', 'fish', 'bash-completion'],
  ...['binutils', 'debuginfod', 'elfutils', 'gcc', 'libc6-dev', 'lld'],
];

/** What the cluster calls itself, wherever it comes from. */
const COMMANDS = [
  ...['containerd', 'ctr', 'runc', 'ip', 'nft', 'iptables', 'nsenter', 'unshare', 'mount', 'openssl'],
  ...['mmdebstrap', 'buildah', 'go'],
];

const CNI_FOLDERS = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];
const CNI_PLUGINS = ['bridge', 'host-local', 'loopback'];

/** The oldest Go that can build Kubernetes, or fetch a Go that can. */
const OLDEST_GO = '1.21';

const OWN_CLUSTER_HINT = `To run the same tests on a cluster of your own, set
  GKEPROF_TEST_KUBECONFIG  a kubeconfig whose user may do everything there
  GKEPROF_TEST_IMAGE       the image built from image/Dockerfile, where that cluster can pull it`;

/** Installs what is missing where that is possible, else says exactly what is missing. Returns the CNI plugins' folder. */
export async function ensurePackages(report: Report): Promise<string> {
  if (process.platform !== 'linux')
    throw new Error(`A cluster can only be started on Linux.\n${OWN_CLUSTER_HINT}`);
  if (process.getuid?.() !== 0)
    throw new Error(`A cluster can only be started by root.\n${OWN_CLUSTER_HINT}`);
  if (await isDebian()) await installMissing(report);
  const missing = [
    ...(await missingCommands()),
    ...((await cniFolder()) ? [] : [`CNI plugins (${CNI_PLUGINS})`]),
  ];
  if (missing.length > 0) {
    throw new Error(
      `Missing: ${missing.join(', ')}. Go has to be ${OLDEST_GO} or newer; the rest is in Debian's packages ` +
        `${DEBIAN_PACKAGES.join(' ')}, which are installed by themselves on Debian.\n${OWN_CLUSTER_HINT}`,
    );
  }
  return (await cniFolder())!;
}

async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID="?debian"?$/m.test(release) && (await exists('/usr/bin/dpkg-query'));
}

async function missingCommands(): Promise<string[]> {
  const found = await Promise.all(COMMANDS.map(isOnPath));
  return COMMANDS.filter((_, index) => !found[index]);
}

async function isOnPath(command: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return (await Promise.all(folders.map((folder) => exists(join(folder, command))))).some(Boolean);
}

async function cniFolder(): Promise<string | undefined> {
  for (const folder of CNI_FOLDERS) {
    const plugins = await Promise.all(CNI_PLUGINS.map((plugin) => exists(join(folder, plugin))));
    if (plugins.every(Boolean)) return folder;
  }
  return undefined;
}

async function installMissing(report: Report): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  report(`Debian packages: installing ${missing.join(' ')}`);
  await withoutStartingServices(async () => {
    const install = ['install', '--yes', '--no-install-recommends', ...missing];
    if ((await apt(install)).exitCode === 0) return;
    report('Debian packages: the lists are old, updating them');
    await apt(['update']);
    const { exitCode, all } = await apt(install);
    if (exitCode !== 0) throw new Error(`apt-get can't install ${missing.join(' ')}:\n${all}`);
  });
}

async function missingPackages(): Promise<string[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders
  const format = '${db:Status-Status} ${Package}\n';
  const { stdout } = await execa('dpkg-query', ['-W', '-f', format, ...DEBIAN_PACKAGES], { reject: false });
  const installed = new Set(stdout.split('\n'));
  return DEBIAN_PACKAGES.filter((name) => !installed.has(`installed ${name}`));
}

async function apt(args: readonly string[]) {
  return execa('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    stdin: 'ignore',
    all: true,
    reject: false,
  });
}

const POLICY = '/usr/sbin/policy-rc.d';
const REFUSE_SERVICES =
  '#!/bin/sh\n# kubectl-gkeprof test cluster: no service is started while packages are installed\nexit 101\n';

/** Debian asks this file before it starts a service that it has just installed. */
async function withoutStartingServices(work: () => Promise<void>): Promise<void> {
  const present = await readFile(POLICY, 'utf8').catch(() => undefined);
  if (present === undefined) await writeFile(POLICY, REFUSE_SERVICES, { mode: 0o755 });
  try {
    await work();
  } finally {
    // One of ours that was already there was left by a run that was killed.
    if (present === undefined || present === REFUSE_SERVICES) await rm(POLICY, { force: true });
  }
}
