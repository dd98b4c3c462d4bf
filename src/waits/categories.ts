import type { Look } from './recording-line.ts';

/** What a thread does with its time, in the order of tables and pictures. */
export const CATEGORIES = [
  'running',
  'throttled',
  'queued',
  'network',
  'lock',
  'condition',
  'disk',
  'sleep',
  'idle',
  'stopped',
  'other',
] as const;

export type Category = (typeof CATEGORIES)[number];

/** The place of a category in arrays of figures. */
export const placeOfCategory = (category: Category): number => CATEGORIES.indexOf(category);

/** What each category means, for legends and for the documentation. */
export const CATEGORY_MEANING: Readonly<Record<Category, string>> = {
  running: 'on a CPU',
  throttled: 'ready to run, but stopped by a CPU limit',
  queued: 'ready to run, but another thread had the CPU',
  network: 'waiting for a connection on which a request is outstanding',
  lock: 'waiting for a lock that another thread holds',
  condition: 'waiting for a signal of another thread: condition variables, semaphores, idle thread pools',
  disk: 'waiting for a file or a block device',
  sleep: 'sleeping for a time of its own choice',
  idle: 'waiting for work: no request of its own is outstanding',
  stopped: 'stopped by a signal or a debugger',
  other: 'waiting for something else, or not known',
};

/** The other side of a connection. */
export interface Peer {
  readonly protocol: string;
  /** `out`: the pod connected to the peer. `in`: the peer connected to the pod. */
  readonly direction: string;
  /** Without brackets; undefined where it is not known. */
  readonly address: string | undefined;
  /** Of an outgoing connection the peer's port, of an incoming one the port of the pod. */
  readonly port: number | undefined;
}

/** What a thread waits for. */
export interface Wait {
  readonly category: Category;
  readonly peer?: Peer;
  /** A file's path, the address of a lock, or what else is known, such as `pipe`. */
  readonly what?: string;
}

/** Waits that are the same have the same key. */
export function waitKey(wait: Wait): string {
  let key = KEYS.get(wait);
  if (key === undefined) {
    const { category, peer, what } = wait;
    const of = peer ? [peer.protocol, peer.direction, peer.address, peer.port] : [];
    key = [category, what ?? '', ...of].join('\0');
    KEYS.set(wait, key);
  }
  return key;
}

/** A recording has few different waits, and asks for the key of each at every look. */
const KEYS = new WeakMap<Wait, string>();

/** Whether a thread in this state of /proc/PID/stat runs or would run if it had a CPU. */
export const isRunnable = (state: string): boolean => state === 'R';

/** The names of sockets and files that a recording numbers. */
export interface Objects {
  readonly peers: ReadonlyMap<number, Peer>;
  readonly files: ReadonlyMap<number, string>;
}

/** What a thread waits for by one look; each of several for an equal part. Empty for a thread that is runnable. */
export function waitsOf({ state, wchan, object }: Look, objects: Objects): readonly Wait[] {
  if (isRunnable(state)) return [];
  if (state === 'T' || state === 't') return [{ category: 'stopped' }];
  if (state === 'Z' || state === 'X' || state === 'x') return [{ category: 'other', what: 'ended' }];
  const [, kind = '', rest = ''] = /^([a-z]+)(?::(.*))?$/s.exec(object ?? '') ?? [];
  const kernel = wchan === undefined ? {} : { what: `kernel: ${wchan}` };
  if (kind === 'f') return [{ category: 'disk', ...fileOf(rest, objects) }];
  if (state === 'D' && wchan === 'kernel_clone')
    return [{ category: 'other', what: 'the start of a child process' }];
  if (state === 'D') return [{ category: 'disk', ...kernel }];
  switch (kind) {
    case 'idle':
      return [{ category: 'idle' }];
    case 'timer':
      return [{ category: 'sleep' }];
    case 's':
      return connections(rest, objects.peers);
    case 'socket':
      return [{ category: 'network' }];
    case 'unix':
      return [{ category: 'network', what: /^\d*$/.test(rest) ? 'a Unix socket' : `Unix socket ${rest}` }];
    case 'futex':
      return [futexWait(rest)];
    case 'flock':
      return [{ category: 'lock', ...fileOf(rest, objects) }];
    case '':
      return [{ category: 'other', ...kernel }];
    case 'other':
      return [{ category: 'other', what: rest }];
    default:
      // The number of a pipe says nothing to people, and would make a row of each.
      return [{ category: 'other', what: kind === 'child' ? 'a child process' : `a ${kind}` }];
  }
}

function fileOf(number: string, { files }: Objects): { readonly what?: string } {
  const path = files.get(Number(number));
  return path === undefined ? {} : { what: path };
}

/** By the address and the kind of a futex: `7f00:lock`. */
function futexWait(text: string): Wait {
  const [address = '-', kind] = text.split(':');
  const what = address === '-' ? {} : { what: `0x${address.replace(/^0x/, '')}` };
  return { category: kind === 'cond' ? 'condition' : 'lock', ...what };
}

function connections(numbers: string, peers: ReadonlyMap<number, Peer>): Wait[] {
  const waits = new Map<string, Wait>();
  for (const number of numbers.split(',')) {
    const peer = peers.get(Number(number.replace(/^s:/, '')));
    const wait: Wait = { category: 'network', ...(peer && { peer }) };
    waits.set(waitKey(wait), wait);
  }
  return [...waits.values()];
}

/** The other side of a connection, by the addresses of both of its ends. */
export function peerOf(protocol: string, direction: string, local: string, remote: string | undefined): Peer {
  const [there, here] = [splitEnd(remote ?? ''), splitEnd(local)];
  const port = direction === 'in' ? here.port : there.port;
  return { protocol, direction, address: there.address, port };
}

/** `10.0.0.1:80` and `[fd00::1]:80` in their parts; an IPv4 address within IPv6 as IPv4. */
function splitEnd(end: string): { readonly address?: string; readonly port?: number } {
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/s.exec(end) ?? [];
  if (address === undefined || address === '') return {};
  return { address: address.replace(/^::ffff:(?=\d+\.)/i, ''), port: Number(port) };
}
