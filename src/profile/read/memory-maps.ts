/** A part of a file that a process mapped: a record of `perf script --show-mmap-events`. */
export interface MemoryMap {
  readonly pid: number;
  readonly start: number;
  readonly end: number;
  /** Where the part begins in the file. */
  readonly offset: number;
  readonly path: string;
  /** Only with `perf record --buildid-mmap`. */
  readonly buildId: string | undefined;
}

/** What perf prints of a record: Linux tools/perf/util/event.c, perf_event__fprintf_mmap2. */
const RECORD =
  /PERF_RECORD_MMAP2? (-?\d+)\/-?\d+: \[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (?:0x)?([0-9a-f]+)(?: <([0-9a-f]+)>| [0-9a-f]+:[0-9a-f]+ \d+ \d+)?\]: \S+ (.*?)\r?$/;

export function parseMemoryMap(line: string): MemoryMap | undefined {
  const found = RECORD.exec(line);
  if (!found) return undefined;
  const [, pid, start, length, offset, buildId, path] = found as unknown as string[];
  const from = Number.parseInt(start!, 16);
  return {
    pid: Number(pid),
    start: from,
    end: from + Number.parseInt(length!, 16),
    offset: Number.parseInt(offset!, 16),
    path: path!,
    buildId,
  };
}

/** A place in a file, in bytes from its beginning. */
export type FilePlace = Pick<MemoryMap, 'offset' | 'buildId'>;

/** The maps of all processes, in the order of the text: where an address was in a file at a time. */
export class MemoryMaps {
  readonly #byPath = new Map<string, MemoryMap[]>();
  readonly #answers = new Map<string, FilePlace | undefined>();

  add(map: MemoryMap): void {
    const maps = this.#byPath.get(map.path);
    if (maps) maps.push(map);
    else this.#byPath.set(map.path, [map]);
    this.#answers.clear();
  }

  /**
   * Where an address of a process is in the file that perf names. The maps of the process itself count first; a process
   * that was forked has those of its parent, and so the others' count where they agree. perf 5.17 to 6.2 prints the place in
   * the file instead of the address. Undefined where it is not sure which of both it is.
   */
  placeOf(path: string, pid: number, address: number): FilePlace | undefined {
    const key = `${pid} ${address} ${path}`;
    if (this.#answers.has(key)) return this.#answers.get(key);
    const maps = this.#byPath.get(path) ?? [];
    const own = maps.filter((map) => map.pid === pid);
    const within = ({ start, end }: MemoryMap) => address >= start && address < end;
    const last = own.findLast(within);
    const mapped = (last ? [last] : maps.filter(within)).map((map) => ({
      offset: address - map.start + map.offset,
      buildId: map.buildId,
    }));
    const inFile = (own.length > 0 ? own : maps)
      .filter(({ start, end, offset }) => address >= offset && address < offset + end - start)
      .map(({ buildId }) => ({ offset: address, buildId }));
    const [first, ...others] = [...mapped, ...inFile];
    const agreed =
      first && others.every(({ offset, buildId }) => offset === first.offset && buildId === first.buildId)
        ? first
        : undefined;
    this.#answers.set(key, agreed);
    return agreed;
  }
}
