/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timelinePage } from '../../src/packets/print/timeline-page.ts';
import { analyzed } from '../packets/analysis.ts';
import { pcap } from '../packets/packets.ts';
import { command, type Turn, talk } from '../packets/redis/redis-stream.ts';
import { FLAGS } from './chromium.ts';

const HOSTILE = '<b>&"x.pcap</b><script>alert(1)</script>';
const TITLE = `${HOSTILE}, 2022-05-20 22:44:50 to 22:44:55 UTC`;

describe('the page of a timeline in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-timeline-'));
  const path = join(folder, 'page.html');
  let browser: Browser;
  beforeAll(async () => {
    const turns = Array.from({ length: 5 }, (_, at): Turn[] => [
      ['>', command('GET', 'a'), 1000],
      ['<', '$-1\r\n', 2 + at],
    ]).flat();
    const { analysis } = analyzed(pcap('ethernet', talk(turns)));
    writeFileSync(path, [...timelinePage(analysis, HOSTILE, 'redis.pcap')].join(''));
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
    });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page; whatever goes wrong in it, or is asked for from anywhere, fails the test. */
  async function open(
    look: (page: Page) => Promise<void>,
    options: BrowserContextOptions = {},
  ): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 600, height: 900 }, ...options });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (line) => problems.push(line.text()));
    page.on('dialog', (dialog) => problems.push(dialog.message()));
    page.on('request', (request) => request.url().startsWith('file:') || problems.push(request.url()));
    try {
      await page.goto(`file://${path}`);
      expect(await page.title()).toBe(TITLE);
      await look(page);
      expect(problems).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const readouts = (page: Page) => page.locator('output').allTextContents();
  const LAST = [
    '22:44:55 UTC: packets 2/s',
    '22:44:55 UTC: bytes 133 B/s',
    '22:44:55 UTC: commands 1/s',
    '22:44:55 UTC: p50 6 ms, p99 6 ms, max 6 ms',
  ];

  it('shows its plots and figures, and runs nothing that a name holds', () =>
    open(
      async (page) => {
        const plots = await page.locator('svg').all();
        expect(await Promise.all(plots.map((plot) => plot.getAttribute('aria-label')))).toEqual([
          'Packets per second: up to 3/s, in steps of 1s',
          'Bytes per second on the wire: up to 162 B/s, in steps of 1s',
          'Redis commands per second: up to 1/s, in steps of 1s',
          'Redis latency (logarithmic scale): up to 6 ms, in steps of 1s',
        ]);
        await page.getByText('All figures').click();
        expect(await page.locator('tr').count()).toBe(1 + 6);
        expect(await page.locator('tr').last().innerText()).toContain('6 ms');
        if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
      },
      { colorScheme: 'dark' },
    ));

  it.each([360, 600, 1200])(
    'can be read at a width of %d pixels: no text is small, covered or outside',
    (width) =>
      open(
        async (page) => {
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
          await page.locator('svg').first().hover();
          const seen = await page.evaluate(() =>
            [...document.querySelectorAll('.plot')].map((plot) =>
              [...plot.querySelectorAll('h2, output, .key, .y span, .x span')].map((node) => {
                const { left, right, top, bottom } = node.getBoundingClientRect();
                const size = Number.parseFloat(getComputedStyle(node).fontSize);
                return { text: node.textContent, left, right, top, bottom, size };
              }),
            ),
          );
          expect(seen).toHaveLength(4);
          for (const texts of seen)
            for (const [at, one] of texts.entries()) {
              expect(one.size).toBeGreaterThanOrEqual(12);
              expect(one.left).toBeGreaterThanOrEqual(0);
              expect(one.right).toBeLessThanOrEqual(width);
              for (const other of texts.slice(at + 1)) {
                const apart =
                  one.right <= other.left ||
                  other.right <= one.left ||
                  one.bottom <= other.top ||
                  other.bottom <= one.top;
                expect([one.text, other.text, apart]).toEqual([one.text, other.text, true]);
              }
            }
          for (const axis of ['.y', '.x'])
            for (const each of await page.locator(axis).all())
              expect(await each.locator('span').count()).toBeGreaterThan(2);
        },
        { viewport: { width, height: 900 } },
      ),
  );

  it('shows the figures of the step that is pointed at, in all plots, and takes them away again', () =>
    open(async (page) => {
      expect(await readouts(page)).toEqual(['', '', '', '']);
      const { x, y, width, height } = (await page.locator('svg').nth(1).boundingBox())!;
      await page.mouse.move(x + width * 0.97, y + height / 2);
      expect(await readouts(page)).toEqual(LAST);
      await page.mouse.move(x, y - 60);
      expect(await readouts(page)).toEqual(['', '', '', '']);
    }));

  it('shows them by the keyboard, and tells them to a screen reader', () =>
    open(async (page) => {
      await page.keyboard.press('Tab');
      const focused = page.locator('svg:focus');
      expect(await focused.getAttribute('role')).toBe('slider');
      expect((await readouts(page))[0]).toBe('22:44:50 UTC: packets 3/s');
      await page.keyboard.press('ArrowRight');
      expect((await readouts(page))[0]).toBe('22:44:51 UTC: packets 2/s');
      expect(await focused.getAttribute('aria-valuetext')).toBe('22:44:51 UTC: packets 2/s');
      await page.keyboard.press('End');
      await page.keyboard.press('ArrowRight');
      expect(await readouts(page)).toEqual(LAST);
      await page.keyboard.press('PageDown');
      expect((await readouts(page))[0]).toContain('22:44:53');
      await page.keyboard.press('Escape');
      expect(await readouts(page)).toEqual(['', '', '', '']);
    }));

  it('is complete without scripts: each step has its figures as a title', () =>
    open(
      async (page) => {
        expect(await page.getByRole('img').count()).toBe(4);
        expect(await page.locator('#keys').isVisible()).toBe(false);
        const titles = await page.locator('svg').last().locator('title').allTextContents();
        expect(titles).toHaveLength(6);
        expect(titles[1]).toBe('22:44:51 UTC: p50 2 ms, p99 2 ms, max 2 ms');
      },
      { javaScriptEnabled: false },
    ));
});
