import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, sep } from 'node:path';
import { isatty } from 'node:tty';
import { clusterError, EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { Chosen, ExecEntry } from './kubeconfig.ts';
import type { KubectlHome } from './kubectl-home.ts';

/** The credential that a plugin returned. */
export interface PluginCredential {
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Milliseconds since the epoch; undefined for a credential that does not expire. */
  readonly expires?: number;
}

const VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** The name of the cluster extension that client-go passes to credential plugins. */
const CLUSTER_CONFIG = 'client.authentication.k8s.io/exec';

const failed = (reason: string, hint?: string): GkeprofError =>
  clusterError(
    onOneLine(`getting credentials: ${reason}`),
    onOneLine(hint ?? '') || 'kubectl fails in the same way: check the user entry in the kubeconfig',
  );

/** What a kubeconfig or a plugin says may be broken into lines, which stand beside each other here. */
const onOneLine = (text: string): string => printable(text.trim().replaceAll(/\s+/g, ' '));

/**
 * Runs a credential plugin as client-go does (plugin/pkg/client/auth/exec/exec.go): the plugin may prompt on the user's
 * terminal, and prints the credential to its stdout.
 */
export async function runPlugin(chosen: Chosen, home: KubectlHome): Promise<PluginCredential> {
  const exec = chosen.user.exec!;
  const { apiVersion = '', command = '' } = exec;
  if (!VERSIONS.includes(apiVersion))
    throw clusterError(
      printable(`exec plugin: invalid apiVersion "${apiVersion}"`),
      `kubectl supports ${VERSIONS.join(' and ')}: check the user entry in the kubeconfig`,
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
  configured?.trim() || 'the kubeconfig uses this credential plugin: install it, or log in another way';

/** Searches PATH as Go does: the PATH of this process, not one that is set for the plugin, and absolute folders only. */
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
    // A plugin that hangs must not outlive this process, and a signal to this process alone does not reach it.
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

/** The server's URL as client-go passes it to plugins: unchanged, but without the query where it has a path. */
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
  if (answer?.kind !== 'ExecCredential')
    throw failed('decoding stdout: the plugin did not print an ExecCredential');
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
  if (Number.isNaN(expires))
    throw failed(`decoding stdout: invalid expirationTimestamp "${expirationTimestamp}"`);
  return {
    ...(token && { token }),
    ...(certificate && { certificate, key: key! }),
    ...(expires !== undefined && { expires }),
  };
}
