import { type AddressNames, shortPodNames } from '../packets/print/facts.ts';
import type { Target } from '../plan/target.ts';
import { targetsBeside } from '../session/receipt.ts';

/** The names of addresses that the receipts beside our captures tell: those of the pods that were captured. */
export async function namesBeside(files: readonly string[]): Promise<AddressNames> {
  const targets: Target[] = [];
  for (const file of files) targets.push(...((await targetsBeside(file))?.targets ?? []));
  return namesOf({ plan: { targets } });
}

/** Of pods with the same name in several namespaces, the names have the namespace. */
export function namesOf({ plan }: { readonly plan: { readonly targets: readonly Target[] } }): AddressNames {
  const pods = plan.targets.flatMap((target) =>
    target.kind === 'pod' && !target.hostNetwork
      ? [{ namespace: target.namespace, pod: target.name, ips: target.ips }]
      : [],
  );
  const nameOf = shortPodNames(pods);
  return new Map(pods.flatMap((pod) => pod.ips.map((ip) => [ip, nameOf(pod)] as const)));
}
