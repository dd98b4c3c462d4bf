// `npm run bench:picture`: how long Chromium takes to open a picture of 100,000 distinct frames and more, to zoom and back, to
// search it and to turn it over, until the next frame is on the screen. The best and the worst of ROUNDS (5).

/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { browserHalf } from '../../src/formats.ts';
import { parseFolded } from '../../src/profile/folded-reader.ts';
import { drawPicture } from '../../src/profile/picture/svg.ts';
import { FLAGS } from '../browser/chromium.ts';
import { textOf } from '../profile/reading.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 5);

/** 40 modules of 50 classes of 50 methods, each with a function of its own on top: 200,000 names. */
const lines = Array.from({ length: 100_000 }, (_, at) => {
  const [module, type] = [Math.floor(at / 2500), Math.floor(at / 50)];
  return `main;module${module};type${type};method${at};function${at} ${1 + (at % 7)}\n`;
});
const profile = parseFolded(lines.join(''), { target: 'x' });
const svg = textOf(drawPicture(profile, { title: 'x', subtitle: [], ...browserHalf() }));
const folder = mkdtempSync(join(tmpdir(), 'gkeprof-picture-'));
const file = join(folder, 'x.svg');
writeFileSync(file, svg);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS,
});
try {
  const page = await browser.newPage({ viewport: { width: 1220, height: 700 } });
  const shown = () =>
    page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const times = new Map<string, number[]>();
  const time = async (what: string, act: () => Promise<unknown>) => {
    const begin = performance.now();
    await act();
    await shown();
    times.set(what, [...(times.get(what) ?? []), performance.now() - begin]);
  };
  const click = (selector: string) => () =>
    page.evaluate(
      (where) => document.querySelector(where)!.dispatchEvent(new MouseEvent('click', { bubbles: true })),
      selector,
    );
  for (let round = 0; round < ROUNDS; round += 1) {
    await time('open', () => page.goto(`file://${file}`));
    await time('zoom', click('.frame[data-name="module3"]'));
    await time('reset', click('#reset'));
    await time('icicle', click('#icicle'));
    await time('search', async () => {
      await page.keyboard.press('/');
      await page.keyboard.type('function1');
      await page.keyboard.press('Enter');
    });
    await page.goto('about:blank');
  }
  process.stdout.write(
    `${profile.frames.length} frames, ${(svg.length / 1e6).toFixed(1)} MB\n| | best | worst |\n| --- | --- | --- |\n`,
  );
  for (const [what, all] of times)
    process.stdout.write(
      `| ${what} | ${Math.min(...all).toFixed(0)} ms | ${Math.max(...all).toFixed(0)} ms |\n`,
    );
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
