import type { Elf, ElfSegment } from './elf.ts';

/**
 * The virtual address of a place in an executable or a library, which the kernel maps by its segments. Undefined for a
 * place that is in no executable segment.
 */
export function addressOf(segments: readonly ElfSegment[], offset: number): number | undefined {
  const segment = segments.find(
    (each) => each.executable && offset >= each.offset && offset < each.offset + each.fileSize,
  );
  return segment && offset - segment.offset + segment.address;
}

/**
 * The segments as they are in the executable, read from this file, which may be a separate debug file. eu-strip leaves
 * them in it as they were. objcopy and strip --only-keep-debug write the places of the debug file's own content into them:
 * an executable segment then has fewer bytes in the file than in memory. Undefined if they were changed.
 */
export function keptSegments({ segments }: Elf): readonly ElfSegment[] | undefined {
  const code = segments.filter(({ executable }) => executable);
  return code.length > 0 && code.every(({ fileSize, memorySize }) => fileSize === memorySize && fileSize > 0)
    ? segments
    : undefined;
}

/**
 * The segments of the executable, computed from those that objcopy changed, as linkers place them: the first one begins
 * with the file, and each follows the one before it, at the next place whose remainder by the alignment is that of its
 * address. That is how ld (with and without -z separate-code), gold and lld do it. Undefined where that is not sure: if the
 * file does not begin with its first segment, if writable data lies before code (how much of it is in the file is not
 * known), and if there are several executable segments, as in Node.js, whose linker left a gap between them.
 */
export function computedSegments({ segments }: Elf): readonly ElfSegment[] | undefined {
  const [first] = segments;
  if (first?.offset !== 0) return undefined;
  const lastCode = segments.findLastIndex(({ executable }) => executable);
  if (lastCode < 0 || lastCode !== segments.findIndex(({ executable }) => executable)) return undefined;
  let end = 0;
  const computed: ElfSegment[] = [];
  for (const segment of segments.slice(0, lastCode + 1)) {
    const { address, memorySize, align } = segment;
    if (
      ![address, memorySize, align].every(Number.isSafeInteger) ||
      (segment.writable && !segment.executable)
    )
      return undefined;
    const unit = Math.max(1, align);
    const offset = segment === first ? 0 : end + ((((address - end) % unit) + unit) % unit);
    computed.push({ ...segment, offset, fileSize: memorySize });
    end = offset + memorySize;
  }
  return computed;
}
