import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';

/** Names as whoever runs in a pod can choose them: each would do something to a terminal or a reader. */
const NAMES = [
  '\x1b[31mred',
  '\x1b]8;;http://evil.example\x07link',
  '\x1b]52;c;cm0gLXJmIH4=\x07clipboard',
  '\u009b2Jcleared',
  '\u0085next',
  '\u202egnp.exe',
  '\u2066isolated\u2069',
  'good\rbad',
  'bell\x07',
  'zero\u200bwidth',
  '</script><script>alert(1)</script>',
  ']]><x/>',
  '| cell | `code` [link](http://evil.example)',
];
const ACTS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\ufeff]/u;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-hostile-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const FOLDED = NAMES.map((name, at) => `${name};${name}_[k] ${at + 1}\n`).join('');
const PERF = NAMES.map(
  (name, at) =>
    `${name.replaceAll(/[\r\n]/g, '')} 7/7 [000] 1${at}.000000: 1 cpu-clock:\n\tffff ${name.replaceAll(/[\r\n]/g, '')}+0x1 (/bin/${name.replaceAll(/[\r\n]/g, '')})\n\n`,
).join('');

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** Runs it on a terminal in the folder of the test. */
const onTerminal = (...words: string[]) => gkeprof(words, '', {}, true);
/** The live line and the colours of ours. */
const withoutOurs = (text: string): string =>
  text.replaceAll(/\r\u001b\[K|\u001b\[3[136]m(?:error|warning|hint):\u001b\[39m/g, '');

describe.each([
  ['folded stacks', 'x.folded', FOLDED],
  ['raw stacks', 'x.perf-script.txt', PERF],
])('names of %s that are meant for a terminal', (_what, file, text) => {
  it.each([
    ['top'],
    ['folded', '--output', '-'],
    ['svg', '--output', '-'],
    ['speedscope', '--output', '-'],
    ['svg', '-o', 'json'],
    ['svg', '-o', 'yaml'],
    ['svg', '-o', 'jsonpath={.profile}'],
    ['svg', '--markdown'],
    ['top', '--grep', '\x1b[31mred'],
  ])('do not reach it: render --format %s %s %s', async (format, ...flags) => {
    const path = write(file, text);
    const { stdout, stderr } = await onTerminal(
      'render',
      path,
      '--output-dir',
      folder,
      '--format',
      format,
      ...flags,
    );
    expect(stdout.toString()).not.toMatch(ACTS);
    expect(withoutOurs(stderr)).not.toMatch(ACTS);
    expect(stdout.length + stderr.length).toBeGreaterThan(0);
  });

  it('do not reach it by a comparison', async () => {
    const [before, after] = [write(file, text), write(`b-${file}`, text.replaceAll('good', 'best'))];
    for (const format of ['top', 'folded'])
      for (const flags of [[], ['--markdown'], ['-o', 'json']]) {
        const run = await onTerminal(
          'diff',
          before,
          after,
          '--output-dir',
          folder,
          '--format',
          format,
          ...flags,
        );
        expect(run.stdout.toString()).not.toMatch(ACTS);
        expect(withoutOurs(run.stderr)).not.toMatch(ACTS);
      }
  });

  it('do nothing in the files that are made: SVG, speedscope, and the Markdown on a pipe', async () => {
    const path = write(file, text);
    const run = await gkeprof([
      'render',
      path,
      '--output-dir',
      folder,
      '--format',
      'svg,speedscope,pprof',
      '--markdown',
    ]);
    expect(run.code).toBe(0);
    expect(run.stdout.toString()).not.toMatch(ACTS);
    const made = Object.fromEntries(
      readdirSync(folder).map((name) => [
        name.split('.').slice(-2).join('.'),
        readFileSync(join(folder, name), 'utf8'),
      ]),
    );
    const svg = made['flamegraph.svg']!;
    expect(svg).not.toMatch(ACTS);
    expect(svg).not.toContain('<script>alert');
    expect(svg).not.toContain(']]><x/>');
    const pprof = gunzipSync(
      readFileSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.pb.gz'))!)),
    ).toString('utf8');
    expect(pprof).toContain('\\x1b[31mred');
    expect(pprof).not.toContain('\x1b[');
    const speedscope = made['speedscope.json']!;
    expect(speedscope).not.toMatch(ACTS);
    const names = (
      JSON.parse(speedscope) as { shared: { frames: Array<{ name: string }> } }
    ).shared.frames.map((frame) => frame.name);
    expect(names.some((name) => name.includes('\x1b[31mred'))).toBe(true);
  });
});

describe('a file whose name and content are meant for a terminal', () => {
  const name = '\x1b[31m\u202e\u009bx';
  it.each([
    ['render', ''],
    ['render', 'not a profile \x1b[2J\n'],
    ['analyze', 'no capture \x1b[2J'],
    ['verify', '{"receiptVersion":2}'],
    ['verify', '\x1b[2J'],
    ['render', undefined],
    ['analyze', undefined],
    ['verify', undefined],
  ])('does not reach it: %s of %j', async (verb, text) => {
    const path = join(folder, name);
    if (text !== undefined) writeFileSync(path, text);
    const { stdout, stderr, code } = await onTerminal(verb, path);
    expect(code).not.toBe(0);
    expect(stdout.toString()).not.toMatch(ACTS);
    expect(withoutOurs(stderr)).not.toMatch(ACTS);
    expect(stderr).not.toContain('this is a bug');
  });

  it.each([
    [`\x1b[31m`],
    ['render', 'x', '--\x1b[31m'],
    ['render', 'x', '--format', '\x1b[31m'],
    ['diff', 'x', '\x1b[31m'],
    ['pcap', '\x1b[31m'],
    ['pcap', 'x', '--filter', 'tcp', '--scope', '\x1b[31m'],
    ['flamegraph', 'x', '--duration', '\x1b[31m'],
    ['whois', 'node/x', '\x1b[31m'],
    ['crictl', 'node/x', '--', '\x1b[31m'],
    ['shell', 'x', '--enter', '\x1b[31m'],
    ['completion', '\x1b[31m'],
  ])('nor does what is wrong on a command line: %j', async (...words) => {
    const { stdout, stderr, code } = await onTerminal(...words);
    expect(code).not.toBe(0);
    expect(stdout.toString()).not.toMatch(ACTS);
    expect(withoutOurs(stderr)).not.toMatch(ACTS);
  });
});
