import type { Target } from '../plan/target.ts';
import { targetsBeside } from '../session/receipt.ts';

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
  const plan = await targetsBeside(file);
  return plan?.targets.map((target) => nameOf(target, plan.node ?? target.node)).join(', ');
}

function nameOf(target: Target, node: string): string {
  if (target.kind === 'node') return `node ${node}`;
  const container = target.container ? `, container ${target.container.name},` : '';
  return `pod ${target.namespace}/${target.name}${container} on ${node}`;
}
