import { type Combined, type CombineInput, combine } from '../../../src/packets/combine/combine.ts';
import type { PodInterface } from '../../../src/packets/combine/pod-interface.ts';

export const podOf = (given: Partial<PodInterface> = {}): PodInterface => ({
  node: 'node-a',
  namespace: 'shop',
  pod: 'web-0',
  ips: ['10.1.0.1'],
  interface: 'any',
  scope: 'netns',
  filter: '',
  ...given,
});

/** A file as a stream, in pieces of one memory that is written over, as files are read. */
export async function* streamed(file: Uint8Array, size = 1 << 16): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(size);
  for (let at = 0; at < file.length; at += size) {
    await Promise.resolve();
    memory.fill(0x58);
    memory.set(file.subarray(at, at + size));
    yield memory.subarray(0, Math.min(size, file.length - at));
  }
}

export interface Made extends Combined {
  readonly file: Buffer;
}

/** Combines files that are read in pieces of `size` bytes. */
export async function combined(
  pods: ReadonlyArray<readonly [pod: Partial<PodInterface>, file: Uint8Array]>,
  size?: number,
): Promise<Made> {
  const inputs: CombineInput[] = pods.map(([pod, file]) => ({ ...podOf(pod), chunks: streamed(file, size) }));
  const parts: Buffer[] = [];
  const made = await combine(inputs, 'gkeprof', async (bytes) => {
    await Promise.resolve();
    parts.push(Buffer.from(bytes));
  });
  return { ...made, file: Buffer.concat(parts) };
}

/** Numbers that look random, the same each time. */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
