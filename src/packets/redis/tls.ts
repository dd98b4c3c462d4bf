import type { ConnectionEnds } from './recorder.ts';

/** A port with TLS, and its connections. */
export interface TlsPort {
  readonly address: number;
  readonly six: boolean;
  readonly port: number;
  /** Whether it is a port that Redis normally uses. */
  readonly ofRedis: boolean;
  connections: number;
}

/** At most this many ports are counted separately. */
const MOST = 10_000;

/** The ports on which TLS was seen. */
export class TlsPorts {
  readonly #ports = new Map<string, TlsPort>();

  add({ server: address, serverPort: port, six }: ConnectionEnds, ofRedis: boolean): void {
    const key = `${six} ${address} ${port}`;
    const known = this.#ports.get(key);
    if (known) known.connections += 1;
    else if (this.#ports.size < MOST) this.#ports.set(key, { address, six, port, ofRedis, connections: 1 });
  }

  /** Those of Redis first, then those with the most connections. */
  get all(): readonly TlsPort[] {
    return [...this.#ports.values()].sort(
      (one, other) => Number(other.ofRedis) - Number(one.ofRedis) || other.connections - one.connections,
    );
  }
}
