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
 * The kubeconfig for kubectl processes. It holds only the chosen cluster and user, so that kubectl cannot choose others,
 * and the plugin's credential, so that the plugin does not run again. It lies in a folder that only this user can enter,
 * and is removed when the command ends. Secrets are never passed as arguments, because every user can read those.
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
    // A later command sweeps a folder that cannot be removed now; the result of this command stays valid.
    if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => {});
  }

  async #content(): Promise<object> {
    const { cluster, namespace, server } = this.#chosen;
    const { extensions: _, ...entry } = cluster;
    // Without TLS kubectl uses no credentials, but it would still fail if their files were missing.
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

/** Replaces the file atomically, because another kubectl process may be reading it. */
async function replaced(path: string, text: string): Promise<void> {
  written += 1;
  const part = `${path}.${written}`;
  await writeFile(part, text, { mode: 0o600, flag: 'wx' });
  await rename(part, path);
}

/** A new folder of mode 0700. */
async function newFolder(): Promise<string> {
  void sweep().catch(() => {});
  return mkdtemp(join(tmpdir(), PREFIX)).catch((error: unknown) => {
    throw new GkeprofError(
      EXIT.failed,
      `the temporary folder for kubectl's credentials could not be created: ${reasonOf(error).replace(/, mkdtemp .*/, '')}`,
      'free some disk space, or set TMPDIR to another folder',
      error,
    );
  });
}

/** Removes folders of commands that were killed: no command runs as long as LONGEST_MS. */
async function sweep(): Promise<void> {
  const { uid: own } = userInfo();
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const { mtimeMs, uid } = await stat(folder);
    // Windows has no user ids, but each user has a temporary folder there.
    if ((own < 0 || uid === own) && Date.now() - mtimeMs > LONGEST_MS)
      await rm(folder, { recursive: true, force: true });
  }
}
