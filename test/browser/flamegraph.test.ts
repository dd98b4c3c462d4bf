import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asset } from '../../src/assets.ts';
import { drawFlamegraph } from '../../src/profile/flamegraph.ts';
import { stacksOf } from '../profile/reading.ts';
import { FLAGS } from './chromium.ts';

function picture(): string {
  const stacks = stacksOf([
    [['main', 'aeMain', 'readQueryFromClient', 'read'], 30],
    [['main', 'aeMain', 'call', 'getCommand'], 50],
    [['main', 'serverCron'], 20],
  ]);
  return drawFlamegraph(stacks, {
    title: 'redis',
    subtitle: [],
    script: asset('profile/flamegraph.browser.js'),
    style: asset('profile/flamegraph.css'),
  });
}

describe('the flame graph in a browser', () => {
  let browser: Browser;
  let page: Page;
  let problems: string[];
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-svg-'));
  const file = join(folder, 'flame.svg');
  const box = (name: string) => page.locator(`.frame[data-name="${name}"]`);
  const width = async (name: string) => (await box(name).locator('.box').boundingBox())!.width;

  beforeAll(async () => {
    writeFileSync(file, picture());
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
    });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    problems = [];
    page = await browser.newPage({ viewport: { width: 1220, height: 500 } });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('request', (request) => request.url().startsWith('file:') || problems.push(request.url()));
    await page.goto(`file://${file}`);
    return async () => {
      await page.close();
      expect(problems).toEqual([]);
    };
  });

  it('zooms into a box by click, and back by button and Escape', async () => {
    const before = await width('call');
    await box('call').click();
    expect(await width('call')).toBeGreaterThan(before * 1.8);
    expect(await box('serverCron').isVisible()).toBe(false);
    expect(await box('main').getAttribute('class')).toContain('parent');
    await page.locator('#reset').click();
    expect(await width('call')).toBeCloseTo(before, 0);
    await box('call').click();
    await page.keyboard.press('Escape');
    expect(await box('serverCron').isVisible()).toBe(true);
  });

  it('searches by regular expression, any case, and sums the widths without counting twice', async () => {
    page.once('dialog', (dialog) => void dialog.accept('^(CALL|getCommand|read)$'));
    await page.keyboard.press('/');
    expect(await page.locator('#matched').textContent()).toMatch(/^matched 80\.00 %/);
    expect(await page.locator('.frame.match').count()).toBe(3);
    page.once('dialog', (dialog) => void dialog.accept('(('));
    await page.keyboard.press('Control+f');
    expect(await page.locator('#matched').textContent()).toContain('not a regular expression');
  });

  it('is walked with the arrows, and Enter zooms', async () => {
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    expect(await page.locator('#details').textContent()).toMatch(/^aeMain \(80 samples, 80\.00 %/);
    await page.keyboard.press('Enter');
    expect(await box('serverCron').isVisible()).toBe(false);
  });

  it('shows what is under the pointer', async () => {
    await box('getCommand').hover();
    expect(await page.locator('#details').textContent()).toBe(
      'getCommand (50 samples, 50.00 %, 50 self) in /usr/bin/redis-server',
    );
  });

  it('is complete without scripts', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false });
    const quiet = await plain.newPage();
    await quiet.goto(`file://${file}`);
    expect(await quiet.locator('.frame').count()).toBe(9);
    expect(await quiet.locator('.frame[data-name="aeMain"] title').textContent()).toContain('80 samples');
    await plain.close();
  });
});
