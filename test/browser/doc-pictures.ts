import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { chromium } from 'playwright-core';
import { FLAGS } from './chromium.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const PICTURES = join(ROOT, 'docs/pictures');

interface Made {
  /** What is typed beside the recordings. */
  readonly words: readonly string[];
  /** Of the window, in pixels. */
  readonly height: number;
  /** What the reader's browser prefers. */
  readonly colours?: 'dark';
}

/** Each picture of the documentation. */
const MADE: Readonly<Record<string, Made>> = {
  'slow-redis.png': { words: ['render', 'slow.perf-script.txt.gz'], height: 460 },
  'slow-redis-dark.png': { words: ['render', 'slow.perf-script.txt.gz'], height: 460, colours: 'dark' },
  'slow-redis-diff.png': {
    words: ['diff', 'slow.perf-script.txt.gz', 'quick.perf-script.txt.gz'],
    height: 640,
  },
};

export const pictureNames = Object.keys(MADE);

/** A picture as the tool and Chromium make it now: the bytes of a PNG. */
export async function picture(name: string): Promise<Buffer> {
  const { words, height, colours = 'light' } = MADE[name]!;
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-pictures-'));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
  });
  try {
    await execa('cp', [...readdirSync(PICTURES).filter((file) => !file.endsWith('.png')), folder], {
      cwd: PICTURES,
    });
    await execa(process.execPath, [join(ROOT, 'plugin/kubectl-gkeprof'), ...words], { cwd: folder });
    const svg = readdirSync(folder).find((file) => file.endsWith('.svg'))!;
    const page = await browser.newPage({ viewport: { width: 1100, height }, colorScheme: colours });
    await page.goto(`file://${join(folder, svg)}`);
    return await page.screenshot();
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true });
  }
}
