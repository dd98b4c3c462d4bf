import { frameKindOf } from '../frame.ts';
import { parseEventLine, parseWho } from './event-line.ts';
import { MemoryMaps, parseMemoryMap } from './memory-maps.ts';

/** A frame without a name, and what the text says about its object. */
export interface UnnamedFrame {
  /** The object, as perf prints it. */
  readonly path: string;
  /** The build ID of the object by the maps of the process; undefined if they do not have it. */
  readonly buildId: string | undefined;
  /** Bytes from the beginning of the object's file; undefined if the text does not say it. */
  readonly offset: number | undefined;
}

/** What replaces the frame's symbol: a name and the offset behind it, in bytes. */
export interface FrameName {
  readonly name: string;
  readonly offset: number;
}

const NEWLINE = 10;
const TAB = 9;
const BLANK = 32;
const UNNAMED = Buffer.from('[unknown] (');
const RECORD = Buffer.from('PERF_RECORD_MMAP');
const BUILD_ID = Buffer.from('# build-id: ');
/** The longest line of a frame: the symbol is a word here, and a path has at most 4096 bytes. */
const LONGEST_FRAME = 8192;

/** The build IDs that a text states for each path: in comments `# build-id: HEX PATH`, and in the records of maps. */
export type BuildIds = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Finds the frames without a name in a text of perf script: `ADDRESS [unknown] (PATH+0xOFFSET)`, as perf prints it with
 * the field dsoff, or without the offset where the text has the maps of the processes. Give it whole lines.
 */
export class UnnamedFrames {
  /** All that were stated so far. */
  readonly buildIds = new Map<string, Set<string>>();
  readonly #maps = new MemoryMaps();
  #hasMaps = false;
  /** Lines that have been there before, from the symbol on: there are far fewer of them than lines. */
  readonly #seen = new Map<string, UnnamedFrame | null>();
  /** The process of the sample that the last lines belong to; -1 if it is not known. */
  #pid = -1;

  /** Calls `visit` for each of them, with where its symbol begins and its line ends, in this block of whole lines. */
  scan(block: Buffer, visit: (frame: UnnamedFrame, from: number, to: number) => void): void {
    let at = block.indexOf(UNNAMED);
    let comment = block.indexOf(BUILD_ID);
    let record = block.indexOf(RECORD);
    let sampleFrom = 0;
    while (at >= 0 || comment >= 0 || record >= 0) {
      const next = Math.min(...[at, comment, record].filter((each) => each >= 0));
      const from = block.lastIndexOf(NEWLINE, next) + 1;
      const end = endOfLine(block, next);
      if (next === comment) {
        if (from === next) this.#comment(block.toString('utf8', from, end));
        comment = block.indexOf(BUILD_ID, end);
      } else if (next === record) {
        this.#record(block.toString('utf8', from, end));
        record = block.indexOf(RECORD, end);
      } else {
        if (this.#hasMaps) {
          this.#findProcess(block, from, sampleFrom);
          sampleFrom = from;
        }
        const frame = this.#frameOf(block, from, next, end);
        if (frame) visit(frame, next, end);
        at = block.indexOf(UNNAMED, end);
      }
    }
    if (this.#hasMaps) this.#findProcess(block, block.length, sampleFrom);
  }

  #comment(line: string): void {
    const found = /^# build-id: ([0-9a-f]{2,128}) +(\S.*?)\r?$/.exec(line);
    if (found) this.#noteBuildId(found[2]!, found[1]!);
  }

  #record(line: string): void {
    const map = parseMemoryMap(line);
    if (!map) return;
    this.#hasMaps = true;
    this.#maps.add(map);
    if (map.buildId !== undefined) this.#noteBuildId(map.path, map.buildId);
  }

  #noteBuildId(path: string, buildId: string): void {
    const known = this.buildIds.get(path);
    if (known) known.add(buildId);
    else this.buildIds.set(path, new Set([buildId]));
  }

  /** Reads the process in the event line above the frames that end at `to`; it is the last one where there is none. */
  #findProcess(block: Buffer, to: number, notBefore: number): void {
    for (let end = to; end > notBefore; ) {
      const from = end < 2 ? 0 : block.lastIndexOf(NEWLINE, end - 2) + 1;
      if (block[from] !== TAB && block[from] !== NEWLINE) {
        const who = parseEventLine(block.toString('utf8', from, end).trimEnd())?.who;
        const { pid = -1, tid = -1 } = who === undefined ? {} : (parseWho(who) ?? {});
        // perf's default fields have the thread alone, which is the process where it has only one.
        this.#pid = pid >= 0 ? pid : tid;
        return;
      }
      end = from;
    }
  }

  /** The frame whose symbol is at `at`, in the line between `from` and `to`. */
  #frameOf(block: Buffer, from: number, at: number, to: number): UnnamedFrame | undefined {
    if (to - at > LONGEST_FRAME || block[at - 1] !== BLANK) return undefined;
    let address = at - 1;
    while (address > from && isHexadecimal(block[address - 1])) address -= 1;
    const before = block[address - 1];
    if (address === at - 1 || (address > from && before !== BLANK && before !== TAB)) return undefined;
    const text = block.toString('latin1', at, to);
    let frame = this.#seen.get(text);
    if (frame === undefined) {
      frame = parseUnnamed(block.toString('utf8', at, to));
      this.#seen.set(text, frame);
    }
    if (!frame || !this.#hasMaps) return frame ?? undefined;
    const { path, offset } = frame;
    const place = this.#maps.placeOf(
      path,
      this.#pid,
      Number.parseInt(block.toString('latin1', address, at - 1), 16),
    );
    return {
      path,
      offset: offset ?? place?.offset,
      buildId: offset === undefined || place?.offset === offset ? place?.buildId : undefined,
    };
  }
}

/** A line from the symbol on; null if it is no frame. */
function parseUnnamed(text: string): UnnamedFrame | null {
  const object = /^\[unknown\] \((.*?)(?:\+0x([0-9a-f]{1,16}))?\)\s*$/.exec(text);
  if (!object) return null;
  return {
    path: object[1]!,
    offset: object[2] === undefined ? undefined : Number.parseInt(object[2], 16),
    buildId: undefined,
  };
}

/** Whether an object is a file that others have too: no memory of a process, no code that a JIT made, and not the kernel. */
export const isSharedFile = (path: string): boolean =>
  /^\/(?!\/|memfd:|dev\/|SYSV|anon_hugepage)/.test(path) && frameKindOf(path) === 'user';

/** Where the line ends, without its line feed. */
function endOfLine(block: Buffer, at: number): number {
  const end = block.indexOf(NEWLINE, at);
  return end < 0 ? block.length : end;
}

/** The bytes of a text in pieces that end with a line; only the last one may lack its line feed. */
export async function* wholeLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let carried: Buffer[] = [];
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    // Copies, because a chunk is valid only until the next one is read.
    if (end > 0) {
      yield Buffer.concat([...carried, chunk.subarray(0, end)]);
      carried = [];
    }
    if (end < chunk.length) carried.push(Buffer.from(chunk.subarray(end)));
  }
  if (carried.length > 0) yield Buffer.concat(carried);
}

/**
 * The same text with names for the frames of which `nameOf` knows one. What stays without a name loses the offset behind
 * its object, so that such frames of one object are one in the profile.
 */
export async function* namedText(
  chunks: AsyncIterable<Uint8Array>,
  nameOf: (frame: UnnamedFrame) => FrameName | undefined,
): AsyncGenerator<Uint8Array> {
  const frames = new UnnamedFrames();
  const lines = new Map<UnnamedFrame, Uint8Array>();
  const lineOf = (frame: UnnamedFrame): Uint8Array => {
    const name = nameOf(frame);
    const symbol = name ? `${inOneLine(name.name)}+0x${name.offset.toString(16)}` : '[unknown]';
    const line = Buffer.from(`${symbol} (${frame.path})`);
    lines.set(frame, line);
    return line;
  };
  for await (const block of wholeLines(chunks)) {
    const parts: Uint8Array[] = [];
    let copied = 0;
    frames.scan(block, (frame, from, to) => {
      parts.push(block.subarray(copied, from), lines.get(frame) ?? lineOf(frame));
      copied = to;
    });
    parts.push(block.subarray(copied));
    yield parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    // With maps each frame is a new one.
    if (lines.size > MOST_LINES) lines.clear();
  }
}

/** How many made lines are kept. */
const MOST_LINES = 1 << 16;

/** A name as perf would print it. A file may hold anything, and a line feed would end the line of the frame. */
const inOneLine = (name: string): string => name.replace(/\p{Cc}/gu, '?');

const isHexadecimal = (byte: number | undefined): boolean =>
  byte !== undefined && ((byte >= 48 && byte <= 57) || (byte >= 97 && byte <= 102));
