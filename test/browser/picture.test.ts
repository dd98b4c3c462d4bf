/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare } from '../../src/profile/compare/compare.ts';
import { browserHalf } from '../../src/profile/export/formats.ts';
import { drawComparison, drawPicture } from '../../src/profile/picture/svg.ts';
import type { Profile } from '../../src/profile/profile.ts';
import { parseFolded } from '../../src/profile/read/folded-reader.ts';
import { printable } from '../../src/text/printable.ts';
import { read, stacksOf, textOf } from '../profile/reading.ts';
import { FLAGS } from './chromium.ts';

const draw = (profile: Profile): string =>
  textOf(drawPicture(profile, { title: 'redis', subtitle: [], ...browserHalf() }));

const REDIS = stacksOf([
  [['main', 'aeMain', 'readQueryFromClient', 'read'], 30],
  [['main', 'aeMain', 'call', 'getCommand'], 50],
  [['main', 'serverCron', 'call', 'expire'], 20],
]);

/** Ten seconds: the first five in `early`, then `late`, by two threads in turn, 20 samples a second. */
const TIMED = Array.from({ length: 200 }, (_, at) => {
  const leaf = at < 100 ? 'early' : 'late';
  return `w 1/${1 + (at % 2)} [000] ${(50 + at / 20).toFixed(6)}: 7 cpu-clock:\n\t1 ${leaf} (/x)\n\t1 main (/x)\n\n`;
}).join('');

describe('the picture in a browser', () => {
  let browser: Browser;
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-svg-'));
  const put = (name: string, svg: string): string => {
    writeFileSync(join(folder, name), svg);
    return `file://${join(folder, name)}`;
  };
  let redis: string;
  let timed: string;
  beforeAll(async () => {
    redis = put('redis.svg', draw(REDIS));
    timed = put('timed.svg', draw((await read(TIMED)).profile));
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
    });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a picture; whatever goes wrong in it, or is asked for from anywhere, fails the test. */
  async function open(
    url: string,
    look: (page: Page) => Promise<void>,
    options: BrowserContextOptions = {},
  ): Promise<void> {
    const context = await browser.newContext({ viewport: { width: 1220, height: 600 }, ...options });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => problems.push(message.text()));
    page.on('request', (request) => request.url().startsWith('file:') || problems.push(request.url()));
    page.on('dialog', (dialog) => problems.push(dialog.message()));
    await page.goto(url);
    try {
      await look(page);
      expect(problems).toEqual([]);
    } finally {
      await context.close();
    }
  }

  const box = (page: Page, name: string) => page.locator(`.frame[data-name="${name}"]`);
  const width = async (page: Page, name: string) =>
    (await box(page, name).first().locator('.box').boundingBox())!.width;
  const text = (page: Page, id: string) => page.locator(`#${id}`).textContent();
  const labels = (page: Page) =>
    page.locator('.frame').evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')));

  it('zooms by click, goes back, resets, and keeps where it is in the address', () =>
    open(redis, async (page) => {
      const before = await width(page, 'getCommand');
      await box(page, 'aeMain').click();
      expect(await width(page, 'getCommand')).toBeGreaterThan(before * 1.2);
      expect(await box(page, 'serverCron').count()).toBe(0);
      expect(await box(page, 'main').getAttribute('class')).toContain('parent');
      await box(page, 'getCommand').click();
      expect(await width(page, 'getCommand')).toBeCloseTo(1200, -1);
      await page.keyboard.press('Backspace');
      expect(await box(page, 'readQueryFromClient').count()).toBe(1);
      expect(page.url()).toMatch(/#zoom=\d+$/);
      await page.reload();
      expect(await box(page, 'serverCron').count()).toBe(0);
      await page.locator('#reset').click();
      expect(await width(page, 'getCommand')).toBeCloseTo(before, 0);
      expect(page.url()).not.toContain('#');
    }));

  it('searches by regular expression and sums the widths without counting twice', () =>
    open(redis, async (page) => {
      await page.keyboard.press('/');
      await page.keyboard.type('^(CALL|getCommand|read)$');
      expect(await text(page, 'matched')).toBe('matched 100.00 % (100 samples)');
      expect(await page.locator('.frame.match').count()).toBe(4);
      await page.locator('#case').click();
      expect(await text(page, 'matched')).toBe('matched 80.00 % (80 samples)');
      await page.locator('#query').fill('((');
      expect(await text(page, 'matched')).toBe('not a regular expression: ((');
      await page.locator('#query').fill('call');
      await page.keyboard.press('Enter');
      expect(await text(page, 'details')).toMatch(/^call \(50 samples/);
      await page.keyboard.press('n');
      expect(await text(page, 'details')).toMatch(/^call \(20 samples/);
      await page.reload();
      expect(await text(page, 'matched')).toBe('matched 70.00 % (70 samples)');
      await box(page, 'serverCron').click();
      expect(await text(page, 'matched')).toBe('matched 100.00 % (20 samples)');
    }));

  it('is a tree for screen readers, walked with the arrows', () =>
    open(redis, async (page) => {
      expect(await page.locator('[role=tree]').getAttribute('aria-label')).toBe('call stacks');
      expect(await box(page, 'aeMain').getAttribute('role')).toBe('treeitem');
      expect(await box(page, 'aeMain').getAttribute('aria-level')).toBe('4');
      for (let step = 0; step < 4; step += 1) await page.keyboard.press('ArrowUp');
      expect(await text(page, 'details')).toBe(
        'aeMain (80 samples, 80.00 %, 0 samples self) in /usr/bin/redis-server',
      );
      expect(await page.evaluate(() => document.activeElement?.getAttribute('data-name'))).toBe('aeMain');
      await page.keyboard.press('ArrowRight');
      expect(await text(page, 'details')).toMatch(/^serverCron/);
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('ArrowDown');
      expect(await text(page, 'details')).toMatch(/^main /);
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('Enter');
      expect(await box(page, 'serverCron').count()).toBe(0);
      expect(await page.evaluate(() => document.activeElement?.getAttribute('data-name'))).toBe('aeMain');
      await page.keyboard.press('c');
      expect(await text(page, 'details')).toMatch(/^(copied|stack): redis-server;main;aeMain 80$/);
      await page.keyboard.press('Escape');
      expect(await box(page, 'serverCron').count()).toBe(1);
    }));

  it('turns over, and shows callers and callees of a function over all its places', () =>
    open(redis, async (page) => {
      const y = async (name: string) => (await box(page, name).first().boundingBox())!.y;
      expect(await y('main')).toBeGreaterThan(await y('aeMain'));
      await page.keyboard.press('i');
      expect(await y('main')).toBeLessThan(await y('aeMain'));
      await page.keyboard.press('i');
      await box(page, 'call').first().focus();
      await page.keyboard.press('s');
      expect(await text(page, 'state')).toContain('sandwich: callers above and callees below call');
      const all = await labels(page);
      expect(all).toContainEqual(expect.stringMatching(/^call \(70 samples, 100\.00 %/));
      expect(all).toContainEqual(expect.stringMatching(/^serverCron \(20 samples, 28\.57 %/));
      expect(all).toContainEqual(expect.stringMatching(/^getCommand \(50 samples, 71\.43 %/));
      expect(await y('serverCron')).toBeLessThan(await y('getCommand'));
      await page.keyboard.press('Backspace');
      expect(await box(page, 'main').count()).toBe(1);
    }));

  it('shows time: a range of the heat map draws the graph anew, and stacks in their order', () =>
    open(timed, async (page) => {
      await page.keyboard.press('h');
      const ground = (await page.locator('#heat-ground').boundingBox())!;
      expect(await page.locator('.heat-cell').count()).toBe(200);
      const column = ground.width / 10;
      await page.mouse.move(ground.x + column * 5.5, ground.y + ground.height - 1);
      await page.mouse.down();
      await page.mouse.move(ground.x + column * 7.5, ground.y + 1);
      await page.mouse.up();
      expect(await text(page, 'state')).toContain('5.00 s to 8.00 s: 60 samples');
      expect(await box(page, 'early').count()).toBe(0);
      expect(await box(page, 'late').getAttribute('aria-label')).toMatch(/^late \(60 samples, 100\.00 %/);
      expect(page.url()).toContain('range=5.0000-8.0000');
      await page.reload();
      expect(await box(page, 'late').getAttribute('aria-label')).toMatch(/^late \(60 samples/);
      await page.locator('#heat-ground').focus();
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Shift+ArrowRight');
      await page.keyboard.press('Enter');
      expect(await text(page, 'state')).toContain('4.00 s to 5.02 s: 21 samples');
      await page.keyboard.press('Escape');
      await page.keyboard.press('t');
      expect(await text(page, 'state')).toContain('in time order');
      const order = await page.locator('.frame').evaluateAll((all) =>
        all
          .filter((each) => /early|late/.test(each.getAttribute('data-name')!))
          .map(
            (each) =>
              [
                Number(each.querySelector('.box')!.getAttribute('x')),
                each.getAttribute('data-name'),
              ] as const,
          )
          .sort((a, b) => a[0] - b[0])
          .map(([, name]) => name),
      );
      expect(order).toEqual(['early', 'late', 'early', 'late']);
    }));

  it('offers no view of times where there are none', () =>
    open(redis, async (page) => {
      expect(await page.locator('#chart').count()).toBe(0);
      expect(await page.locator('#heatmap').count()).toBe(0);
      await page.keyboard.press('h');
      expect(await text(page, 'details')).toBe('this profile has no sample times');
    }));

  it('follows the window’s width, and dark mode', () =>
    open(
      redis,
      async (page) => {
        const wide = await width(page, 'main');
        await page.setViewportSize({ width: 500, height: 600 });
        // It may be drawn several times until it has the new width, and an element that was replaced has none.
        await page.waitForFunction(
          (before) => document.querySelector('.frame .box')!.getBoundingClientRect().width < before,
          wide,
        );
        await expect
          .poll(() =>
            page.evaluate(
              () => document.querySelector('.frame[data-name="main"] .box')?.getBoundingClientRect().width,
            ),
          )
          .toBeCloseTo(480, 0);
        const colour = (selector: string) =>
          page
            .locator(selector)
            .first()
            .evaluate((each) => getComputedStyle(each).fill);
        expect(await colour('.background')).toBe('rgb(23, 23, 28)');
        await page.emulateMedia({ colorScheme: 'light' });
        expect(await colour('.background')).toBe('rgb(255, 255, 255)');
      },
      { colorScheme: 'dark' },
    ));

  it.each([320, 360, 700, 1220])(
    'keeps its head in sight and apart at a width of %i pixels',
    async (wide) => {
      const subtitle = [
        '2026-11-26 11:24:13 UTC · 60s at 99 Hz · cpu-clock (weighed by samples) · 12668 samples, none lost · 2.00 cores busy',
      ];
      const picture = {
        title: 'redis/redis-0, container redis on gke-pool-1-node-a',
        subtitle,
        ...browserHalf(),
      };
      const svg = textOf(drawPicture((await read(TIMED)).profile, picture));
      await open(
        put(`wide-${wide}.svg`, svg),
        async (page) => {
          await page.keyboard.press('h');
          await page.keyboard.press('?');
          await page.locator('#query').fill('early');
          const head = page.locator('#head text, #head foreignObject');
          const boxes = await head.evaluateAll((all) =>
            all
              .filter((each) => each.textContent !== '' && getComputedStyle(each).visibility === 'visible')
              .map((each) => ({ text: each.textContent, ...each.getBoundingClientRect().toJSON() })),
          );
          expect(boxes.length).toBeGreaterThan(12);
          for (const box of boxes) expect.soft(box.right, box.text).toBeLessThanOrEqual(wide);
          const meet = boxes.flatMap((a, at) =>
            boxes
              .slice(at + 1)
              // Letters may reach a little into the line above.
              .filter(
                (b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom,
              )
              .map((b) => `${a.text} / ${b.text}`),
          );
          expect(meet).toEqual([]);
          expect(await text(page, 'heat')).toMatch(/0 s/);
        },
        { viewport: { width: wide, height: 700 } },
      );
    },
  );

  it('runs nothing that a name holds', () => {
    const names = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      ']]><script>alert(2)</script>',
      "');alert(3)//",
      '\u0000\u001b[31m',
      '</metadata><script>alert(4)</script>',
    ];
    const hostile = put(
      'hostile.svg',
      draw(
        stacksOf(
          names.map((name) => [[name, name], 5] as const),
          '<b onclick=alert(5)>',
        ),
      ),
    );
    return open(hostile, async (page) => {
      for (const name of names)
        expect(
          await page.locator('.frame').evaluateAll(
            (all, wanted) => all.filter((each) => each.getAttribute('data-name') === wanted).length,
            printable(name), // As the picture shows it: control characters are made visible.
          ),
        ).toBe(2);
      await page.locator('.frame').nth(3).click();
      await page.keyboard.press('c');
      await page.locator('#query').fill('alert');
      expect(await page.locator('#frames img, #frames script, #frames b').count()).toBe(0);
    });
  });

  it('is complete without scripts', () =>
    open(
      redis,
      async (page) => {
        expect(await page.locator('.frame').count()).toBe(11);
        const titles = await page.locator('.frame title').allTextContents();
        expect(titles).toContain('aeMain (80 samples, 80.00 %, 0 samples self) in /usr/bin/redis-server');
      },
      { javaScriptEnabled: false },
    ));

  it('looks the same with scripts as without', async () => {
    const folded =
      'main;a 30\nmain;sys_[k] 9\nmain;Interpreter_[j];inner_[i] 20\nmain;a_name_that_is_cut_short 6\n';
    const before = parseFolded(folded, { target: 'before' });
    const after = parseFolded('main;a 40\nmain;sys_[k] 5\nmain;new 20\n', { target: 'after' });
    const comparison = textOf(
      drawComparison(compare(before, after), { title: 'diff', subtitle: [], ...browserHalf() }),
    );
    for (const url of [put('same.svg', draw(before)), put('same-diff.svg', comparison)]) {
      const seen: unknown[] = [];
      for (const javaScriptEnabled of [false, true])
        await open(
          url,
          async (page) => {
            const boxes = await page.locator('.frame').evaluateAll((all) =>
              all.map((each) => {
                const box = each.querySelector('.box')!;
                return {
                  kind: each.getAttribute('class'),
                  title: each.querySelector('title')!.textContent!.replace(/^[+=\u2212] /, ''),
                  fill: box.getAttribute('fill'),
                  pattern: each.querySelector('.pattern')?.getAttribute('fill'),
                  label: each.querySelector('text')?.textContent,
                  place: ['x', 'width', 'height'].map((name) => Number(box.getAttribute(name)).toFixed(1)),
                  labelDown: each.querySelector('text')
                    ? Number(each.querySelector('text')!.getAttribute('y')) - Number(box.getAttribute('y'))
                    : undefined,
                };
              }),
            );
            seen.push(boxes.sort((a, b) => (a.title < b.title ? -1 : 1)));
          },
          { javaScriptEnabled, viewport: { width: 1200, height: 600 } },
        );
      expect(seen[1]).toEqual(seen[0]);
      expect((seen[0] as unknown[]).length).toBeGreaterThan(5);
    }
  });

  it('draws what is too thin at first when it is zoomed into', () => {
    const thin = stacksOf(
      [
        [['wide'], 1_000_000],
        [['rare', 'thin'], 60],
        [['rare', 'thinner'], 20],
      ],
      'x',
    );
    return open(put('thin.svg', draw(thin)), async (page) => {
      expect(await box(page, 'thin').count()).toBe(0);
      expect(await text(page, 'note')).toContain('3 boxes narrower than half a pixel');
      await page.goto(`${page.url()}#zoom=2`);
      await page.reload();
      expect(await box(page, 'thin').getAttribute('aria-label')).toContain('75.00 % of the zoomed box');
      expect(await box(page, 'thinner').count()).toBe(1);
    });
  });

  /** 4,000 handlers side by side, each thinner than half a pixel at any width of a window. */
  const crowd = () =>
    draw(
      stacksOf(
        Array.from({ length: 4000 }, (_, at) => [['main', `handle_${at}`, `work_${at}`], 3] as const),
        'x',
      ),
    );
  const active = (page: Page) =>
    page.evaluate(() => document.activeElement?.getAttribute('data-name') ?? document.activeElement?.id);

  it('goes to matches that are too thin to be drawn, from the search field on', () =>
    open(put('crowd.svg', crowd()), async (page) => {
      expect(await box(page, 'work_2999').count()).toBe(0);
      await page.keyboard.press('/');
      await page.keyboard.type('work_(2999|17)$');
      expect(await text(page, 'matched')).toBe('matched 0.05 % (6 samples)');
      // What holds them is marked before.
      expect(await box(page, 'main').getAttribute('class')).toContain('holds');
      await page.keyboard.press('Enter');
      expect(await active(page)).toBe('work_17');
      expect(await box(page, 'work_17').getAttribute('class')).toContain('match');
      expect(await width(page, 'work_17')).toBeGreaterThan(50);
      await page.keyboard.press('n');
      expect(await active(page)).toBe('work_2999');
      expect(await width(page, 'work_2999')).toBeGreaterThan(50);
      await page.keyboard.press('n');
      expect(await active(page)).toBe('work_17');
      await page.keyboard.press('N');
      expect(await active(page)).toBe('work_2999');
      const query = page.locator('#query').evaluate((each) => (each as HTMLInputElement).value);
      expect(await query).toBe('work_(2999|17)$');
      expect(await text(page, 'matched')).toBe('matched 0.05 % (6 samples)');
      // One step back is where the search began.
      await page.keyboard.press('Backspace');
      expect(await box(page, 'work_2999').count()).toBe(0);
      expect(page.url()).not.toContain('zoom');
    }));

  it('goes to matches by touch', () =>
    open(
      put('crowd.svg', crowd()),
      async (page) => {
        await page.locator('#query').fill('work_2999$');
        await page.locator('#next').tap();
        expect(await active(page)).toBe('work_2999');
        await page.locator('#query').fill('');
        expect(await page.locator('#next').getAttribute('visibility')).toBe('hidden');
      },
      { hasTouch: true, viewport: { width: 320, height: 600 } },
    ));

  it('walks with the arrows to boxes that are too thin to be drawn', () =>
    open(put('crowd.svg', crowd()), async (page) => {
      for (let step = 0; step < 4; step += 1) await page.keyboard.press('ArrowUp');
      expect(await active(page)).toBe('handle_0');
      await page.keyboard.press('ArrowRight');
      expect(await active(page)).toBe('handle_1');
      await page.keyboard.press('ArrowUp');
      expect(await active(page)).toBe('work_1');
      await page.keyboard.press('ArrowLeft');
      expect(await active(page)).toBe('work_0');
    }));

  it('takes every key where there is one box, and where stacks are very deep', async () => {
    const deep = Array.from({ length: 5000 }, (_, at) => `f${at}`);
    for (const [name, stacks] of [
      ['f0', [[['f0'], 1]]],
      [
        'f4321',
        [
          [deep, 3],
          [['f0', 'x'], 1],
        ],
      ],
    ] as const)
      await open(put('extreme.svg', draw(stacksOf(stacks))), async (page) => {
        for (const key of [
          'ArrowUp',
          'ArrowRight',
          'n',
          'N',
          'c',
          'C',
          's',
          's',
          'i',
          't',
          'h',
          '?',
          'Escape',
        ])
          await page.keyboard.press(key);
        await page.locator('#query').fill(`^${name}$`);
        await page.keyboard.press('Enter');
        expect(await active(page)).toBe(name);
        const place = (await box(page, name).boundingBox())!;
        expect(place.y).toBeGreaterThan(0);
        expect(place.y).toBeLessThan(600);
      });
  });

  it('says where a match is that a sandwich has no room for', () =>
    open(put('crowd.svg', crowd()), async (page) => {
      await box(page, 'main').focus();
      await page.keyboard.press('s');
      await page.locator('#query').fill('work_2999$');
      await page.keyboard.press('Enter');
      expect(await active(page)).toBe('main');
      expect(await text(page, 'details')).toMatch(/^work_2999 \(3 samples.*too narrow to be drawn/);
    }));

  it('has the root in view after a zoom into a short part, and where it was at load after a reset', () => {
    const deep = Array.from({ length: 90 }, (_, at) => `deep_${at}`);
    const svg = draw(
      stacksOf([
        [['main', ...deep], 5],
        [['main', 'short'], 100],
      ]),
    );
    return open(put('deep.svg', svg), async (page) => {
      const scrolled = () => page.evaluate(() => window.scrollY);
      const inView = async (name: string) => {
        const place = (await box(page, name).first().boundingBox())!;
        return place.y >= 0 && place.y + place.height <= 600;
      };
      const atLoad = await scrolled();
      expect(atLoad).toBeGreaterThan(500);
      for (const leave of ['Escape', 'Backspace']) {
        await box(page, 'short').click();
        expect(await inView('all')).toBe(true);
        expect(await scrolled()).toBe(0);
        await page.keyboard.press(leave);
        expect(await scrolled()).toBe(atLoad);
        expect(await inView('all')).toBe(true);
      }
      await box(page, 'short').click();
      await page.locator('#reset').click();
      expect(await scrolled()).toBe(atLoad);
      // A box so far up that the root has no room in the window is in view itself.
      await page.evaluate(() => window.scrollTo(0, 0));
      await box(page, 'deep_80').click();
      expect(await inView('deep_80')).toBe(true);
      await page.keyboard.press('i');
      expect(await inView('all')).toBe(true);
      await page.keyboard.press('i');
      expect(await scrolled()).toBe(atLoad);
      // A window of another width does not lose it either.
      await page.setViewportSize({ width: 400, height: 600 });
      // The window is narrower before the picture is drawn anew, which takes its boxes away.
      await page.waitForFunction(() =>
        document.documentElement.getAttribute('viewBox')!.startsWith('0 0 400 '),
      );
      expect(await inView('all')).toBe(true);
    });
  });

  it('says no share of the zoomed box for what that is a part of', () =>
    open(redis, async (page) => {
      await box(page, 'getCommand').click();
      for (const name of ['all', 'main', 'aeMain'])
        expect(await box(page, name).getAttribute('aria-label')).not.toContain('of the zoomed box');
      expect(await box(page, 'main').getAttribute('aria-label')).toBe(
        'main (100 samples, 100.00 %, 0 samples self) in /usr/bin/redis-server',
      );
    }));

  it('shows a long name whole, apart from its figures, and copies it alone', async () => {
    const long = `std::map<${'std::basic_string<char,std::char_traits<char>>,'.repeat(12)}int>::operator[](key const&)`;
    const svg = draw(stacksOf([[['main', long], 5]]));
    for (const wide of [320, 1220])
      await open(
        put('long.svg', svg),
        async (page) => {
          await box(page, long).focus();
          expect(await text(page, 'details-name')).toBe(long);
          expect(await text(page, 'details')).toBe(
            `${long} (5 samples, 100.00 %, 5 samples self) in /usr/bin/redis-server`,
          );
          const lines = page.locator('#details tspan');
          expect(await lines.count()).toBeGreaterThan(4);
          const rights = await lines.evaluateAll((all) =>
            all.map((each) => each.getBoundingClientRect().right),
          );
          expect(Math.max(...rights)).toBeLessThanOrEqual(wide);
          await page.keyboard.press('C');
          expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(long);
          expect(await text(page, 'details')).toBe(`copied: ${long}`);
        },
        { viewport: { width: wide, height: 600 }, permissions: ['clipboard-read', 'clipboard-write'] },
      );
  });

  it('copies what is pointed at', () =>
    open(
      redis,
      async (page) => {
        await box(page, 'getCommand').hover();
        await page.keyboard.press('C');
        expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('getCommand');
      },
      { permissions: ['clipboard-read', 'clipboard-write'] },
    ));

  it('works twice in one page, and leaves the page its address, its keys and its text', () => {
    const page = `<!doctype html><p id="text" class="title button">text</p><input id="own">${draw(REDIS)}${crowd()}`;
    writeFileSync(join(folder, 'two.html'), page);
    return open(`file://${join(folder, 'two.html')}`, async (page) => {
      const [first, second] = [page.locator('svg').nth(0), page.locator('svg').nth(1)];
      await first.locator('.frame[data-name="aeMain"]').click();
      expect(await first.locator('.frame[data-name="serverCron"]').count()).toBe(0);
      expect(await second.locator('.frame[data-name="main"]').count()).toBe(1);
      await second.locator('#query').fill('work_2999$');
      await page.keyboard.press('Enter');
      expect(await active(page)).toBe('work_2999');
      expect(await first.locator('.match').count()).toBe(0);
      expect(page.url()).not.toContain('#');
      await page.locator('#own').focus();
      await page.keyboard.type('/is');
      expect(await page.locator('#own').inputValue()).toBe('/is');
      expect(await first.locator('#state').textContent()).toBe('');
      const style = await page.locator('#text').evaluate((each) => {
        const { fontSize, cursor } = getComputedStyle(each);
        return { fontSize, cursor };
      });
      expect(style).toEqual({ fontSize: '16px', cursor: 'auto' });
    });
  });

  it.each([true, false])(
    'prints on one page, on its side, small and light (scripts: %s)',
    (javaScriptEnabled) => {
      // The kernel's and the JIT's boxes have patterns, which Chromium makes megabytes of; 60 rows are more than a page has.
      const way = (at: number) =>
        Array.from({ length: 60 }, (_, depth) => `f${depth}_${at % (depth + 2)}_[k]`);
      const lines = Array.from({ length: 40 }, (_, at) => `main;${way(at).join(';')} ${1 + (at % 7)}\n`);
      const file = put('print.svg', draw(parseFolded(lines.join(''), { target: 'x' })));
      return open(
        file,
        async (page) => {
          await page.evaluate(() => window.scrollTo(0, 300)); // The head goes along.
          const pdf = (await page.pdf({ preferCSSPageSize: true })).toString('latin1');
          expect(pdf.match(/\/Type \/Page\b/g)).toHaveLength(1);
          const [, wide, high] = /\/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]/.exec(pdf)!.map(Number);
          expect(wide).toBeGreaterThan(high!);
          expect(pdf.length).toBeLessThan(200_000);
          await page.emulateMedia({ media: 'print' });
          for (const part of ['.title', '.frame[class*="kernel"]', '.frame.thread']) {
            const place = (await page.locator(part).first().boundingBox())!;
            expect(place.y).toBeGreaterThanOrEqual(0);
            expect(place.y + place.height).toBeLessThanOrEqual(600);
          }
          expect(await page.locator('.pattern').first().isVisible()).toBe(false);
          const ground = page.locator('.background').first();
          expect(await ground.evaluate((each) => getComputedStyle(each).fill)).toBe('rgb(255, 255, 255)');
        },
        { javaScriptEnabled, colorScheme: 'dark' },
      );
    },
  );

  it('shows a comparison with both counts, a sign and a colour', () => {
    const comparison = compare(
      parseFolded('main;a 30\nmain;gone;x 10\n', { target: 'before' }),
      parseFolded('main;a 20\nmain;new 20\n', { target: 'after' }),
    );
    const svg = textOf(drawComparison(comparison, { title: 'diff', subtitle: [], ...browserHalf() }));
    return open(put('diff.svg', svg), async (page) => {
      expect(await box(page, 'gone').getAttribute('aria-label')).toBe(
        'gone (gone): before 10 samples (25.00 %), after 0 samples (0.00 %), \u221225.00 points',
      );
      expect(await box(page, 'new').locator('text').textContent()).toBe('+ new');
      expect(await width(page, 'new')).toBeCloseTo(2 * (await width(page, 'gone')), 0);
      const fill = (name: string) => box(page, name).locator('.box').getAttribute('fill');
      expect(await fill('new')).toBe('hsl(20 90% 58%)');
      expect(await fill('gone')).toBe('hsl(215 90% 58%)');
      await box(page, 'gone').click();
      expect(await box(page, 'new').count()).toBe(0);
    });
  });

  it('has no colour and no sign for what may be chance', () => {
    const comparison = compare(
      parseFolded('main;a 30\nmain;gone;x 10\n', { target: 'before' }),
      parseFolded('main;a 20\nmain;new 20\n', { target: 'after' }),
    );
    const changed = Uint8Array.from(comparison.frames, ({ name }) => (name === 'new' ? 1 : 0));
    const svg = textOf(
      drawComparison(comparison, { title: 'diff', subtitle: [], ...browserHalf() }, changed),
    );
    return open(put('chance.svg', svg), async (page) => {
      const fill = (name: string) => box(page, name).locator('.box').getAttribute('fill');
      expect(await fill('new')).toBe('hsl(20 90% 58%)');
      expect(await fill('gone')).toBe('hsl(0 0% 86%)');
      expect(await box(page, 'gone').locator('text').textContent()).toBe('= gone');
    });
  });
});
