import { expect, it } from 'vitest';
import { countLines } from '../../src/commands/pcap.ts';
import type { SessionResult } from '../../src/session/result.ts';

const last = (counts: object) => ({ event: 'progress', ...counts }) as SessionResult['last'];

it('says how many packets were captured, and how many the kernel dropped', () => {
  expect(countLines({ ended: 'time', last: last({ packets: 5, dropped: 0 }) })).toEqual([
    '5 packets captured',
    '0 packets dropped by the kernel',
  ]);
  expect(countLines({ ended: 'time', last: last({ packets: 5, dropped: 2, buffer: 2048 }) })).toEqual([
    '5 packets captured',
    '2 packets dropped by the kernel: the capture has holes',
    '  narrow the filter, or use a larger buffer than 2.0 MiB: -- -B 8192',
  ]);
});

it('does not take the packets for all there were, or for none, if the container died before it counted them', () => {
  expect(countLines({ ended: 'lost', last: last({ packets: 5, dropped: 0 }) })).toEqual([
    'at least 5 packets captured: the capture container died before it had counted all of them',
  ]);
  expect(countLines({ ended: 'lost', last: undefined })).toEqual([
    'the packets are not counted, because the capture container died: kubectl gkeprof analyze counts them',
  ]);
});
