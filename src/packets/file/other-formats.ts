import { foreignFile } from '../../text/file-signature.ts';

/** The kind of a file that is neither pcap nor pcapng, and whether Wireshark's editcap can convert it to pcap. */
export interface OtherFormat {
  readonly what: string;
  readonly converts: boolean;
  readonly hint?: string;
}

/** By how they begin: Wireshark, wiretap/*.c, the magic number of each format. */
const BEGINNINGS: ReadonlyArray<readonly [mark: string, what: string]> = [
  ['snoop\0\0\0', 'a capture of snoop (Solaris)'],
  ['RTSS', 'a capture of Microsoft Network Monitor 1'],
  ['GMBU', 'a capture of Microsoft Network Monitor'],
  ['TR\0d\0', 'a capture of nettl (HP-UX)'],
  ['\0\0\0\x01\0\0\0\0\0\x07\xd0\0', 'a capture of nettl (HP-UX 9)'],
  ['TRSNIFF data    \x1a', 'a capture of Sniffer (DOS)'],
  ['XCP\0', 'a capture of Sniffer (Windows) or NetXray'],
  ['VL\0\0', 'a capture of NetXray'],
  ['iptrace 1.0', 'a capture of iptrace (AIX)'],
  ['iptrace 2.0', 'a capture of iptrace (AIX)'],
  ['btsnoop\0', 'a capture of Bluetooth (btsnoop)'],
  ['\x05VNF', 'a capture of Visual Networks'],
  ['\xaa\xaa\xaa\xaa', 'a capture of InfoVista 5View'],
  ['ObserverPktBuffe', 'a capture of Viavi Observer'],
  ['\x7fver', 'a capture of OmniPeek or EtherPeek'],
  ['\x01\x10\x4c\0\x01\x05Trace Display Trace File', 'a capture of Novell LANalyzer'],
  ['+---------+---------------+----------+', 'a capture of K12 (text)'],
  ['\0\0\x02\0\x12\x05\0\x10', 'a capture of K12'],
  ['Session Transcript', 'a capture of Catapult DCT2000'],
  ['EyeSDN', 'a capture of EyeSDN'],
  ['\x34\xcd\xb2\xa1', 'a capture of a changed tcpdump (modified pcap)'],
  ['\xa1\xb2\xcd\x34', 'a capture of a changed tcpdump (modified pcap)'],
  ['***BUSMASTER', 'a log of BUSMASTER'],
  ['#Format=4', 'a capture of Daintree SNA'],
];

/** The kind of a file that begins like this; undefined if it is not known. */
export function otherFormat(head: Uint8Array): OtherFormat | undefined {
  const beginning = String.fromCharCode(...head.subarray(0, 512));
  for (const [mark, what] of BEGINNINGS) if (beginning.startsWith(mark)) return { what, converts: true };
  if (/NetScaler V\d+ Performance Data/.test(beginning))
    return { what: 'a trace of NetScaler', converts: true };
  if (isErf(head)) return { what: 'a capture of an Endace card (ERF)', converts: true };
  if (isCommView(head)) return { what: 'a capture of CommView', converts: true };
  const foreign = foreignFile(head);
  if (foreign) return { ...foreign, converts: false };
  if (head.length >= 16 && !/[\0-\x08\x0e-\x1f\x7f-\x9f]/.test(beginning)) {
    const isPrinted = /^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3,9} \S+/m.test(beginning);
    return isPrinted
      ? {
          what: 'the text that tcpdump prints',
          converts: false,
          hint: 'give the file that tcpdump -w FILE writes',
        }
      : { what: 'a text', converts: false };
  }
  return undefined;
}

/** Records of Extensible Record Format, which has no mark: two in a row with a known type and lengths that fit. */
function isErf(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let at = 0;
  for (let records = 0; records < 2; records += 1) {
    if (at + 16 > head.length) return false;
    const type = view.getUint8(at + 8) & 0x7f;
    const length = view.getUint16(at + 10);
    const onWire = view.getUint16(at + 14);
    // Seconds since 1970 in the upper half of the time, little-endian: between 1990 and 2060.
    const seconds = view.getUint32(at + 4, true);
    if (type === 0 || type > 48 || length < 16 || onWire === 0) return false;
    if (seconds < 631e6 || seconds > 2840e6) return false;
    at += length;
  }
  return true;
}

/** The first record of CommView's NCFX or NCF, which have no mark: its length, NCF's twice and a zero, then a date. */
function isCommView(head: Uint8Array): boolean {
  if (head.length < 24) return false;
  const isOld = head[0] === head[2] && head[1] === head[3] && head[4] === 0;
  return isDate(head, 4) || (isOld && isDate(head, 5));
}

function isDate(head: Uint8Array, at: number): boolean {
  const [low, high, month, day, hour, minute, second] = head.subarray(at) as unknown as number[];
  const year = low! + 256 * high!;
  const isDay = year >= 1990 && year <= 2100 && month! >= 1 && month! <= 12 && day! >= 1 && day! <= 31;
  return isDay && hour! < 24 && minute! < 60 && second! < 60;
}
