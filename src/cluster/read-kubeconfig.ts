import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve as resolvePath, sep } from 'node:path';
import { clusterError, type GkeprofError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { quoteFor } from '../text/shell-quote.ts';
import { startKubectl, viewWords } from './ask-kubectl.ts';
import { choose } from './choose.ts';
import type { Connection } from './connection.ts';
import { inCluster, isPlainDefault } from './in-cluster.ts';
import type { Chosen, ClusterEntry, Kubeconfig, UserEntry } from './kubeconfig.ts';
import { problemsOf } from './kubeconfig-problems.ts';
import { type KubectlHome, type KubectlOutput, type KubectlQuestion, NOT_INSTALLED } from './kubectl-home.ts';

/** Lets kubectl read the configuration, and chooses the cluster and the user by kubectl's rules. */
export async function readKubeconfig(connection: Connection, home: KubectlHome): Promise<Chosen> {
  const explicit = connection.kubeconfig || undefined;
  if (explicit !== undefined && !existsSync(explicit))
    throw clusterError(
      `stat ${printable(explicit)}: no such file or directory`,
      'check --kubeconfig: the file is not there',
    );
  const config = await view(explicit, home);
  const chosen = choose(config, connection, home.env);
  const bases = {
    cluster: hasRelativePath(chosen.cluster)
      ? await baseOf('clusters', chosen.clusterName, explicit, home)
      : '',
    user: hasRelativePath(chosen.user) ? await baseOf('users', chosen.userName, explicit, home) : '',
  };
  const flags = pathsOfFlags(connection);
  const absolute: Chosen = {
    ...chosen,
    cluster: { ...withAbsolutePaths(chosen.cluster, bases.cluster), ...flags.cluster },
    user: { ...withAbsolutePaths(chosen.user, bases.user), ...flags.user },
  };
  const problems = [...problemsOf(absolute, config)];
  if (problems.length > 0)
    throw clusterError(
      printable(`invalid configuration: ${problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`}`),
      'kubectl rejects this configuration too: check it with `kubectl config view`',
    );
  return isPlainDefault(absolute, connection, home.env)
    ? inCluster(absolute, connection, home.env)
    : absolute;
}

async function view(path: string | undefined, home: KubectlHome): Promise<Kubeconfig> {
  const words = viewWords(path);
  const ahead = home.ahead?.kubeconfig === path ? home.ahead : undefined;
  const { status, stdout, stderr } = await askedOf(words, home, ahead);
  if (status !== 0) throw refusedByKubectl(stderr);
  return JSON.parse(stdout) as Kubeconfig;
}

/** Starts kubectl, unless `asked` is already running, and waits for its output. Traces the command line (-v). */
export async function askedOf(
  words: readonly string[],
  home: KubectlHome,
  asked: KubectlQuestion = startKubectl(words, home),
): Promise<KubectlOutput> {
  home.trace?.(['kubectl', ...words].map(quoteFor(home.windows)).join(' '));
  try {
    return await asked.output;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? clusterError(...NOT_INSTALLED) : error;
  }
}

/** An error with the message that kubectl printed. */
export const refusedByKubectl = (stderr: string, hint?: string): GkeprofError =>
  clusterError(
    printable(
      stderr
        .trim()
        .split('\n')
        .filter((line) => !/^[WIE]\d{4} /.test(line))
        .join(' ')
        .replace(/^error: /, '') || 'kubectl failed without an error message',
    ),
    hint ?? 'this is the error of kubectl: check --kubeconfig and KUBECONFIG',
  );

const CLUSTER_PATHS = ['certificate-authority'] as const;
const USER_PATHS = ['client-certificate', 'client-key', 'tokenFile'] as const;

const isRelative = (path: string | undefined): boolean => !!path && !isAbsolute(path);
/** A command with a separator is a path; any other is searched on PATH. */
const isPath = (command: string | undefined): boolean => command?.includes(sep) === true;

function hasRelativePath(entry: ClusterEntry & UserEntry): boolean {
  const { exec } = entry;
  return (
    [...CLUSTER_PATHS, ...USER_PATHS].some((field) => isRelative(entry[field])) ||
    (isPath(exec?.command) && isRelative(exec?.command))
  );
}

function withAbsolutePaths<Entry extends ClusterEntry & UserEntry>(entry: Entry, base: string): Entry {
  const paths = [...CLUSTER_PATHS, ...USER_PATHS].flatMap((field) =>
    entry[field] ? [[field, resolvePath(base, entry[field])]] : [],
  );
  const { exec } = entry;
  return {
    ...entry,
    ...Object.fromEntries(paths),
    ...(exec && isPath(exec.command) && { exec: { ...exec, command: resolvePath(base, exec.command!) } }),
  };
}

/** Paths in flags are relative to the working directory. */
const pathsOfFlags = ({ certificateAuthority, clientCertificate, clientKey }: Connection) => ({
  cluster: {
    ...(certificateAuthority && { 'certificate-authority': resolvePath(certificateAuthority) }),
  },
  user: {
    ...(clientCertificate && { 'client-certificate': resolvePath(clientCertificate) }),
    ...(clientKey && { 'client-key': resolvePath(clientKey) }),
  },
});

/** The folder of the file that defines an entry: among several files, kubectl takes the first with that name. */
async function baseOf(
  list: 'clusters' | 'users',
  name: string,
  explicit: string | undefined,
  home: KubectlHome,
): Promise<string> {
  const { env } = home;
  const listed = [...new Set((env.KUBECONFIG ?? '').split(delimiter).filter(Boolean))];
  const standard = join(env.HOME || env.USERPROFILE || homedir(), '.kube', 'config');
  const files = explicit !== undefined ? [explicit] : env.KUBECONFIG ? listed : [standard];
  const present = files.filter((path) => existsSync(path));
  for (const path of present.slice(0, -1))
    if ((await view(path, home))[list]?.some((entry) => entry.name === name))
      return resolvePath(dirname(path));
  return resolvePath(dirname(present.at(-1) ?? '.'));
}
