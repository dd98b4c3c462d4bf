import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { timelinePage } from '../../../src/packets/print/timeline-page.ts';
import { analyzed } from '../analysis.ts';
import { type Framed, framed, pcap, START, udp } from '../packets.ts';
import { command, type Turn, talk } from '../redis/redis-stream.ts';

const pageOf = (packets: readonly Framed[], subject = 'x.pcap', files?: string) =>
  [...timelinePage(analyzed(pcap('ethernet', packets)).analysis, subject, files)].join('');
const headings = (page: string) => [...page.matchAll(/<h2>([^<]+)</g)].map(([, text]) => text);

const answered: Turn[] = [
  ['>', command('GET', 'a'), 1000],
  ['<', '$-1\r\n', 2],
];
const packet = (second: number): Framed => ({
  frame: framed('ethernet', udp({})),
  at: START + BigInt(second) * 1_000_000_000n,
});

describe('timelinePage', () => {
  it('is titled by what was captured and when, with the files below', () => {
    const page = pageOf(talk(answered), 'pod redis/redis-0 on node-b', 'r.pcap.gz');
    const title = 'pod redis/redis-0 on node-b, 2022-05-20 22:44:50 to 22:44:51 UTC';
    expect(page).toContain(`<title>${title}</title>`);
    expect(page).toContain(`<h1>${title}</h1>\n<p>r.pcap.gz · 5 packets`);
    expect(pageOf([packet(0), packet(90_000)])).toContain(
      '<title>x.pcap, 2022-05-20 22:44:50 to 2022-05-21 23:44:50 UTC</title>',
    );
  });

  it('leaves out plots without data, and says so', () => {
    const page = pageOf([packet(0), packet(1)]);
    expect(headings(page)).toEqual(['Packets per second', 'Bytes per second on the wire']);
    expect(page).toContain(
      '<p>There were no TCP retransmissions and no Redis commands, so there is no plot of them.</p>',
    );
    const asked = pageOf(talk(answered.slice(0, 1)));
    expect(headings(asked)).toContain('Redis commands per second');
    expect(asked).toContain('no TCP retransmissions and no Redis commands with an answer, so');
    const nothing = pageOf([]);
    expect(nothing).toContain('<title>x.pcap</title>');
    expect(nothing).toContain('There are no packets with a time, so there is nothing to draw.');
    expect(nothing).not.toMatch(/<svg|<script|Point at/);
  });

  it('has the figures of each step as a title, for readers without scripts', () => {
    const page = pageOf(talk(answered));
    expect(page).toContain('<title>22:44:51 UTC: p50 2 ms, p99 2 ms, max 2 ms</title>');
    expect(page).toContain('<title>22:44:50 UTC: packets 3/s</title>');
    expect(page).toContain('<title>22:44:50 UTC: p50 none, p99 none, max none</title>');
  });

  it('lets no script run but its own, and asks for nothing', () => {
    const page = pageOf(talk(answered), '</title><script>alert(1)</script>');
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text!);
    expect(scripts).toHaveLength(1);
    const hash = createHash('sha256').update(scripts[0]!).digest('base64');
    expect(page).toContain(`script-src 'sha256-${hash}'"`);
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|\bsrc=|@import|url\(/);
  });

  it('names the day where it changes', () => {
    const page = pageOf([packet(0), packet(20), packet(40), packet(90_000), packet(90_040)]);
    expect(page.match(/<br>2022-05-20/g)).toHaveLength(2);
    expect(page.match(/<br>2022-05-21/g)).toHaveLength(2);
    expect(pageOf([packet(0), packet(40)])).not.toContain('<br>');
  });
});
