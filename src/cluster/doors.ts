import type { Cluster } from './cluster.ts';
import type { Connection } from './connection.ts';

/**
 * The doors that a command has opened: one for each way to reach a cluster, however often it is asked for, so that a
 * credential plugin runs once.
 */
export class Doors {
  readonly #openOne: (connection: Connection, isFirst: boolean) => Promise<Cluster>;
  readonly #asked = new Map<string, Promise<Cluster>>();
  readonly #open: Cluster[] = [];

  constructor(openOne: (connection: Connection, isFirst: boolean) => Promise<Cluster>) {
    this.#openOne = openOne;
  }

  open(connection: Connection): Promise<Cluster> {
    const key = JSON.stringify(Object.entries(connection).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#asked.get(key);
    if (known) return known;
    const opening = this.#openOne(connection, this.#asked.size === 0).then((cluster) => {
      this.#open.push(cluster);
      return cluster;
    });
    this.#asked.set(key, opening);
    return opening;
  }

  /** Closes those that did open; one that still waits, for a plugin perhaps, has nothing to close yet. */
  async close(): Promise<void> {
    await Promise.all(this.#open.map((cluster) => cluster.close()));
  }
}
