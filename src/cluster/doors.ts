import type { Cluster } from './cluster.ts';
import type { Connection } from './connection.ts';

/**
 * The cluster connections of a command. Connections with equal flags are opened once, so that a credential plugin runs
 * once.
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

  /** Closes the connections that were opened. One that is still opening, for example at a plugin, has nothing to close. */
  async close(): Promise<void> {
    await Promise.all(this.#open.map((cluster) => cluster.close()));
  }
}
