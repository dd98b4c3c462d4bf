import { debuggerLines, execLine, type ManualContext } from '../collectors/by-hand/debugger.ts';
import { shellQuote } from '../text/shell-quote.ts';
import { fullResource, RIGHTS } from './rights.ts';

/** Where the commands look. */
export interface Places {
  /** kubectl with the connection flags. */
  readonly kubectl: string;
  readonly targetNamespace: string;
  readonly debugNamespace: string;
}

/** The commands that find out by hand what the cluster and the client are like. */
export const doctorByHand = ({ kubectl, targetNamespace, debugNamespace }: Places): string[] => [
  `${kubectl} version --client`,
  `${kubectl} auth whoami`,
  ...RIGHTS.map((right) => {
    const { verb, subresource, in: place } = right;
    const where = { target: `-n ${targetNamespace}`, debug: `-n ${debugNamespace}`, cluster: '-A' }[place];
    // It fails where the answer is no, which must not end a script.
    return `${kubectl} auth can-i ${verb} ${fullResource(right)}${subresource ? ` --subresource=${subresource}` : ''} ${where} || :`;
  }),
  `${kubectl} get namespace ${debugNamespace} --show-labels`,
  `${kubectl} get nodes -o wide --show-labels`,
  '# conditions, taints, and the room on the disk',
  `${kubectl} describe nodes`,
];

/** The commands that ask a node about its kernel. */
export const kernelByHand = (around: ManualContext): string[] => [
  ...debuggerLines(around, []),
  ...[
    'stat -fc %T /sys/fs/cgroup',
    'ls /sys/bus/event_source/devices /sys/kernel/btf/vmlinux',
    'cat /proc/sys/kernel/kptr_restrict /proc/sys/kernel/perf_event_paranoid',
  ].map((line) => execLine(around, `sh -c ${shellQuote(line)}`)),
];
