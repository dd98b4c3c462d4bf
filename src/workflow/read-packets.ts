import { stat } from 'node:fs/promises';
import type { Context } from '../cli/command.ts';
import { EXIT, GkeprofError } from '../errors.ts';
import { openInput } from '../files/input.ts';
import type { NewFile } from '../files/new-file.ts';
import type { Analysis } from '../packets/analysis.ts';
import type { Packet, PacketSink } from '../packets/file/packet.ts';
import { PacketReader, UnknownFormatError } from '../packets/file/reader.ts';
import type { InputFile } from '../packets/print/json.ts';
import type { CaptureSummary } from '../packets/summary.ts';
import type { Time } from '../packets/times.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import { shellQuote } from '../text/shell-quote.ts';

/** Writes the selected packets of an analysis to a copy, if there is one, with everything that is not a packet. */
export const selected = (analysis: Analysis, copy: NewFile | undefined): PacketSink => ({
  packet(packet) {
    if (analysis.packet(packet)) copy?.write(packet.bytes.subarray(packet.recordAt, packet.recordEnd));
  },
  other: (bytes, at, end) => copy?.write(bytes.subarray(at, end)),
  section: () => analysis.section(),
  name: (address, name) => analysis.name(address, name),
  pod: (number, pod) => analysis.pod(number, pod),
  ended: (number) => analysis.ended(number),
  dropped: (number, packets) => analysis.dropped(number, packets),
});

/** Sorts files by the time of their first packet, so that a rotated set can be named in any order. */
export async function sortByFirstPacket(
  files: readonly string[],
  context: Context,
): Promise<readonly string[]> {
  if (files.length < 2) return files;
  const timed = await Promise.all(
    files.map(async (path) => ({ path, first: await firstTime(path, context) })),
  );
  timed.sort((one, other) => one.first[0] - other.first[0] || one.first[1] - other.first[1]);
  return timed.map(({ path }) => path);
}

async function firstTime(path: string, { stdin }: Context): Promise<Time> {
  let first: Time | undefined;
  const reader = new PacketReader({
    packet({ seconds, nanos }) {
      first ??= [seconds, nanos];
    },
  });
  const { chunks } = await openInput(path, stdin, 'analyze');
  try {
    for await (const piece of chunks) {
      reader.push(piece);
      if (first) return first;
    }
  } catch (error) {
    throw explained(error, path);
  }
  return [Number.POSITIVE_INFINITY, 0];
}

/** Counts the packets of one file before they go to the sink. */
export const countedBy = (summary: CaptureSummary, sink: PacketSink): PacketSink => ({
  packet(packet) {
    summary.count(packet);
    sink.packet(packet);
  },
  section() {
    summary.sections += 1;
    sink.section?.();
  },
  event() {
    summary.events += 1;
    sink.event?.();
  },
  other: (bytes, at, end) => sink.other?.(bytes, at, end),
  name: (address, text) => sink.name?.(address, text),
  pod: (number, pod) => sink.pod?.(number, pod),
  ended: (number) => sink.ended?.(number),
  dropped: (number, packets) => sink.dropped?.(number, packets),
});

/**
 * Reads one file, or stdin until its end or Ctrl-C, and warns if the file is damaged or cut. Numbers of packets continue from
 * `packet`, the last one of the file before.
 */
export async function readInto(
  path: string,
  sink: PacketSink,
  packet: Packet,
  { stdin, log, interrupts }: Context,
): Promise<InputFile> {
  const input = await openInput(path, stdin, 'analyze');
  const name = path === '-' ? 'stdin' : path;
  const before = packet.number;
  const reader = new PacketReader(sink, packet);
  // A Ctrl-C that ended the capture itself does not count here, but the next one does.
  const signal = interrupts.next;
  try {
    const iterator = input.chunks[Symbol.asyncIterator]();
    // Packets from a pipe are analyzed although Ctrl-C ended it, because they cannot be read again as a file can.
    if (path === '-') interrupts.hold();
    const stopped = new Promise<'stopped'>((resolve) => {
      if (signal.aborted) resolve('stopped');
      signal.addEventListener('abort', () => resolve('stopped'), { once: true });
    });
    try {
      for (;;) {
        const next = await (path === '-' ? Promise.race([iterator.next(), stopped]) : iterator.next());
        if (path !== '-') signal.throwIfAborted();
        if (next === 'stopped' || next.done || signal.aborted) break;
        reader.push(next.value);
        if (reader.damaged) break;
      }
    } finally {
      // Reading from a pipe is given up, because it would keep the process running.
      if (path === '-' && signal.aborted) stdin.destroy?.();
      else await iterator.return?.();
    }
    const end = reader.end();
    const packets = packet.number - before;
    if (end.damage !== undefined)
      log.warn(
        `${printable(name)} is damaged after packet ${packets}: ${end.damage}; only the packets before were read`,
      );
    else if ((end.cut || input.condition.cut) && !signal.aborted)
      log.warn(
        `${printable(name)} appears to have been cut short in the middle of a packet: ${counted(packets, 'packet was', 'packets were')} read`,
      );
    if (input.condition.trailing)
      log.warn(`${printable(name)}: trailing garbage after the compressed data was ignored`);
    if (end.malformed) {
      const { count, first } = end.malformed;
      log.warn(
        `${printable(name)} is malformed in ${counted(count, 'place')}: ${first}; the malformed parts were ignored, all packets were read`,
      );
    }
    const size = path === '-' ? undefined : (await stat(path)).size;
    return { name, ...(size !== undefined && { bytes: size }), ...end };
  } catch (error) {
    throw explained(error, name);
  }
}

const explained = (error: unknown, name: string): unknown =>
  error instanceof UnknownFormatError
    ? new GkeprofError(
        EXIT.failed,
        `${printable(name)}: ${error.message}`,
        error.other?.converts
          ? `convert it with Wireshark's editcap: editcap -F pcap ${name === 'stdin' ? '-' : shellQuote(name)} OUT.pcap`
          : (error.other?.hint ?? 'a capture is pcap or pcapng, plain or compressed by gzip, zstd or xz'),
      )
    : error;
