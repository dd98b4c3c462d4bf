// `npm run bench:picture`: how long Chromium takes to open a picture of 100,000 distinct frames and more, to zoom and back, to
// search it and to turn it over, until the next frame is on the screen; and to print one of 500 functions, half of them the
// kernel's, with the processor time of all its processes and the size of the PDF. The best and the worst of ROUNDS (5).

/// <reference lib="dom" />

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { browserHalf } from '../../src/profile/export/formats.ts';
import { drawPicture } from '../../src/profile/picture/svg.ts';
import { parseFolded } from '../../src/profile/read/folded-reader.ts';
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

/** 200 stacks of up to 30 of 500 functions. */
const printed = Array.from({ length: 200 }, (_, at) => {
  const names = Array.from(
    { length: 10 + ((at * 7) % 20) },
    (_, depth) => `function${(depth * 17 + ((at >> (depth % 5)) % 4)) % 500}${depth % 2 ? '_[k]' : ''}`,
  );
  return `main;${names.join(';')} ${1 + (at % 40)}\n`;
});
const forPrint = join(folder, 'print.svg');
writeFileSync(
  forPrint,
  textOf(
    drawPicture(parseFolded(printed.join(''), { target: 'x' }), {
      title: 'x',
      subtitle: [],
      ...browserHalf(),
    }),
  ),
);

/** Seconds of processor time of this process's children and of theirs, those that have ended included. */
function childrenSeconds(): number {
  const all = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      // proc(5), /proc/pid/stat, from the state on: ppid is field 4, utime to cstime 14 to 17.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      all.set(Number(pid), { parent: Number(fields[1]), ticks });
    } catch {
      // It has ended meanwhile.
    }
  const isBelow = (pid: number): boolean => {
    const parent = all.get(pid)?.parent ?? 0;
    return parent === process.pid || (parent > 1 && isBelow(parent));
  };
  return [...all].reduce((sum, [pid, { ticks }]) => sum + (isBelow(pid) ? ticks / 100 : 0), 0);
}

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
  const prints: number[] = [];
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.goto(`file://${forPrint}`);
    const before = childrenSeconds();
    await time('print', async () => {
      bytes = (await page.pdf({ preferCSSPageSize: true })).length;
    });
    prints.push(childrenSeconds() - before);
  }
  process.stdout.write(
    `${profile.frames.length} frames, ${(svg.length / 1e6).toFixed(1)} MB\n| | best | worst |\n| --- | --- | --- |\n`,
  );
  for (const [what, all] of times)
    process.stdout.write(
      `| ${what} | ${Math.min(...all).toFixed(0)} ms | ${Math.max(...all).toFixed(0)} ms |\n`,
    );
  process.stdout.write(
    `print: ${Math.min(...prints).toFixed(2)} to ${Math.max(...prints).toFixed(2)} s of processor time, ${Math.round(bytes / 1000)} kB\n`,
  );
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
