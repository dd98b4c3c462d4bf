/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitsFacts } from '../../src/waits/facts.ts';
import { waitsPage } from '../../src/waits/page.ts';
import { readWaits } from '../../src/waits/read-waits.ts';
import { randomFrom } from '../random.ts';
import { cycle, pieces, synthetic } from '../waits/synthetic.ts';
import { FLAGS } from './chromium.ts';

const HOSTILE = '</h2><script>alert(1)</script>';

describe('the page of waits in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-waits-'));
  const path = join(folder, 'page.html');
  let browser: Browser;
  beforeAll(async () => {
    const { text } = synthetic({
      durationUs: 10e6,
      rateHz: 50,
      random: randomFrom(5),
      header: ['sock 0 1 tcp out 10.0.0.5:4000 10.0.0.9:5432'],
      threads: [encodeURIComponent(HOSTILE), 'worker'].map((comm, at) => ({
        tid: 200 + at,
        comm,
        next: cycle([
          { does: 'run', us: 20_000 },
          { does: 'wait', us: 60_000, object: 's:1' },
        ]),
      })),
    });
    const waits = await readWaits(
      pieces(text, () => 65_536),
      'a.waits.txt.gz',
    );
    const facts = waitsFacts(waits, { ofAddress: () => HOSTILE, ofContainer: () => undefined });
    writeFileSync(path, [...waitsPage(waits, facts, HOSTILE)].join(''));
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
      expect(await page.title()).toBe(`Waits of ${HOSTILE}`);
      await look(page);
      expect(problems).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const readouts = (page: Page) => page.locator('output').allTextContents();
  const FIGURES = /^22:13:\d\d\.\d UTC: running \d+\.\d %, network \d+\.\d %$/;

  it('shows the figures of the step that is pointed at, in all plots', () =>
    open(async (page) => {
      expect(await readouts(page)).toEqual(['', '', '']);
      await page.locator('svg').nth(1).hover();
      for (const text of await readouts(page)) expect(text).toMatch(FIGURES);
    }));

  it('shows them by the keyboard, and tells them to a screen reader', () =>
    open(async (page) => {
      await page.keyboard.press('Tab');
      const focused = page.locator('svg:focus');
      expect(await focused.getAttribute('role')).toBe('slider');
      const first = await readouts(page);
      await page.keyboard.press('End');
      const last = await readouts(page);
      expect(last[0]).toMatch(FIGURES);
      expect(last[0]).not.toBe(first[0]);
      expect(await focused.getAttribute('aria-valuetext')).toBe(last[0]);
      await page.keyboard.press('Escape');
      expect(await readouts(page)).toEqual(['', '', '']);
    }));

  it.each([360, 600, 1200])('fits a width of %d pixels, in both themes', async (width) => {
    for (const colorScheme of ['light', 'dark'] as const)
      await open(
        async (page) => {
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
          const colours = await page.evaluate(() =>
            ['running', 'network'].map(
              (each) => getComputedStyle(document.querySelector(`.bar.${each}`)!).fill,
            ),
          );
          expect(new Set(colours).size).toBe(2);
        },
        { viewport: { width, height: 900 }, colorScheme },
      );
  });
});
