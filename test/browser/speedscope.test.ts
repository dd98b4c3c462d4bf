import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { speedscopePieces } from '../../src/profile/export/speedscope.ts';
import { stacksOf } from '../profile/reading.ts';
import { FLAGS } from './chromium.ts';

const RELEASE = fileURLToPath(
  new URL('../../node_modules/speedscope/dist/release/index.html', import.meta.url),
);

it('speedscope’s own release opens our export and shows its weights', async () => {
  const profile = stacksOf([
    [['main', 'aeMain', 'call', 'getCommand'], 700],
    [['main', 'aeMain', 'sys_read'], 300],
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-speedscope-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...FLAGS, '--allow-file-access-from-files'],
  });
  try {
    const base64 = Buffer.from([...speedscopePieces(profile, 'test')].join('')).toString('base64');
    const script = join(folder, 'profile.js');
    // As speedscope's own command line hands it over.
    writeFileSync(script, `speedscope.loadFileFromBase64("x.speedscope.json", "${base64}")`);
    const page = await browser.newPage({ viewport: { width: 1200, height: 700 } });
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`file://${RELEASE}#localProfilePath=${script}`);
    await page.getByText('Sandwich', { exact: false }).first().click();
    await page.getByText('getCommand').first().waitFor();
    const text = await page.locator('body').innerText();
    expect(text).toContain('sys_read');
    expect(text).toMatch(/700\s*\(70%\)/);
    expect(text).toMatch(/1,000\s*\(100%\)/);
    expect(problems).toEqual([]);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
});
