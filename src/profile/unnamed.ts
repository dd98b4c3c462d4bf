import type { Frame } from './frame.ts';
import type { SymbolLookup } from './profile.ts';

/**
 * Why the innermost function of a stack has no name: what looking it up by its build ID told, or else why perf found no
 * symbol, as far as its text tells. `everything`: no function of this object has one.
 */
export function reasonFor(
  dso: string,
  kind: Frame['kind'],
  everything: boolean,
  lookups: readonly SymbolLookup[] = [],
): string {
  const looked = lookups.find(({ object, unknown }) => object === dso && unknown);
  if (looked) return `debuginfod: ${looked.unknown!.text}`;
  if (/ \(deleted\)$/.test(dso)) return 'the file was deleted or replaced while it ran';
  if (/perf-\d+\.map$/.test(dso))
    return everything
      ? 'code generated at run time, without a map of its functions: start the runtime with its perf-map option'
      : 'the JIT’s map does not have this address, because it was written too late or the code moved';
  if (/^(?:\/\/anon|\[anon|\/memfd:|\[heap\]|\/dev\/zero)/.test(dso))
    return 'code generated at run time, without a map of its functions: start the runtime with its perf-map option';
  if (dso === '' || dso === '[unknown]')
    return 'the address is in no file that perf knew: code generated at run time, or a process that ended too soon';
  if (kind === 'kernel') return 'no kernel symbols: see kernel.kptr_restrict on the node';
  return everything
    ? 'it has no symbols, because it was stripped or gone when perf read it'
    : 'some of its functions have no symbol: local functions of a stripped file';
}
