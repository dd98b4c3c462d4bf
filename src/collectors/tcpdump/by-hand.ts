import { baseName } from '../../plan/artifact-name.ts';
import type { Plan, TcpdumpTask } from '../../plan/plan.ts';
import { shellQuote } from '../../text/shell-quote.ts';
import { debuggerLines, execLine, type ManualContext, pidLines } from '../by-hand/debugger.ts';
import { packetLines } from '../by-hand/files.ts';

/** tcpdump by hand: in the pod's network namespace, on the node's end of its interface, or on the node. */
export function tcpdumpByHand(
  plan: Plan,
  capture: TcpdumpTask,
  around: ManualContext,
  nowMs: number,
): string[] {
  const { target } = plan;
  const seconds = Math.ceil(plan.limits.durationSeconds);
  const base = baseName(plan.node, nowMs, 'by_hand');
  const container = target.kind === 'pod' ? target.containers.find(({ running }) => running) : undefined;
  const enters = capture.scope === 'netns' && target.kind === 'pod';
  const words = [
    ...capture.options,
    ...(capture.linkType ? ['-y', capture.linkType] : []),
    ...(capture.count ? ['-c', String(capture.count)] : []),
    ...capture.filter,
  ].map(shellQuote);
  const sized = capture.options.includes('-B');
  const tcpdump = [
    ...['tcpdump', '-U', ...(sized ? [] : ['-B', '"$buffer"']), '-i', interfaceWord(capture), '-w', '-'],
    ...words,
  ].join(' ');
  return [
    ...debuggerLines(
      around,
      ['tcpdump', 'iproute2', 'util-linux'],
      capture.scope === 'node' ? 'netadmin' : undefined,
    ),
    ...(target.kind === 'pod' && capture.scope !== 'node' ? pidLines(around, container?.id ?? '') : []),
    ...(capture.scope === 'iface' ? vethLines(around) : []),
    ...(capture.interface === 'default'
      ? [
          `interface=$(${execLine(around, "ip -o route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n1")})`,
        ]
      : []),
    ...(sized ? [] : bufferLines(around)),
    `# stops after ${seconds} s; packets of the last second may be missing; tcpdump prints on stderr how many the kernel dropped`,
    `${execLine(around, `timeout -s INT ${seconds} ${enters ? 'nsenter -t "$pid" -n ' : ''}${tcpdump}`)} | gzip > ${base}.pcap.gz`,
    ...packetLines(`${base}.pcap.gz`, ['summary', 'ip', 'tcp']),
  ];
}

const interfaceWord = ({ scope, interface: name }: TcpdumpTask): string =>
  scope === 'iface' || name === 'default' ? '"$interface"' : shellQuote(name ?? 'any');

/** Sets `$buffer` to the size of the kernel's buffer, as collectors/tcpdump/tcpdump.sh does. */
const bufferLines = (around: ManualContext): string[] => [
  "# the size of the kernel's buffer in KiB: 1/128 of the node's available memory, 2 to 64 MiB",
  `buffer=$(${execLine(around, `awk '/^MemAvailable:/ { kib = int($2 / 128); print (kib < 2048 ? 2048 : (kib > 65536 ? 65536 : kib)) }' /proc/meminfo`)})`,
];

/** Sets `$interface` to the node's end of the pod's eth0. */
const vethLines = (around: ManualContext): string[] => [
  "# the node's interface at the other end of the pod's eth0",
  `peer=$(${execLine(around, 'nsenter -t "$pid" -n ip -o link show eth0')} | sed -n 's/.*@if\\([0-9]*\\):.*/\\1/p')`,
  `interface=$(${execLine(around, 'ip -o link')} | awk -F': ' -v peer="$peer" '$1 == peer { sub(/@.*/, "", $2); print $2 }')`,
];
