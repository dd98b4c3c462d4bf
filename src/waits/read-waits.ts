import { EXIT, GkeprofError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { FIRST_LINE } from './recording-line.ts';
import { type Waits, WaitsReader } from './waits.ts';

/** No line of a recording is longer: a longer one is damaged, and is not kept in memory. */
const LONGEST_LINE = 1 << 16;
const LINE_FEED = 10;

/**
 * Reads a recording of waits, cut anywhere into pieces. A last line without an end is left out, because it is cut. `name` is that
 * of the file, for messages. Rejects with a GkeprofError for something that is no such recording.
 */
export async function readWaits(chunks: AsyncIterable<Uint8Array>, name: string): Promise<Waits> {
  const reader = new WaitsReader();
  let isFirst = true;
  let begun = '';
  let isTooLong = false;
  const take = (line: string) => {
    if (isFirst) requireFirstLine(line, name);
    else if (line !== '') reader.line(line);
    isFirst = false;
  };
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
      if (isTooLong || begun.length + end - from > LONGEST_LINE) {
        if (isFirst) throw notWaits(name);
        reader.damagedLine();
      } else take(begun + bytes.toString('latin1', from, end));
      [begun, isTooLong, from] = ['', false, end + 1];
    }
    if (!isTooLong && begun.length + bytes.length - from <= LONGEST_LINE)
      begun += bytes.toString('latin1', from);
    else [begun, isTooLong] = ['', true];
  }
  if (isFirst) throw notWaits(name);
  return reader.end();
}

function requireFirstLine(line: string, name: string): void {
  const [, version] = FIRST_LINE.exec(line) ?? [];
  if (version === undefined) throw notWaits(name);
  if (version !== '1')
    throw new GkeprofError(
      EXIT.failed,
      `${printable(name)} is a recording of waits in format ${version}, and this version of gkeprof reads format 1`,
      'read it with the version of gkeprof that recorded it',
    );
}

const notWaits = (name: string): GkeprofError =>
  new GkeprofError(
    EXIT.failed,
    `${printable(name)} is not a recording of waits: its first line is not "waits 1"`,
    'such recordings are made by kubectl gkeprof waits, and end with .waits.txt.gz',
  );
