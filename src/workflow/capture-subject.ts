import { readFile } from 'node:fs/promises';
import type { Target } from '../plan/target.ts';
import type { Receipt } from '../session/receipt.ts';

/** The name of an input file, without its folder. */
export const inputName = (file: string): string => (file === '-' ? 'stdin' : file.split(/[\\/]/).at(-1)!);

/**
 * What capture files are of, in words for a title: the pods or nodes that the receipts beside them name. A file without a
 * receipt has its own name.
 */
export async function captureSubject(files: readonly string[]): Promise<string> {
  const subjects = await Promise.all(files.map(async (file) => (await fromReceipt(file)) ?? inputName(file)));
  return [...new Set(subjects)].join(', ');
}

async function fromReceipt(file: string): Promise<string | undefined> {
  const base = /^(.*)\.pcap(?:\.gz)?$/.exec(file)?.[1];
  if (base === undefined) return undefined;
  try {
    const { receiptVersion, plan } = JSON.parse(await readFile(`${base}.receipt.json`, 'utf8')) as Receipt;
    return receiptVersion === 1
      ? plan.targets.map((target) => targetText(target, plan.node)).join(', ')
      : undefined;
  } catch {
    // There is no receipt, or it is not one of ours.
    return undefined;
  }
}

function targetText(target: Target, node: string): string {
  if (target.kind === 'node') return `node ${node}`;
  const container = target.container ? `, container ${target.container.name},` : '';
  return `pod ${target.namespace}/${target.name}${container} on ${node}`;
}
