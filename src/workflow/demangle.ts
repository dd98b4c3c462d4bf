import { execa } from 'execa';

/** Tools that demangle names of C++ and Rust: of binutils, which macOS has under the same name, and of LLVM. */
const TOOLS = ['c++filt', 'llvm-cxxfilt'];

/**
 * Demangles names with the first of the tools that is on PATH; without a tool the names stay as they are. perf demangles most
 * names on the node, except the newer names of Rust, and except all names if it was built without a demangler.
 */
export async function demangle(mangled: readonly string[]): Promise<ReadonlyMap<string, string>> {
  for (const tool of TOOLS) {
    const result = await execa(tool, [], {
      input: `${mangled.join('\n')}\n`,
      reject: false,
      timeout: 20_000,
    });
    const names = result.failed ? [] : result.stdout.split('\n');
    if (names.length === mangled.length)
      return new Map(mangled.map((name, at) => [name, withoutDisambiguators(names[at]!)]));
  }
  return new Map();
}

/** Removes the hash in `mycrate[3c1c0]::f`, which tells crates of the same name apart and which perf does not print. */
const withoutDisambiguators = (name: string): string =>
  name.replace(/(?<=\w)\[[0-9a-f]+\](?=::|[ <>,)]|$)/g, '');
