import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { isTls } from './choose.ts';
import { type Connection, commonFlags } from './connection.ts';
import type { Chosen } from './kubeconfig.ts';
import type { Login } from './login.ts';

const PREFIX = 'gkeprof-login-';
const LONGEST_MS = 7 * 86_400_000;

/**
 * The kubeconfig that children of kubectl get: the one cluster and the one user that were chosen, so that they cannot come
 * to another answer than we did, with the credentials that a plugin gave, so that it is not asked again. In a folder that
 * nobody else may enter, for as long as the command runs; a secret is never an argument, which all users could read.
 */
export class PrivateKubeconfig {
  readonly #chosen: Chosen;
  readonly #connection: Connection;
  readonly #login: Login;
  #folder: Promise<string> | undefined;
  #written: { readonly text: string; readonly done: Promise<void> } | undefined;

  constructor(chosen: Chosen, connection: Connection, login: Login) {
    this.#chosen = chosen;
    this.#connection = connection;
    this.#login = login;
  }

  /** The flags for a child that starts now. */
  async flags(): Promise<readonly string[]> {
    const text = JSON.stringify(await this.#content());
    this.#folder ??= newFolder();
    const folder = await this.#folder;
    const path = join(folder, 'kubeconfig');
    if (this.#written?.text !== text) this.#written = { text, done: replaced(path, text) };
    await this.#written.done;
    return [`--kubeconfig=${path}`, ...commonFlags(this.#connection)];
  }

  async close(): Promise<void> {
    const folder = await this.#folder?.catch(() => undefined);
    // What cannot be removed now, a later command sweeps; the result of this one stands.
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {});
  }

  async #content(): Promise<object> {
    const { cluster, namespace, server } = this.#chosen;
    const { extensions: _, ...entry } = cluster;
    // Without TLS kubectl reads no authority and sends no credentials; it would still look for the files.
    const user = await this.#login.userEntry();
    const name = 'gkeprof';
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { ...entry, server } }],
      users: [{ name, user: isTls(this.#chosen) ? user : impersonationOf(user) }],
      contexts: [{ name, context: { cluster: name, user: name, namespace } }],
      'current-context': name,
    };
  }
}

const impersonationOf = (user: object): object =>
  Object.fromEntries(Object.entries(user).filter(([field]) => field.startsWith('as')));

let written = 0;

/** Whole or not at all: another child may be reading it. */
async function replaced(path: string, text: string): Promise<void> {
  written += 1;
  const part = `${path}.${written}`;
  await writeFile(part, text, { mode: 0o600, flag: 'wx' });
  await rename(part, path);
}

/** Of mode 0700. */
async function newFolder(): Promise<string> {
  void sweep().catch(() => {});
  return mkdtemp(join(tmpdir(), PREFIX)).catch((error: unknown) => {
    throw new GkeprofError(
      EXIT.failed,
      `no folder for the login of kubectl can be made: ${reasonOf(error).replace(/, mkdtemp .*/, '')}`,
      'make room there, or name another folder with TMPDIR',
      error,
    );
  });
}

/** Removes what commands left that were killed: no command takes as long. */
async function sweep(): Promise<void> {
  const { uid: own } = userInfo();
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const { mtimeMs, uid } = await stat(folder);
    // Windows has no such numbers, and a folder for each user.
    if ((own < 0 || uid === own) && Date.now() - mtimeMs > LONGEST_MS)
      await rm(folder, { recursive: true, force: true });
  }
}
