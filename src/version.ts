import { asset } from './assets.ts';

/** The release, as package.json names it. */
export const toolVersion = (): string => (JSON.parse(asset('package.json')) as { version: string }).version;

/** From what a bundle was made. */
export interface Build {
  /** The commit of the sources. */
  readonly commit: string;
  /** When that commit was made, ISO 8601 in UTC. */
  readonly date: string;
  /** Whether tracked files differed from that commit. */
  readonly modified: boolean;
}

/** Put in by scripts/bundle/bundle.ts; not there in the sources. */
declare const GKEPROF_BUILD: Build | undefined;

/** From what this program was made; undefined for the sources themselves, and for a bundle that was made without git. */
export const build = (): Build | undefined =>
  typeof GKEPROF_BUILD === 'undefined' ? undefined : GKEPROF_BUILD;

/** What runs the program. */
export interface Engine {
  /** The version of Node, such as `26.10.0`. */
  readonly node: string;
  /** The system and the processor in Node's words, such as `linux/x64`. */
  readonly platform: string;
}

/** The minor release of Kubernetes that the tests run on. */
export const TESTED_KUBERNETES = '1.34';

/**
 * The versions of what the tool prints and writes for programs, by the names of docs/schemas. A version grows when a
 * field is removed or gets another meaning; new fields do not change it.
 */
export const SCHEMA_VERSIONS = {
  analyze: 1,
  'combined-receipt': 1,
  config: 1,
  diff: 1,
  doctor: 1,
  flamegraph: 1,
  image: 1,
  nodes: 1,
  pcap: 1,
  ps: 1,
  receipt: 1,
  render: 1,
  sessions: 1,
  verify: 1,
  version: 1,
  waits: 1,
  whois: 1,
} as const;
