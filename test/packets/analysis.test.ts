import { afterEach, describe, expect, it, vi } from 'vitest';
import { Decoder } from '../../src/packets/decode/decode.ts';
import { parseConversation } from '../../src/packets/select.ts';
import { analyzed } from './analysis.ts';
import { pcap } from './packets.ts';
import { command, talk } from './redis/redis-stream.ts';

const ONE = talk([
  ['>', command('GET', 'k')],
  ['<', '$1\r\nx\r\n'],
]);
const OTHER = talk([['>', command('PING')]], { client: '10.0.0.3' });

describe('an analysis', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each([
    ['every packet', undefined, ONE.length + OTHER.length],
    ['one conversation', parseConversation('10.0.0.1-10.0.0.2'), ONE.length],
  ])('decodes each packet once to count %s', (_, selection, count) => {
    const decode = vi.spyOn(Decoder.prototype, 'decode');
    const { report } = analyzed(pcap('ethernet', [...ONE, ...OTHER]), { ...(selection && { selection }) });
    expect(report.summary.packets).toBe(count);
    expect(decode).toHaveBeenCalledTimes(ONE.length + OTHER.length);
  });
});
