import { readFile } from 'node:fs/promises';
import { clusterError, reasonOf } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { startKubectl } from './ask-kubectl.ts';
import { isTls } from './choose.ts';
import { type Connection, kubectlFlags, shownFlags } from './connection.ts';
import { type PluginCredential, runPlugin } from './exec-plugin.ts';
import type { Chosen, UserEntry } from './kubeconfig.ts';
import type { KubectlHome } from './kubectl-home.ts';
import { askedOf, readKubeconfig, refusedByKubectl } from './read-kubeconfig.ts';

/** What a request sends to authenticate the user. */
export interface Credentials {
  /** The value of the Authorization header. */
  readonly authorization?: string;
  readonly certificate?: Buffer | string;
  readonly key?: Buffer | string;
}

/** How long the content of a token file is used (client-go transport/token_source.go: one minute minus 10 s leeway). */
const TOKEN_FILE_MS = 50_000;

/**
 * The user's credentials, in kubectl's order of precedence. A plugin runs once, and again when its credential has expired
 * or was rejected. API calls and kubectl processes share the result.
 */
export class Login {
  readonly #chosen: Chosen;
  readonly #connection: Connection;
  readonly #home: KubectlHome;
  #plugin: Promise<PluginCredential> | undefined;
  #idToken: Promise<string> | undefined;
  #fromFile: { readonly token: string; readonly until: number } | undefined;
  #certificate: Promise<Pick<Credentials, 'certificate' | 'key'>> | undefined;

  constructor(chosen: Chosen, connection: Connection, home: KubectlHome) {
    this.#chosen = chosen;
    this.#connection = connection;
    this.#home = home;
  }

  /** Rejects where the user has no credentials. Like kubectl, this sends no credentials to a server without TLS. */
  async credentials(): Promise<Credentials> {
    if (!isTls(this.#chosen)) return {};
    const { user, userName } = this.#chosen;
    this.#certificate ??= certificateOf(user);
    const certificate = await this.#certificate;
    const token = await this.#configuredToken();
    if (token !== undefined) return { ...certificate, authorization: `Bearer ${token}` };
    if (user.username) {
      const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
      return { ...certificate, authorization: `Basic ${pair}` };
    }
    if (user['auth-provider'])
      return { ...certificate, authorization: `Bearer ${await this.#tokenOfProvider()}` };
    if (certificate.certificate) return certificate;
    if (!user.exec)
      throw clusterError(
        printable(`the user "${userName}" has no credentials in the kubeconfig`),
        'kubectl would ask for a user name and a password: log in first, or pass --token or --username and --password',
      );
    const given = await this.#tokenOfPlugin();
    return {
      ...(given.token && { authorization: `Bearer ${given.token}` }),
      ...(given.certificate && { certificate: given.certificate, key: given.key! }),
    };
  }

  /** The user entry for the private kubeconfig: the credential itself replaces the plugin or the auth provider. */
  async userEntry(): Promise<UserEntry> {
    const { exec, 'auth-provider': provider, ...rest } = this.#chosen.user;
    const asked = await this.credentials();
    if (!exec && !provider) return rest;
    if (!isTls(this.#chosen) || rest.token || rest.tokenFile || rest.username) return rest;
    if (exec && (rest['client-certificate'] || rest['client-certificate-data'])) return rest;
    return {
      ...rest,
      ...(asked.authorization && { token: asked.authorization.replace(/^Bearer /, '') }),
      ...(exec &&
        asked.certificate && {
          'client-certificate-data': Buffer.from(asked.certificate).toString('base64'),
          'client-key-data': Buffer.from(asked.key!).toString('base64'),
        }),
    };
  }

  /** Call this when the server rejected the credentials: the next request gets new ones. */
  refused(): void {
    this.#plugin = undefined;
  }

  async #configuredToken(): Promise<string | undefined> {
    const { token, tokenFile } = this.#chosen.user;
    if (!tokenFile) return token || undefined;
    if (this.#fromFile && Date.now() < this.#fromFile.until) return this.#fromFile.token;
    try {
      const read = (await readFile(tokenFile, 'utf8')).trim();
      if (read === '') throw new Error(`read empty token from file "${tokenFile}"`);
      this.#fromFile = { token: read, until: Date.now() + TOKEN_FILE_MS };
      return read;
    } catch (error) {
      // As in client-go, the token that was read before, or that is set beside the file, stays valid.
      const before = this.#fromFile?.token ?? token;
      if (before) return before;
      throw clusterError(printable(reasonOf(error)), "check the user's tokenFile in the kubeconfig", error);
    }
  }

  async #tokenOfPlugin(): Promise<PluginCredential> {
    const known = this.#plugin;
    const given = await known;
    if (given && (given.expires === undefined || given.expires > Date.now())) return given;
    // If several calls find the credential expired, only the first runs the plugin. A failure is not kept.
    if (this.#plugin === known)
      this.#plugin = runPlugin(this.#chosen, this.#home).catch((error: unknown) => {
        this.#plugin = undefined;
        throw error;
      });
    return this.#plugin!;
  }

  /**
   * The token of an OpenID provider. An expired token is refreshed by kubectl, which writes the new one to the kubeconfig:
   * a refresh token may be valid only once, so the user's next command needs the new one there.
   */
  async #tokenOfProvider(): Promise<string> {
    const known = this.#idToken;
    const token = await known;
    if (token !== undefined && isValid(token)) return token;
    const configured = known === undefined ? idTokenOf(this.#chosen.user) : undefined;
    if (this.#idToken === known)
      this.#idToken =
        configured !== undefined && isValid(configured)
          ? Promise.resolve(configured)
          : this.#refreshed().catch((error: unknown) => {
              this.#idToken = undefined;
              throw error;
            });
    return this.#idToken!;
  }

  async #refreshed(): Promise<string> {
    const words = ['get', '--raw', '/version'];
    const asked = startKubectl([...kubectlFlags(this.#connection), ...words], this.#home);
    const shown = [...shownFlags(this.#connection), ...words];
    const { status, stderr } = await askedOf(shown, this.#home, asked);
    const { ahead: _, ...home } = this.#home; // The configuration that was read ahead has the expired token.
    const { user } = await readKubeconfig(this.#connection, home);
    const token = idTokenOf(user);
    if (token !== undefined && isValid(token)) return token;
    if (status !== 0) throw refusedByKubectl(stderr, 'log in again: kubectl could not log in either');
    throw clusterError(
      printable(`the auth provider "${user['auth-provider']?.name}" is not supported`),
      'use a credential plugin (users[].user.exec) or --token',
    );
  }
}

const idTokenOf = ({ 'auth-provider': provider }: UserEntry): string | undefined =>
  (provider?.name === 'oidc' && provider.config?.['id-token']) || undefined;

/** A token counts as expired ten seconds early, as in client-go (plugin/pkg/client/auth/oidc/oidc.go). */
function isValid(idToken: string): boolean {
  try {
    const payload = Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString('utf8');
    const { exp } = JSON.parse(payload) as { exp?: number };
    return Number(exp) * 1000 > Date.now() + 10_000;
  } catch {
    return false;
  }
}

async function certificateOf(user: UserEntry): Promise<Pick<Credentials, 'certificate' | 'key'>> {
  const certificate = await bytesOf(user['client-certificate-data'], user['client-certificate']);
  if (!certificate) return {};
  const key = await bytesOf(user['client-key-data'], user['client-key']);
  return { certificate, ...(key && { key }) };
}

/** The data of the kubeconfig, which takes precedence, or the content of the file. */
export async function bytesOf(
  data: string | undefined,
  path: string | undefined,
): Promise<Buffer | undefined> {
  if (data) return Buffer.from(data, 'base64');
  return path ? readFile(path) : undefined;
}
