import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(`${ROOT}README.md`, 'utf8');

it('is shorter than 150 lines', () => expect(readme.split('\n').length).toBeLessThan(150));

it('shows what it is, a picture, how to install it and the two commands, in this order', () => {
  const places = [
    /^`kubectl gkeprof` records /m,
    /^<picture>$/m,
    /^## Install$/m,
    /^\$ kubectl gkeprof flamegraph /m,
    /^\$ kubectl gkeprof pcap /m,
    /^## Works with \/ does not$/m,
    /^## Is it safe\?$/m,
    /^## Why not …$/m,
  ].map((pattern) => readme.search(pattern));
  expect(places).not.toContain(-1);
  expect(places).toEqual([...places].sort((a, b) => a - b));
});

it('has its picture for readers who prefer a light and a dark background', () => {
  const pictures = [...readme.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, path]) => path!);
  expect(pictures).toEqual(['docs/pictures/slow-redis-dark.png', 'docs/pictures/slow-redis.png']);
  for (const path of pictures) expect(existsSync(ROOT + path), path).toBe(true);
});

it('answers whether it is safe in five lines', () => {
  const answer = readme.split('## Is it safe?\n')[1]!.split('\n## ')[0]!;
  expect(answer.trim().split('\n')).toHaveLength(5);
});
