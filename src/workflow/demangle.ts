import { execa } from 'execa';

/** Tools that undo the mangling of C++ and Rust: of binutils, of LLVM, and what macOS has under the first name. */
const TOOLS = ['c++filt', 'llvm-cxxfilt'];

/**
 * Demangles names with the first of the tools that is on PATH; without a tool the names stay as they are. perf demangles most
 * of them on the node: what is left are Rust's newer names, and recordings of a perf that was built without it.
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

/** `mycrate[3c1c0]::f`: which of several crates of one name, which no one else prints. */
const withoutDisambiguators = (name: string): string =>
  name.replace(/(?<=\w)\[[0-9a-f]+\](?=::|[ <>,)]|$)/g, '');
