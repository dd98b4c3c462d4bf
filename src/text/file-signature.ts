/** A kind of file that is recognised by its first bytes and that gkeprof does not read. */
export interface ForeignFile {
  /** With its article: `a PNG picture`. */
  readonly what: string;
  /** What the user can do, if that is known. */
  readonly hint?: string;
}

/** A compression that is recognised by its first bytes. If it has a command, gkeprof does not read it. */
export interface Packing {
  readonly name: string;
  /** The command that writes the content to stdout; the file's name is appended to it. */
  readonly command?: string;
}

const text = (bytes: Uint8Array, from: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(from, from + length));

const begins = (bytes: Uint8Array, ...mark: readonly number[]): boolean =>
  bytes.length >= mark.length && mark.every((byte, at) => bytes[at] === byte);

/** How many bytes are needed to recognise the compression of a file. */
export const PACKING_BYTES = 10;

/** RFC 1952, RFC 8878, the xz file format 2.1.1, the LZ4 frame format 1.6.1, and what file(1) knows of the others. */
export function packingOf(head: Uint8Array): Packing | undefined {
  if (begins(head, 0x1f, 0x8b)) return { name: 'gzip' };
  if (begins(head, 0x28, 0xb5, 0x2f, 0xfd)) return { name: 'zstd' };
  if (begins(head, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return { name: 'xz' };
  if (begins(head, 4, 0x22, 0x4d, 0x18) || begins(head, 2, 0x21, 0x4c, 0x18))
    return { name: 'lz4', command: 'lz4 -dc' };
  if (/^BZh[1-9](?:1AY&SY|\x17rE8P)/.test(text(head, 0, 10))) return { name: 'bzip2', command: 'bzip2 -dc' };
  if (begins(head, 0x1f, 0x9d) || begins(head, 0x1f, 0xa0)) return { name: 'compress', command: 'zcat' };
  if (text(head, 0, 4) === 'LZIP') return { name: 'lzip', command: 'lzip -dc' };
  if (begins(head, 0x89, 0x4c, 0x5a, 0x4f, 0)) return { name: 'lzop', command: 'lzop -dc' };
  if (begins(head, 0x5d, 0, 0) && head[4] === 0) return { name: 'lzma', command: 'xz --format=lzma -dc' };
  if (begins(head, 0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50)) return { name: 'snappy', command: 'snzip -dc' };
  if (begins(head, 0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c)) return { name: '7-Zip', command: '7z x -so' };
  if (text(head, 0, 4) === 'PK\x03\x04') return { name: 'zip', command: 'unzip -p' };
  return undefined;
}

const unpackTar = 'unpack it first: tar -xf FILE';

/** Files that are recognised by their beginning. */
const BEGINNINGS: ReadonlyArray<readonly [mark: string, what: string, hint?: string]> = [
  ['\x89PNG\r\n\x1a\n', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['GIF8', 'a GIF image'],
  ['%PDF-', 'a PDF document'],
  ['\x7fELF', 'a program or library (ELF)'],
  ['MZ', 'a Windows program'],
  ['\xcf\xfa\xed\xfe', 'a macOS program (Mach-O)'],
  ['\xca\xfe\xba\xbe', 'a Java class file'],
  ['SQLite format 3\0', 'an SQLite database'],
  ['FLR\0', 'a JDK Flight Recorder recording', 'fold its stacks: jfrconv --cpu --collapsed FILE OUT.folded'],
  ['JAVA PROFILE 1.0', 'a Java heap dump'],
  ['PERFILE2', 'perf.data', 'only perf can read it: run perf script on the machine that recorded it'],
  ['2ELIFREP', 'perf.data', 'only perf can read it: run perf script on the machine that recorded it'],
  ['\xa1\xb2\xc3\xd4', 'a packet capture', 'kubectl gkeprof analyze reads it'],
  ['\xd4\xc3\xb2\xa1', 'a packet capture', 'kubectl gkeprof analyze reads it'],
  ['\xa1\xb2\x3c\x4d', 'a packet capture', 'kubectl gkeprof analyze reads it'],
  ['\x4d\x3c\xb2\xa1', 'a packet capture', 'kubectl gkeprof analyze reads it'],
  ['\n\r\r\n', 'a packet capture', 'kubectl gkeprof analyze reads it'],
  ['Rar!\x1a', 'a RAR archive', 'unpack it first: unrar x FILE'],
  ['!<arch>\n', 'an ar archive or a Debian package'],
  ['\0asm', 'a WebAssembly module'],
  ['OggS', 'an Ogg audio or video file'],
];

/** The kind of a binary file that is not a profile; undefined if it is not known. */
export function foreignFile(head: Uint8Array): ForeignFile | undefined {
  const beginning = text(head, 0, 24);
  // A text may begin with `MZ` as well, but a program of Windows contains zeros.
  for (const [mark, what, hint] of BEGINNINGS)
    if (beginning.startsWith(mark) && (mark !== 'MZ' || head.indexOf(0) >= 0))
      return { what, ...(hint !== undefined && { hint }) };
  if (text(head, 257, 5) === 'ustar') return { what: 'a tar archive', hint: unpackTar };
  return undefined;
}

/** The encoding of a text, by its byte order mark, or, because some tools leave that out, by zeros at every second byte. */
export function encodingOf(head: Uint8Array): { name: 'utf-8' | 'utf-16le' | 'utf-16be'; mark: number } {
  if (begins(head, 0xef, 0xbb, 0xbf)) return { name: 'utf-8', mark: 3 };
  if (begins(head, 0xff, 0xfe)) return { name: 'utf-16le', mark: 2 };
  if (begins(head, 0xfe, 0xff)) return { name: 'utf-16be', mark: 2 };
  const looked = head.subarray(0, 64);
  const zeros = [0, 0];
  looked.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2]! += 1;
  });
  const half = Math.floor(looked.length / 2);
  if (half >= 4 && zeros[0] === 0 && zeros[1]! > 0.9 * half) return { name: 'utf-16le', mark: 0 };
  if (half >= 4 && zeros[1] === 0 && zeros[0]! > 0.9 * half) return { name: 'utf-16be', mark: 0 };
  return { name: 'utf-8', mark: 0 };
}
