import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { timelinePage } from '../../src/packets/print/timeline-page.ts';
import { analyzed } from '../packets/analysis.ts';
import { pcap } from '../packets/packets.ts';
import { command, type Turn, talk } from '../packets/redis/redis-stream.ts';
import { FLAGS } from './chromium.ts';

it('the page of a timeline shows its plots and figures, runs nothing, asks for nothing', async () => {
  const turns = Array.from({ length: 5 }, (): Turn[] => [
    ['>', command('GET', 'a'), 1000],
    ['<', '$-1\r\n', 2],
  ]).flat();
  const { analysis } = analyzed(pcap('ethernet', talk(turns)));
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-timeline-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
  });
  try {
    const path = join(folder, 'page.html');
    writeFileSync(path, [...timelinePage(analysis, '<b>&"x.pcap</b><script>alert(1)</script>')].join(''));
    const page = await browser.newPage({ viewport: { width: 500, height: 700 }, colorScheme: 'dark' });
    const problems: string[] = [];
    page.on('console', (line) => problems.push(line.text()));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) problems.push(request.url());
    });
    await page.goto(`file://${path}`);
    expect(await page.title()).toBe('<b>&"x.pcap</b><script>alert(1)</script>');
    const plots = await page.getByRole('img').all();
    expect(await Promise.all(plots.map((plot) => plot.getAttribute('aria-label')))).toEqual([
      'Packets: at most 3/s in steps of 1 s',
      'Bytes on the wire: at most 162 B/s in steps of 1 s',
      'Retransmissions: at most 0/s in steps of 1 s',
      'Redis commands: at most 1/s in steps of 1 s',
      'Redis latency: at most 2 ms in steps of 1 s',
    ]);
    for (const plot of plots) expect((await plot.boundingBox())!.width).toBeLessThanOrEqual(500);
    await page.getByText('Figures').click();
    expect(await page.locator('tr').count()).toBe(1 + 6);
    expect(await page.locator('tr').last().innerText()).toContain('2 ms');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(500);
    expect(problems).toEqual([]);
    if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
