/// <reference lib="dom" />

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { FLAGS } from './chromium.ts';
import { PICTURES, picture, pictureNames } from './doc-pictures.ts';

/** The share of pixels that differ by more than what another version of a font's renderer makes of an edge. */
async function difference(a: Buffer, b: Buffer): Promise<number> {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
  });
  try {
    const page = await browser.newPage();
    return await page.evaluate(
      async (urls) => {
        const [one, other] = await Promise.all(
          urls.map(async (url) => {
            const image = await createImageBitmap(await (await fetch(url)).blob());
            const canvas = new OffscreenCanvas(image.width, image.height);
            const context = canvas.getContext('2d')!;
            context.drawImage(image, 0, 0);
            return context.getImageData(0, 0, image.width, image.height);
          }),
        );
        if (one!.width !== other!.width || one!.height !== other!.height) return 1;
        let differ = 0;
        for (let at = 0; at < one!.data.length; at += 4) {
          const apart = [0, 1, 2].map((part) => Math.abs(one!.data[at + part]! - other!.data[at + part]!));
          if (Math.max(...apart) > 64) differ += 1;
        }
        return differ / (one!.data.length / 4);
      },
      [a, b].map((bytes) => `data:image/png;base64,${bytes.toString('base64')}`),
    );
  } finally {
    await browser.close();
  }
}

const stored = (name: string) => readFileSync(join(PICTURES, name));

it.each(pictureNames)('%s is what the tool draws now', async (name) => {
  expect(await difference(stored(name), await picture(name))).toBeLessThan(0.02);
});

it('tells pictures apart', async () => {
  expect(await difference(stored('slow-redis.png'), stored('slow-redis-diff.png'))).toBe(1);
});

it('has the same picture on a dark background for readers who prefer it', async () => {
  expect(await difference(stored('slow-redis.png'), stored('slow-redis-dark.png'))).toBeGreaterThan(0.3);
});
