import { readFile } from 'node:fs/promises';
import type { AddressNames } from '../packets/print/facts.ts';
import type { Receipt } from '../session/receipt.ts';

/** The names of addresses that the receipts beside our captures tell: those of the pod that was captured. */
export async function namesBeside(files: readonly string[]): Promise<AddressNames> {
  const names = new Map<string, string>();
  for (const file of files) {
    const base = /^(.*)\.pcap(?:\.gz)?$/.exec(file)?.[1];
    if (base === undefined) continue;
    const text = await readFile(`${base}.receipt.json`, 'utf8').catch(() => '');
    try {
      for (const [address, name] of namesOf(JSON.parse(text) as Receipt)) names.set(address, name);
    } catch {
      // There is no receipt, or it belongs to something else: the addresses have no names.
    }
  }
  return names;
}

export function namesOf({ receiptVersion, plan }: Pick<Receipt, 'receiptVersion' | 'plan'>): AddressNames {
  const names = new Map<string, string>();
  if (receiptVersion !== 1) return names;
  for (const target of plan.targets)
    if (target.kind === 'pod' && !target.hostNetwork)
      for (const address of target.ips) names.set(address, target.name);
  return names;
}
