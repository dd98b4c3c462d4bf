import type { Cluster } from './cluster.ts';
import type { Connection } from './connect.ts';

/**
 * The doors that a command has opened: one for each way to reach a cluster, however often it is asked for, so that a
 * credential plugin runs once.
 */
export class Doors {
  readonly #openOne: (connection: Connection, isFirst: boolean) => Promise<Cluster>;
  readonly #opened = new Map<string, Promise<Cluster>>();

  constructor(openOne: (connection: Connection, isFirst: boolean) => Promise<Cluster>) {
    this.#openOne = openOne;
  }

  open(connection: Connection): Promise<Cluster> {
    const key = JSON.stringify(Object.entries(connection).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#opened.get(key);
    if (known) return known;
    const opening = this.#openOne(connection, this.#opened.size === 0);
    this.#opened.set(key, opening);
    return opening;
  }

  async close(): Promise<void> {
    for (const opening of this.#opened.values())
      await opening.then((cluster) => cluster.close()).catch(() => {}); // Why it did not open was told.
  }
}
