import { shellQuote } from '../../text/shell-quote.ts';

/** Draws raw stacks, plain or compressed, with the scripts of FlameGraph. */
export const flameGraphLine = (raw: string, svg: string): string =>
  `${decompressCommand(raw)} | stackcollapse-perf.pl | flamegraph.pl > ${shellQuote(svg)}`;

export const decompressCommand = (path: string): string =>
  path === '-'
    ? 'cat'
    : `${path.endsWith('.gz') ? 'zcat' : path.endsWith('.zst') ? 'zstdcat' : path.endsWith('.xz') ? 'xzcat' : 'cat'} ${shellQuote(path)}`;

/** The commands of capinfos and tshark that show the parts of `analyze` for one capture. */
export function packetLines(path: string, parts: Iterable<string>): string[] {
  const file = shellQuote(path);
  const lines: Readonly<Record<string, readonly string[]>> = {
    summary: [`capinfos -aceuxs ${file}`],
    ip: [`tshark -r ${file} -q -z conv,ip`],
    ipv6: [`tshark -r ${file} -q -z conv,ipv6`],
    tcp: [`tshark -r ${file} -q -z conv,tcp`],
    udp: [`tshark -r ${file} -q -z conv,udp`],
    flags: [`tshark -r ${file} -T fields -e tcp.flags.str | sort | uniq -c`],
    syns: [
      `tshark -r ${file} -Y 'tcp.flags.syn == 1' -T fields -e frame.time -e tcp.flags.str -e ip.src -e ip.dst -e tcp.srcport -e tcp.dstport`,
    ],
    endpoints: ['ip', 'ipv6', 'tcp', 'udp'].map((kind) => `tshark -r ${file} -q -z endpoints,${kind}`),
    expert: [
      `tshark -r ${file} -Y 'tcp.analysis.flags || tcp.flags.reset == 1' -T fields -e frame.number -e frame.time_relative -e _ws.col.Info`,
    ],
    health: [`tshark -r ${file} -q -z expert,warn`, `tshark -r ${file} -Y tcp.analysis.flags`],
    redis: [
      `tshark -r ${file} -o tcp.desegment_tcp_streams:TRUE -Y resp -T fields -e frame.time_relative -e resp.bulk_string.value`,
    ],
    timeline: [`tshark -r ${file} -q -z io,stat,1`],
  };
  return [...parts].flatMap((part) => lines[part] ?? []);
}
