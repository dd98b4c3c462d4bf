import { execFileSync } from 'node:child_process';
import { type AssetName, asset } from '../../src/assets.ts';

/** Runs a piece of bash with parts of the node's script loaded, and returns what it printed. */
export function runShell(parts: readonly AssetName[], script: string, argv: readonly string[] = []): string {
  const text = [...parts.map(asset), script].join('\n');
  return execFileSync('bash', ['-c', text, 'test', ...argv], { encoding: 'utf8', maxBuffer: 1 << 26 });
}
