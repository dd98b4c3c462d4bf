import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, sep } from 'node:path';
import { isatty } from 'node:tty';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { Chosen, ExecEntry } from './kubeconfig.ts';
import type { KubectlHome } from './kubectl-home.ts';

/** What a credential plugin gave. */
export interface PluginCredential {
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Milliseconds since the epoch; undefined where it does not expire. */
  readonly expires?: number;
}

const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** The extension of a cluster that is handed to its users' plugins. */
const CLUSTER_CONFIG = 'client.authentication.k8s.io/exec';

const failed = (reason: string, hint?: string): GkeprofError =>
  clusterError(
    onOneLine(`getting credentials: ${reason}`),
    onOneLine(hint ?? '') || 'kubectl refuses it too: check the user in the kubeconfig',
  );

/** What a kubeconfig or a plugin says may be broken into lines, which stand beside each other here. */
const onOneLine = (text: string): string => printable(text.trim().replaceAll(/\s+/g, ' '));

/**
 * Runs a credential plugin as client-go does (plugin/pkg/client/auth/exec/exec.go): its questions go to the user's
 * terminal, its answer is read from its stdout.
 */
export async function runPlugin(chosen: Chosen, home: KubectlHome): Promise<PluginCredential> {
  const exec = chosen.user.exec!;
  const { apiVersion = '', command = '' } = exec;
  if (!VERSIONS.includes(apiVersion))
    throw clusterError(
      printable(`exec plugin: invalid apiVersion "${apiVersion}"`),
      `kubectl takes ${VERSIONS.join(' and ')}`,
    );
  const isInteractive = mayAsk(exec);
  const program = command.includes(sep) ? command : findProgram(command, home);
  if (program === undefined) throw failed(`exec: executable ${command} not found`, installHint(exec));
  const info = {
    kind: 'ExecCredential',
    apiVersion,
    spec: { ...(exec.provideClusterInfo && { cluster: clusterInfo(chosen) }), interactive: isInteractive },
  };
  home.trace?.(`credential plugin ${command}`);
  const began = Date.now();
  const env = {
    ...home.env,
    ...Object.fromEntries((exec.env ?? []).map(({ name, value }) => [name, value])),
    KUBERNETES_EXEC_INFO: JSON.stringify(info),
  };
  const text = await output(program, exec, isInteractive, env, home.onExit);
  home.trace?.(`credential plugin ${command} ended in ${Date.now() - began} ms`, 2);
  return credentialOf(text, apiVersion);
}

function mayAsk({ interactiveMode }: ExecEntry): boolean {
  if (interactiveMode === 'Never') return false;
  if (isatty(0)) return true;
  if (interactiveMode === 'Always')
    throw failed('exec plugin cannot support interactive mode: standard input is not a terminal');
  return false;
}

const installHint = ({ installHint: configured }: ExecEntry): string =>
  configured?.trim() ||
  'it is the credential plugin that the kubeconfig names: install it, or log in another way';

/** Go looks on its own PATH, not on one that is set for the plugin, and takes nothing from the working directory. */
function findProgram(command: string, { env, windows }: KubectlHome): string | undefined {
  if (windows) return command;
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return folders
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

function output(
  program: string,
  exec: ExecEntry,
  isInteractive: boolean,
  env: Readonly<Record<string, string | undefined>>,
  onExit: KubectlHome['onExit'],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, exec.args ?? [], {
      env: env as NodeJS.ProcessEnv,
      stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
    });
    // One that hangs must not outlive us: a signal to us alone does not reach it.
    onExit?.(() => void child.kill('SIGKILL'));
    const chunks: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = { ENOENT: 'no such file or directory', EACCES: 'permission denied' }[code ?? ''];
      reject(failed(`exec: ${why ? `fork/exec ${program}: ${why}` : message}`, installHint(exec)));
    });
    child.on('close', (status, signal) =>
      status === 0
        ? resolve(Buffer.concat(chunks).toString('utf8'))
        : signal === 'SIGINT'
          ? reject(new GkeprofError(EXIT.interrupted, 'interrupted while the credential plugin was running'))
          : reject(failed(`exec: executable ${exec.command} failed with exit code ${status ?? -1}`)),
    );
  });
}

function clusterInfo({ cluster }: Chosen): Record<string, unknown> {
  const path = cluster['certificate-authority'];
  const authority =
    cluster['certificate-authority-data'] ?? (path ? readFileSync(path).toString('base64') : undefined);
  const config = cluster.extensions?.find(({ name }) => name === CLUSTER_CONFIG)?.extension;
  return {
    server: hostOfGo(cluster.server),
    ...(cluster['tls-server-name'] && { 'tls-server-name': cluster['tls-server-name'] }),
    ...(cluster['insecure-skip-tls-verify'] && { 'insecure-skip-tls-verify': true }),
    ...(authority && { 'certificate-authority-data': authority }),
    ...(cluster['proxy-url'] && { 'proxy-url': cluster['proxy-url'] }),
    ...(cluster['disable-compression'] && { 'disable-compression': true }),
    config: config ?? null,
  };
}

/** The server as client-go hands it on: as it is written, but without a query where it has a path. */
function hostOfGo(server: string): string {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  return url && url.pathname.length > 1 ? server.replace(/[?#].*$/s, '') : server;
}

interface ExecCredential {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly status?: {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
    readonly expirationTimestamp?: string | null;
  } | null;
}

function credentialOf(text: string, apiVersion: string): PluginCredential {
  let answer: ExecCredential;
  try {
    answer = JSON.parse(text) as ExecCredential;
  } catch (error) {
    throw failed(`decoding stdout: ${reasonOf(error)}`);
  }
  if (answer?.kind !== 'ExecCredential') throw failed('decoding stdout: it is no ExecCredential');
  if (answer.apiVersion !== apiVersion)
    throw failed(
      `exec plugin is configured to use API version ${apiVersion}, plugin returned version ${answer.apiVersion}`,
    );
  if (!answer.status) throw failed("exec plugin didn't return a status field");
  const {
    token,
    clientCertificateData: certificate,
    clientKeyData: key,
    expirationTimestamp,
  } = answer.status;
  if (!token && !certificate && !key) throw failed("exec plugin didn't return a token or cert/key pair");
  if (!certificate !== !key) throw failed('exec plugin returned only certificate or key, not both');
  const expires = expirationTimestamp ? Date.parse(expirationTimestamp) : undefined;
  if (Number.isNaN(expires)) throw failed(`decoding stdout: "${expirationTimestamp}" is no time`);
  return {
    ...(token && { token }),
    ...(certificate && { certificate, key: key! }),
    ...(expires !== undefined && { expires }),
  };
}
