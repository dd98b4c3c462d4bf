import type { SymbolLookup } from '../profile/profile.ts';
import { ElfError } from './elf.ts';
import { type FileSource, type FoundFile, findFile } from './find-file.ts';
import { addressOf, computedSegments, keptSegments } from './segments.ts';
import { type FoundFunction, type Functions, functionsOf } from './symbols.ts';

/** Why functions of an object have no name. */
export type Unresolved = NonNullable<SymbolLookup['unknown']>;

export interface Resolved {
  /** By the place in the file. */
  readonly functions: ReadonlyMap<number, FoundFunction>;
  /** Why some have none; undefined if all have one. */
  readonly unresolved: Unresolved | undefined;
}

type There = Extract<FoundFile, { is: 'there' }>;

/**
 * The functions at places in the file of a build ID. The names are those of its debug file, or else of the executable or
 * library itself. `name` is shown while a file is fetched. Rejects like `findFile`.
 */
export async function functionsAt(
  buildId: string,
  offsets: readonly number[],
  name: string,
  source: FileSource,
): Promise<Resolved> {
  const open: There[] = [];
  let executable: Promise<FoundFile> | undefined;
  const find = async (kind: 'debuginfo' | 'executable'): Promise<FoundFile> => {
    const found = await findFile(buildId, kind, name, source);
    if (found.is === 'there') open.push(found);
    return found;
  };
  const findExecutable = () => {
    executable ??= find('executable');
    return executable;
  };
  try {
    const debug = await find('debuginfo');
    let reason = debug.is === 'there' ? undefined : whyNot(debug);
    let file = debug.is === 'there' ? debug : undefined;
    let functions = file && functionsOf(file.elf, file.read);
    if (!functions?.size) {
      const other = await findExecutable();
      if (other.is === 'there') {
        file = other;
        functions = functionsOf(other.elf, other.read);
      }
      // A failure says more than that another server does not have it.
      else if (reason?.kind === 'server-lacks-it') reason = whyNot(other);
    }
    if (!file || !functions) return none(reason!);
    if (functions.size === 0)
      return none({ kind: 'no-symbols', text: 'its file has no symbols of functions' });
    // Awaited here, because it may open another file, which is closed below.
    return await resolve(file, functions, offsets, findExecutable);
  } catch (error) {
    if (error instanceof ElfError) return none({ kind: 'file-refused', text: error.message });
    throw error;
  } finally {
    for (const { close } of open) close();
  }
}

const none = (unresolved: Unresolved): Resolved => ({ functions: new Map(), unresolved });

function whyNot(found: Exclude<FoundFile, There>): Unresolved {
  switch (found.is) {
    case 'missing':
      return { kind: 'server-lacks-it', text: 'no server has a file of its build ID' };
    case 'failed':
      return { kind: 'server-failed', text: found.reason };
    case 'refused':
      return { kind: 'file-refused', text: found.reason };
  }
}

async function resolve(
  { elf }: There,
  functions: Functions,
  offsets: readonly number[],
  findExecutable: () => Promise<FoundFile>,
): Promise<Resolved> {
  let segments = keptSegments(elf);
  if (!segments) {
    const whole = await findExecutable();
    segments = whole.is === 'there' ? keptSegments(whole.elf) : computedSegments(elf);
  }
  if (!segments)
    return none({
      kind: 'unknown-layout',
      text: 'its debug file does not tell where its code lies in the executable, and no server has that',
    });
  const found = new Map<number, FoundFunction>();
  for (const offset of offsets) {
    const address = addressOf(segments, offset);
    const at = address === undefined ? undefined : functions.find(address);
    if (at) found.set(offset, at);
  }
  return {
    functions: found,
    unresolved:
      found.size === offsets.length
        ? undefined
        : { kind: 'no-function', text: 'its file names no function at some of the addresses' },
  };
}
