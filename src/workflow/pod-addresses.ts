import type { AddressNames } from '../packets/print/facts.ts';
import { type Receipt, receiptBeside } from '../session/receipt.ts';

/** The names of addresses that the receipts beside our captures tell: those of the pod that was captured. */
export async function namesBeside(files: readonly string[]): Promise<AddressNames> {
  const names = new Map<string, string>();
  for (const file of files) {
    const receipt = await receiptBeside(file);
    if (receipt) for (const [address, name] of namesOf(receipt)) names.set(address, name);
  }
  return names;
}

export function namesOf({ plan }: Pick<Receipt, 'plan'>): AddressNames {
  const names = new Map<string, string>();
  for (const target of plan.targets)
    if (target.kind === 'pod' && !target.hostNetwork)
      for (const address of target.ips) names.set(address, target.name);
  return names;
}
