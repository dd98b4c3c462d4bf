import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { waitsFacts } from '../../src/waits/facts.ts';
import { waitsPage } from '../../src/waits/page.ts';
import { readWaits } from '../../src/waits/read-waits.ts';
import { randomFrom } from '../random.ts';
import { cycle, pieces, synthetic } from './synthetic.ts';

const HOSTILE = '</title><script>alert(1)</script>';

async function pageOf(text: string, subject = 'pod default/web-0 on node-a'): Promise<string> {
  const waits = await readWaits(
    pieces(text, () => 65_536),
    'a.waits.txt.gz',
  );
  const names = { ofAddress: () => `pod/${HOSTILE}`, ofContainer: () => undefined };
  return [...waitsPage(waits, waitsFacts(waits, names), subject)].join('');
}

const recordingOf = (comm: string, durationUs = 3e6) =>
  synthetic({
    durationUs,
    rateHz: 50,
    random: randomFrom(5),
    header: ['sock 0 1 tcp out 10.0.0.5:4000 10.0.0.9:5432'],
    threads: ['a', comm].map((name, at) => ({
      tid: 200 + at,
      comm: name,
      next: cycle([
        { does: 'run', us: 20_000 },
        { does: 'wait', us: 60_000, object: 's:1' },
      ]),
    })),
  }).text;

describe('waitsPage', () => {
  it('has a plot of all threads and of each group, whose bars are whole in each step', async () => {
    const page = await pageOf(recordingOf('b'));
    expect([...page.matchAll(/<h2>([^<]+)</g)].map(([, text]) => text)).toEqual([
      'All 2 threads',
      expect.stringMatching(/^The thread [ab]$/),
      expect.stringMatching(/^The thread [ab]$/),
    ]);
    const [plot] = page.match(/<section class="plot">.*?<\/section>/s)!;
    const bars = [...plot.matchAll(/class="bar \w+" x="(\d+)" y="[\d.]+" width="1" height="([\d.]+)"/g)];
    const heights = Map.groupBy(bars, ([, step]) => step);
    expect(heights.size).toBe(6);
    for (const each of heights.values())
      expect(each.reduce((sum, [, , height]) => sum + Number(height), 0)).toBeCloseTo(100, 1);
    expect(plot).toMatch(/<title>22:13:20\.5 UTC: running \d+\.\d %, network \d+\.\d %<\/title>/);
  });

  it('lets no script run but its own, escapes every name, and asks for nothing', async () => {
    const page = await pageOf(recordingOf(encodeURIComponent(HOSTILE)), HOSTILE);
    const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, text]) => text!);
    expect(scripts).toHaveLength(1);
    const hash = createHash('sha256').update(scripts[0]!).digest('base64');
    expect(page).toContain(`script-src 'sha256-${hash}'"`);
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|\bsrc=|@import|url\(/);
    expect(page.split('&lt;/title>').length + page.split('&lt;/title&gt;').length).toBeGreaterThan(6);
  });

  it('says that the end is missing, and survives a clock that is far off', async () => {
    const text = recordingOf('b').replace(/^end .*\n/m, '');
    expect(await pageOf(text)).toContain('the end of the recording is missing');
    const far = recordingOf('b').replace('1700000000000000', '9007199254740991');
    expect(await pageOf(far)).toContain('<title>Waits of pod default/web-0 on node-a</title>');
  });

  it('is not drawn of nothing', async () => {
    const page = await pageOf('waits 1 x86_64\nstart 0 50 2 100\nend 0 time\n');
    expect(page).not.toMatch(/<svg|<script|Point at/);
  });
});
