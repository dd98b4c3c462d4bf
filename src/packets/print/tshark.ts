import type { Analysis } from '../analysis.ts';
import type { Conversation, ConversationTable } from '../conversations.ts';
import type { Addresses } from '../decode/addresses.ts';
import { Endpoints } from '../endpoints.ts';
import { flagText } from '../flags.ts';
import type { Section } from '../sections.ts';
import type { CaptureSummary, TimeRange } from '../summary.ts';
import type { Syn } from '../syns.ts';
import { exact, type Time, WIDE } from '../times.ts';
import type { TimeZone } from './time-zone.ts';

/**
 * Wireshark's rule for sizes and counts (wsutil/str_util.c, format_size): a prefix only from ten of it on, and whole
 * ones, never rounded up.
 */
function sizeText(value: number, unit: string): string {
  if (value >= 10e3)
    for (const [size, prefix] of PREFIXES)
      if (value / size >= 10) return `${Math.floor(value / size)} ${prefix}${unit === 'bytes' ? 'B' : unit}`;
  return `${Math.floor(value)}${unit === '' ? '' : ` ${unit}`}`;
}

const PREFIXES = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

const LINE = `${'='.repeat(80)}\n`;

/** Lines go on together, in letters: each piece costs as much as making a line. */
const MANY = 1 << 14;

/** What `tshark -q -z conv,KIND` prints. */
function* conversationLines(
  kind: 'IPv4' | 'IPv6' | 'TCP' | 'UDP',
  table: ConversationTable,
  addresses: Addresses,
  first: Time,
): Generator<string> {
  const ports = kind === 'TCP' || kind === 'UDP';
  const indent = ' '.repeat(ports ? 59 : 47);
  yield `${LINE}${kind} Conversations\nFilter:<No Filter>\n`;
  yield `${indent}|       <-      | |       ->      | |     Total     |    Relative    |   Duration   |\n`;
  yield `${indent}| Frames  Bytes | | Frames  Bytes | | Frames  Bytes |      Start     |              |\n`;
  const width = ports ? 26 : 20;
  const [toA, toB, total] = [framesAndBytes(), framesAndBytes(), framesAndBytes()];
  let lines = '';
  for (const row of table.byFrames()) {
    const each = table.read(row);
    if (!ports && each.six !== (kind === 'IPv6')) continue;
    const [a, b] = endNames(each, addresses, ports);
    lines += `${a.padEnd(width)} <-> ${b.padEnd(width)}  ${toA(each.framesToA, each.bytesToA)}  ${toB(
      each.framesToB,
      each.bytesToB,
    )}  ${total(each.framesToA + each.framesToB, each.bytesToA + each.bytesToB)}  ${nineDigits(first, each.start).padStart(14)}   ${fourDigits(first, each.start, each.stop).padStart(12)}\n`;
    if (lines.length < MANY) continue;
    yield lines;
    lines = '';
  }
  yield lines + LINE;
}

/** Frames and bytes of one line after the other. The lines are in order of frames, so that many repeat the one before. */
function framesAndBytes(): (frames: number, bytes: number) => string {
  let [knownFrames, knownBytes, text] = [Number.NaN, Number.NaN, ''];
  return (frames, bytes) => {
    if (frames !== knownFrames || bytes !== knownBytes) {
      text = `${String(frames).padStart(6)} ${sizeText(bytes, 'bytes').padEnd(9)}`;
      [knownFrames, knownBytes] = [frames, bytes];
    }
    return text;
  };
}

/** What `tshark -q -z endpoints,KIND` prints. */
function* endpointLines(
  kind: 'IPv4' | 'IPv6' | 'TCP' | 'UDP',
  found: Endpoints,
  addresses: Addresses,
): Generator<string> {
  const ports = kind === 'TCP' || kind === 'UDP';
  const columns = '  Packets  | |  Bytes  | | Tx Packets | | Tx Bytes | | Rx Packets | | Rx Bytes |';
  yield `${LINE}${kind} Endpoints\nFilter:<No Filter>\n${' '.repeat(23)}|${ports ? '  Port  ||' : ''}${columns}\n`;
  let lines = '';
  const column = (value: number, width: number) => String(value).padStart(width);
  for (const each of found.all(ports ? undefined : kind === 'IPv6')) {
    const port = ports ? `${column(each.port, 5)}     ` : '';
    lines += `${addresses.text(each.address, each.six).padEnd(20)}      ${port}${column(
      each.sentFrames + each.receivedFrames,
      6,
    )}${column(each.sentBytes + each.receivedBytes, 14)}${column(each.sentFrames, 11)}${column(
      each.sentBytes,
      16,
    )}${column(each.receivedFrames, 12)}${column(each.receivedBytes, 16)}   \n`;
    if (lines.length < MANY) continue;
    yield lines;
    lines = '';
  }
  yield lines + LINE;
}

/** Wireshark's nstime_delta: seconds and nanoseconds have the same sign. */
function delta(from: Time, to: Time): readonly [seconds: bigint, nanos: number] {
  const [seconds, nanos] = exact(from);
  const [laterSeconds, laterNanos] = exact(to);
  const whole = BigInt.asIntN(64, laterSeconds - seconds);
  const rest = laterNanos - nanos;
  if (laterSeconds < seconds && rest > 0) return [whole + 1n, rest - 1e9];
  if (laterSeconds > seconds && rest < 0) return [whole - 1n, rest + 1e9];
  return [whole, rest];
}

/** A day and a time of day. */
interface Civil {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  /** `22:44:50`. */
  readonly clock: string;
}

/** The Gregorian calendar repeats after so many years, and seconds. */
const CYCLE_YEARS = 400;
const CYCLE = 146_097n * 86_400n;

/** What the C library makes of it; undefined where the year, counted from 1900, needs more than 32 bits. */
function civil(seconds: bigint): Civil | undefined {
  const rest = ((seconds % CYCLE) + CYCLE) % CYCLE;
  const date = new Date(Number(rest) * 1000);
  const year = date.getUTCFullYear() + CYCLE_YEARS * Number((seconds - rest) / CYCLE);
  if (year - 1900 >= WIDE || year - 1900 < -WIDE) return undefined;
  return {
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    clock: date.toISOString().slice(11, 19),
  };
}

/** As a number of seconds, computed as Wireshark does: in doubles, so that the last digit is the same. */
export function secondsSince(from: Time, to: Time): number {
  const [whole, rest] = delta(from, to);
  return Number(whole) + rest / 1e9;
}

/** `%.9f` of the seconds between. */
function nineDigits([seconds, nanos]: Time, [laterSeconds, laterNanos]: Time): string {
  const whole = laterSeconds - seconds - (laterNanos < nanos ? 1 : 0);
  // A double has all nine digits of a time below twelve days, so that they can be told from whole numbers.
  const rest = laterNanos - nanos + (laterNanos < nanos ? 1e9 : 0);
  if (whole < 0 || whole > 1e6 || rest < 0 || rest >= 1e9)
    return secondsSince([seconds, nanos], [laterSeconds, laterNanos]).toFixed(9);
  return `${whole}.${String(rest).padStart(9, '0')}`;
}

/** `%.4f` of the seconds between: what lies exactly in the middle goes to the even digit, as C rounds, not up. */
function fourDigits(first: Time, start: Time, stop: Time): string {
  const borrow = stop[1] < start[1] ? 1 : 0;
  const rest = stop[1] - start[1] + borrow * 1e9;
  const whole = stop[0] - start[0] - borrow;
  if (rest % 100_000 !== 50_000 && whole >= 0 && whole < 1e6 && rest >= 0 && rest < 1e9) {
    const units = whole * 10_000 + Math.round(rest / 100_000);
    return `${Math.floor(units / 10_000)}.${String(units % 10_000).padStart(4, '0')}`;
  }
  // A difference of two doubles, both from the first packet on: it may lie on either side of the middle.
  const seconds = secondsSince(first, stop) - secondsSince(first, start);
  const text = seconds.toFixed(4);
  if (!/^50*$/.test(seconds.toFixed(30).split('.')[1]!.slice(4))) return text;
  const down = seconds.toFixed(5).slice(0, -1);
  return Number(down.at(-1)) % 2 === 0 ? down : text;
}

/** Both ends, with their ports where there are some: `10.0.0.1:6379`. */
function endNames(each: Conversation, addresses: Addresses, ports: boolean): [string, string] {
  const name = (address: number, port: number) =>
    ports ? `${addresses.text(address, each.six)}:${port}` : addresses.text(address, each.six);
  return [name(each.a, each.aPort), name(each.b, each.bPort)];
}

/** What `tshark -T fields -e tcp.flags.str | LC_ALL=C sort | uniq -c` prints, the line of frames without TCP included. */
function* flagLines(counts: ReadonlyMap<string, number>): Generator<string> {
  const bytes = (text: string) => Buffer.from(text);
  const sorted = [...counts].sort(([one], [other]) => Buffer.compare(bytes(one), bytes(other)));
  for (const [text, count] of sorted) yield `${String(count).padStart(7)} ${text}\n`;
}

/** What tshark prints of SYNs with the fields of the runbook. */
function* synLines(syns: Iterable<Syn>, addresses: Addresses, zone: TimeZone): Generator<string> {
  const time = frameTimes(zone);
  let lines = '';
  for (const syn of syns) {
    const { version, quoted } = syn;
    let src = version === 4 ? addresses.text(syn.src, false) : '';
    let dst = version === 4 ? addresses.text(syn.dst, false) : '';
    if (quoted && version === 4) {
      src += `,${addresses.text(quoted.src, false)}`;
      dst += `,${addresses.text(quoted.dst, false)}`;
    }
    lines += `${syn.timed ? time(syn.seconds, syn.nanos) : ''}\t${flagText(syn.flags)}\t${src}\t${dst}\t${syn.sport}\t${syn.dport}\n`;
    if (lines.length < MANY) continue;
    yield lines;
    lines = '';
  }
  yield lines;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const NEVER = 'Not representable';

/** A number as C's `%0*d` prints it. */
const padded = (value: number, width: number): string =>
  value < 0 ? `-${String(-value).padStart(width - 1, '0')}` : String(value).padStart(width, '0');

/** What the C library makes of a time in this zone, and how the zone is called then. */
function localTime(time: Time, zone: TimeZone): (Civil & { readonly name: string }) | undefined {
  const [seconds] = exact(time);
  const { offset, name } = zone.at(Number(seconds));
  const local = civil(seconds + BigInt(offset));
  // The year is a sum of 32 bits there.
  return local && { ...local, year: local.year | 0, name };
}

/** `frame.time`, `May  3, 2022 22:44:50.961767000 UTC`, for one packet after the other. */
function frameTimes(zone: TimeZone): (seconds: number, nanos: number) => string {
  let known = Number.NaN;
  let before = '';
  let behind = '';
  return (seconds, nanos) => {
    const [, rest] = exact([seconds, nanos]);
    if (seconds !== known || rest !== nanos) {
      const local = localTime([seconds, nanos], zone);
      // Beyond what a number holds, one number stands for several seconds.
      known = local && rest === nanos ? seconds : Number.NaN;
      if (!local) return NEVER;
      before = `${MONTHS[local.month]} ${String(local.day).padStart(2)}, ${local.year} ${local.clock}.`;
      behind = ` ${local.name}`;
    }
    return before + String(rest).padStart(9, '0') + behind;
  };
}

/** The places that a clock of this resolution has; more where the nanoseconds are no part of a second. */
const fraction = (nanos: number, places: number): string =>
  padded(Math.trunc(nanos / 10 ** (9 - places)) + 0, places);

/** Cut, not rounded, to the places that the times have. */
function durationText(
  { earliestSeconds, earliestNanos, latestSeconds, latestNanos }: TimeRange,
  places: number,
): string {
  const [whole, nanos] = delta([earliestSeconds, earliestNanos], [latestSeconds, latestNanos]);
  const rest = places === 0 ? '' : `.${fraction(nanos, places)}`;
  return `${whole}${rest} ${whole === 1n && nanos === 0 ? 'second' : 'seconds'}`;
}

/** A file as capinfos knows it. */
interface CapinfosFile {
  readonly name: string;
  /** On disk; undefined for stdin. */
  readonly size: number | undefined;
}

/** What `capinfos -aceuxs FILE` prints. */
function capinfosText(file: CapinfosFile, summary: CaptureSummary, zone: TimeZone): string {
  const line = (label: string, value: string) => `${`${label}:`.padEnd(21)}${value}\n`;
  const ends = summary.wide ?? summary;
  const places = Math.max(ends.earliestPlaces, ends.latestPlaces);
  const time = (given: Time, digits: number) => {
    const local = localTime(given, zone);
    if (!local) return NEVER;
    const { year, month, day, clock } = local;
    const rest = digits === 0 ? '' : `.${fraction(exact(given)[1], digits)}`;
    return `${padded(year, 4)}-${padded(month + 1, 2)}-${padded(day, 2)} ${clock}${rest}`;
  };
  // As capinfos does it, in doubles that hold seconds since 1970: 3 packets in 0.002 s are 1499 a second.
  const rough =
    ends.latestSeconds + ends.latestNanos / 1e9 - (ends.earliestSeconds + ends.earliestNanos / 1e9);
  const rate = rough > 0 ? Math.floor(summary.packets / rough) : 0;
  const head = [
    line('File name', file.name),
    summary.longestCut > 0
      ? line(
          'Packet size limit',
          summary.shortestCut === summary.longestCut
            ? `inferred: ${summary.longestCut} bytes`
            : `inferred: ${summary.shortestCut} bytes - ${summary.longestCut} bytes (range)`,
        )
      : '',
    line('Number of packets', sizeText(summary.packets, '')),
    file.size === undefined ? '' : line('File size', sizeText(file.size, 'bytes')),
  ];
  const sections =
    summary.sections > 1
      ? Array.from({ length: summary.sections }, (_, section) => `Section ${section}:\n\n`).join('')
      : '';
  if (summary.untimed + summary.events > 0) return head.join('') + sections;
  return [
    ...head,
    line('Capture duration', summary.timed ? durationText(ends, places) : 'n/a'),
    line(
      'First packet time',
      summary.timed ? time([ends.earliestSeconds, ends.earliestNanos], ends.earliestPlaces) : 'n/a',
    ),
    line(
      'Last packet time',
      summary.timed ? time([ends.latestSeconds, ends.latestNanos], ends.latestPlaces) : 'n/a',
    ),
    line('Average packet rate', `${sizeText(rate, 'packets')}/s`),
    sections,
  ].join('');
}

/** The parts as capinfos and tshark print them, one behind the other; a summary for each file. */
export function* printAsTshark(
  analysis: Analysis,
  files: ReadonlyArray<{ readonly name: string; readonly bytes?: number; readonly summary: CaptureSummary }>,
  sections: ReadonlySet<Section>,
  zone: TimeZone,
): Generator<string> {
  const { summary, addresses } = analysis;
  if (sections.has('summary'))
    for (const [at, { name, bytes, summary: own }] of files.entries())
      yield (at > 0 ? '\n' : '') + capinfosText({ name, size: bytes }, own, zone);
  const first = [summary.zeroSeconds, summary.zeroNanos] as const;
  const kinds = [
    ['ip', 'IPv4', analysis.ip],
    ['ipv6', 'IPv6', analysis.ip],
    ['tcp', 'TCP', analysis.tcp],
    ['udp', 'UDP', analysis.udp],
  ] as const;
  for (const [section, kind, table] of kinds)
    if (sections.has(section)) yield* conversationLines(kind, table, addresses, first);
  if (sections.has('endpoints'))
    for (const [, kind, table] of kinds) yield* endpointLines(kind, new Endpoints(table), addresses);
  if (sections.has('flags')) yield* flagLines(analysis.flags.byText());
  if (sections.has('syns')) yield* synLines(analysis.syns.all(), addresses, zone);
}
