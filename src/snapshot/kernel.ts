import type { Snapshot } from './snapshot.ts';

/** What decides whether the kernel lets programs be profiled: also from the snapshot's `probe` part. */
export interface KernelFacts {
  /** Whether the kernel describes its own types (BTF), which programs for eBPF need. */
  readonly btf: boolean;
  /** The sysctls of this name below `kernel.`; undefined where the kernel does not have them. */
  readonly kptrRestrict?: number;
  readonly perfEventParanoid?: number;
}

export function kernelOf({ lines }: Pick<Snapshot, 'lines'>): KernelFacts {
  const sysctl = (name: string): number | undefined => {
    const text = lines.get(`/proc/sys/kernel/${name}`)?.[0];
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  };
  const kptrRestrict = sysctl('kptr_restrict');
  const perfEventParanoid = sysctl('perf_event_paranoid');
  return {
    btf: lines.get('btf')?.[0] === 'yes',
    ...(kptrRestrict !== undefined && { kptrRestrict }),
    ...(perfEventParanoid !== undefined && { perfEventParanoid }),
  };
}
