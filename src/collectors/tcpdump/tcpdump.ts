import type { Plan, TcpdumpTask } from '../../plan/plan.ts';
import { targetText } from '../../plan/plan.ts';
import { counted, formatBytes, formatRate } from '../../text/quantity.ts';
import { type Collector, lastWords, privileges } from '../collector.ts';
import { tcpdumpByHand } from './by-hand.ts';

const capture = (plan: Plan): TcpdumpTask => {
  if (plan.capture.collector !== 'tcpdump') throw new Error('not a plan for tcpdump');
  return plan.capture;
};

const sample = (scope: TcpdumpTask['scope']): TcpdumpTask => ({
  collector: 'tcpdump',
  scope,
  count: 0,
  options: [],
  filter: ['port', '6379'],
});

/** The filter as one line of text; `before` is what stands before its words. */
export const filterText = ({ filter }: TcpdumpTask, before: string): string =>
  filter.length > 0 ? `${before}${filter.join(' ')}` : 'no filter: every packet';

/** Packets with tcpdump: tcpdump.sh is its other half. */
export const tcpdump: Collector = {
  name: 'tcpdump',
  scripts: ['node/network.sh', 'collectors/tcpdump/tcpdump.sh'],
  leastPrivilege: {
    needs: {
      node: privileges('network', 'NET_RAW'),
      netns: privileges('pids', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'),
      iface: privileges('both', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'),
    },
    works: [{ scope: 'node' }, { scope: 'netns' }, { scope: 'iface' }],
  },
  samples: [
    { name: 'tcpdump node', task: sample('node'), on: 'node', target: 'either' },
    { name: 'tcpdump netns', task: sample('netns'), on: 'pod' },
    { name: 'tcpdump iface', task: sample('iface'), on: 'pod' },
  ],
  ending: '.pcap.gz',
  artifact: 'capture.pcap.gz',
  raw: () => ({ file: 'capture.pcap', ending: '.pcap', isOpaque: false }),
  install: 'tcpdump and iproute2, about 20 s and 15 MB',

  describe(plan) {
    const { scope, interface: name } = capture(plan);
    const on = name ? `, interface ${name}` : '';
    return `packets of ${targetText(plan.target)}, scope ${scope}${on}, ${filterText(capture(plan), 'filter: ')}`;
  },

  nodeArguments(plan) {
    const { interface: name, linkType, count, options, filter } = capture(plan);
    return {
      keys: [
        ...(name ? [`interface=${name}`] : []),
        ...(linkType ? [`link_type=${linkType}`] : []),
        `count=${count}`,
      ],
      // The node refuses words with a line feed, which means the same as a blank in a filter (pcap-filter(7)).
      words: [
        ...options,
        ...(count ? ['-c', String(count)] : []),
        '--',
        ...filter.map((word) => word.replaceAll('\n', ' ')),
      ],
    };
  },

  scopeName(plan) {
    const { target } = plan;
    const { scope } = capture(plan);
    return target.kind === 'node' || scope === 'node'
      ? 'node'
      : `${scope}_${target.namespace}_${target.name}`;
  },

  progress(event, before) {
    const { packets = 0, dropped = 0, bytes } = event;
    const seconds = before ? (event.t - before.t) / 1000 : 0;
    const rate = seconds > 0 ? formatRate((packets - (before?.packets ?? 0)) / seconds) : undefined;
    return [
      `${dropped} dropped`,
      ...(rate === undefined ? [] : [`${rate} packets/s`]),
      formatBytes(bytes),
      counted(packets, 'packet'),
    ];
  },

  explain(code, plan, log) {
    const { filter } = capture(plan);
    switch (code) {
      case 'filter-rejected':
        return {
          reason: `tcpdump rejects the filter "${filter.join(' ')}": ${lastWords(log).replace(/^tcpdump: /, '')}`,
          hint: 'pcap-filter(7) describes the language; `ether` and `vlan` need an Ethernet interface (-- -i eth0), not `any`',
        };
      case 'tcpdump-failed':
        return { reason: `tcpdump failed on the node ${plan.node}: ${lastWords(log)}` };
      case 'no-interface':
        return {
          reason: 'the interface to capture on was not found on the node',
          hint: 'try --scope netns, or name an interface with -- -i NAME',
        };
      default:
        return undefined;
    }
  },

  byHand: (plan, around, nowMs) => tcpdumpByHand(plan, capture(plan), around, nowMs),
};
