import { describe, expect, it } from 'vitest';
import { analyzed } from '../analysis.ts';
import { fieldsOf, fileOf } from '../judge.ts';
import { pcap } from '../packets.ts';
import { troubled } from '../troubled.ts';

/** Another seed makes other segments. */
const SEED = Number(process.env.SEED ?? 1);

/** Wireshark's fields by what Wireshark calls them. */
const FIELDS = {
  Retransmission: 'tcp.analysis.retransmission',
  'Fast Retransmission': 'tcp.analysis.fast_retransmission',
  'Spurious Retransmission': 'tcp.analysis.spurious_retransmission',
  'Out-Of-Order': 'tcp.analysis.out_of_order',
  'Dup ACK': 'tcp.analysis.duplicate_ack',
  'Zero Window': 'tcp.analysis.zero_window',
  'Previous segment not captured': 'tcp.analysis.lost_segment',
  'Keep-Alive': 'tcp.analysis.keep_alive',
  Reset: 'tcp.flags.reset',
  'Window Full': 'tcp.analysis.window_full',
  'ACKed unseen segment': 'tcp.analysis.ack_lost_segment',
  'Zero Window Probe': 'tcp.analysis.zero_window_probe',
  'Zero Window Probe ACK': 'tcp.analysis.zero_window_probe_ack',
  'Keep-Alive ACK': 'tcp.analysis.keep_alive_ack',
  'Port numbers reused': 'tcp.analysis.reused_ports',
};
const MORE = ['tcp.analysis.duplicate_ack_frame', 'tcp.analysis.duplicate_ack_num', 'frame.time_relative'];

interface Told {
  readonly frame: number;
  readonly what: readonly string[];
  readonly relativeSeconds: number;
  readonly duplicateOf?: number;
  readonly duplicateNumber?: number;
}

/** The troubled frames as Wireshark has them. */
async function wireshark(path: string): Promise<Told[]> {
  const names = Object.keys(FIELDS);
  const rows = await fieldsOf(path, [...Object.values(FIELDS), ...MORE]);
  return rows.flatMap((row, at) => {
    const what = names.filter((_, column) => row[column] !== '' && row[column] !== '0');
    // The fast and the spurious ones are retransmissions as well.
    if (what.includes('Fast Retransmission') || what.includes('Spurious Retransmission')) what.shift();
    if (what.length === 0) return [];
    const [of, number, time] = row.slice(names.length) as [string, string, string];
    return [
      {
        frame: at + 1,
        what,
        relativeSeconds: Number(time),
        ...(what.includes('Dup ACK') && { duplicateOf: Number(of), duplicateNumber: Number(number) }),
      },
    ];
  });
}

/** The same of ours; what became of a SYN no field of Wireshark's says. */
const ours = (capture: Uint8Array): Told[] =>
  (analyzed(capture).report.expert as Told[]).flatMap(({ frame, what, relativeSeconds, ...rest }) => {
    const known = what.filter((name) => !name.startsWith('SYN '));
    const { duplicateOf, duplicateNumber } = rest;
    return known.length === 0
      ? []
      : [
          {
            frame,
            what: known,
            relativeSeconds,
            ...(duplicateOf !== undefined && { duplicateOf, duplicateNumber: duplicateNumber! }),
          },
        ];
  });

describe('the list of troubled packets', () => {
  it.each([0, 1, 2, 3])('has the frames that Wireshark has, each with the same words (%i)', async (more) => {
    const capture = pcap('ethernet', troubled(SEED + more, 3000));
    const theirs = await wireshark(fileOf(capture));
    expect(new Set(theirs.flatMap(({ what }) => what))).toEqual(new Set(Object.keys(FIELDS)));
    expect(ours(capture)).toEqual(theirs);
  });
});
