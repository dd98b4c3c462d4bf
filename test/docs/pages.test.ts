import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';
import { COMMANDS } from '../../src/commands/index.ts';

const folders = ['docs', 'src', 'test/cluster'];
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'CODE_OF_CONDUCT.md'],
  ...folders.flatMap((folder) =>
    (readdirSync(join(ROOT, folder), { recursive: true }) as string[]).map((name) => join(folder, name)),
  ),
].filter((name) => name.endsWith('.md'));

const textOf = (name: string) => readFileSync(join(ROOT, name), 'utf8');

/** As GitHub makes anchors of headings. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (name: string) =>
  [...textOf(name).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));

describe('links', () => {
  it.each(pages)('of %s lead somewhere', (name) => {
    const links = [
      ...textOf(name)
        .replaceAll(/```[\s\S]*?```|`[^`]*`/g, '')
        .matchAll(/\]\(([^)\s]+)\)/g),
    ].map(([, to]) => to!);
    for (const link of links.filter((to) => !/^https?:/.test(to))) {
      const [path, anchor] = link.split('#') as [string, string?];
      const target = path ? normalize(join(dirname(name), path)) : name;
      expect(existsSync(join(ROOT, target)), `${name}: ${link}`).toBe(true);
      if (anchor) expect(anchorsOf(target), `${name}: ${link}`).toContain(anchor);
    }
  });

  it('reach every page of docs/ from its index', () => {
    const reached = new Set(['docs/README.md']);
    for (const page of reached) {
      for (const [, link] of textOf(page).matchAll(/\]\((?!https?:)([^)\s#]+\.md)/g))
        reached.add(normalize(join(dirname(page), link!)));
    }
    for (const page of pages.filter((name) => name.startsWith('docs/'))) expect([...reached]).toContain(page);
  });
});

describe('messages in the troubleshooting page', () => {
  const sources = (readdirSync(join(ROOT, 'src'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts'))
    .map((name) => textOf(join('src', name)).replaceAll(/\$\{[^}]*\}/g, '\u0000'))
    .join('\n');
  const [messages] = textOf('docs/troubleshooting.md').split('## Reading results');
  it.each([...messages!.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading!))('%s', (heading) => {
    // Names that a message is filled with stand in quotes, brackets or after a verb: their places hold anything.
    const pattern = heading
      .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll(/"[^"]*"/g, '"\u0000"')
      .replace(/^0 /, '(?:0|\u0000) ')
      .replace('create pods', '\u0000')
      .replace('\\(Forbidden\\)', '\\(\u0000\\)');
    expect(sources).toMatch(new RegExp(pattern));
  });
});

describe('commands on pages', () => {
  // The reference is made from the commands; the sources' own pages are for developers.
  const written = pages.filter((name) => /^(?:README|docs\/(?!commands\/))/.test(name));
  it.each(written)('of %s exist, with their flags', (name) => {
    for (const line of textOf(name).split('\n')) {
      for (const [, verb, rest] of line.matchAll(/kubectl gkeprof ([a-z]+)([^`|#&]*)/g)) {
        const command = COMMANDS.find((each) => each.name === verb);
        expect(command, line).toBeDefined();
        for (const [, flag] of rest!.split(' -- ')[0]!.matchAll(/(?<=\s)--([a-z-]+)/g)) {
          expect(Object.keys(command!.options).concat('help'), line).toContain(flag);
        }
      }
    }
  });
});
