import { describe, expect, it } from 'vitest';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { captureScript } from '../../src/collectors/script.ts';
import { argumentsPattern, readGrammar } from '../../src/node/arguments.ts';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { captureArguments } from '../../src/session/pod-manifest.ts';
import { runShell } from './shell.ts';

const SCRIPT =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
  'export LC_ALL=C; refuse() { printf "refused %s\\n" "$1"; exit; }; read_arguments "$@"; printf "taken %s\\n" "$((1 + ${arg[duration_ms]}))"';

const GRAMMAR = readGrammar(captureScript());
const PARTS = ['node/arguments.sh', ...new Set(COLLECTORS.flatMap(({ scripts }) => scripts))] as const;

/** What the node's script makes of a list of arguments: `taken …` or `refused …`. */
const read = (argv: readonly string[]): string => runShell(PARTS, SCRIPT, argv).trim();

/** What the policy's expression makes of them. RE2 and JavaScript read what the grammar uses alike. */
const fits = (collector: string, argv: readonly string[]): boolean =>
  new RegExp(argumentsPattern(GRAMMAR, collector, 'either')).test(argv.map((word) => `${word}\n`).join(''));

const kinds = debugPodKinds('gkeprof').map(
  ({ name, plan, work }) => [name, plan.capture.collector, captureArguments(plan, work)] as const,
);
const of = (name: string): string[] => [...kinds.find(([each]) => each === name)![2]];

describe('the grammar of arguments', () => {
  it.each(kinds)('takes what a client sends: %s', (name, collector, argv) => {
    expect(read(argv)).toMatch(/^taken /);
    if (!/changing/.test(name)) expect(fits(collector, argv)).toBe(true);
  });

  const perf = of('perf pod');
  const replaced = (argv: readonly string[], key: string, value: string): string[] =>
    argv.map((word) => (word.startsWith(`${key}=`) ? `${key}=${value}` : word));

  // bash's arithmetic runs what stands in an index: whoever may create debug pods would run it as root.
  it.each<readonly [string, string]>([
    ...['a[$(touch /tmp/gkeprof-pwned)]', '-1', '', '1 ', '08', '1+1', '1\n2'].map(
      (value) => ['duration_ms', value] as const,
    ),
    ...['max_bytes', 'min_free_percent', 'install', 'host_network', 'frequency'].map(
      (key) => [key, 'x'] as const,
    ),
    ['collector', '/proc/1234/root/x'],
    ['collector', 'refuse'],
    ['collector', ''],
    ['scope', 'netns'],
    ['nonce', 'x'],
    ['pod_namespace', '../x'],
    ['pod_namespace', '*'],
    ['pod_uid', '*'],
    ['pod_uid', '../../x'],
    ['container_ids', '$(id)'],
    ['pod_ips', '1.2.3.4;id'],
    ...['', 'x', 'FP', 'fp,dwarf', 'fp ', '--per-thread', 'auto|fp'].map(
      (value) => ['stacks', value] as const,
    ),
    ...['', '0', '7', '08', '4', '12', '16380', '65529', '65536', '165528', '16384 ', '-8'].map(
      (value) => ['stack_bytes', value] as const,
    ),
  ])('refuses %s=%j of a profile', (key, value) => {
    const argv = replaced(perf, key, value);
    expect(read(argv)).toBe('refused bad-argument');
    expect(fits('perf', argv)).toBe(false);
  });

  it.each([
    ['parts', 'refuse'],
    ['parts', '/proc/1/root/x'],
    ['parts', 'processes,/x'],
    ['parts', ''],
    ['linger_ms', 'x'],
  ])('refuses %s=%j of a snapshot', (key, value) => {
    const argv = replaced(of('inspect'), key, value);
    expect(read(argv)).toBe('refused bad-argument');
    expect(fits('inspect', argv)).toBe(false);
  });

  it.each([
    ['an argument that nobody knows', [...perf.slice(0, -1), 'x=1', '--']],
    ['an argument of another collector', [...perf.slice(0, -1), 'parts=probe', '--']],
    ['an argument twice', ['duration_ms=1', ...perf]],
    ['a word that is no argument', ['duration_ms', ...perf]],
    ['an index as a name', ['a[$(touch /tmp/gkeprof-pwned)]=1', ...perf]],
    ['words of a tool that takes none', [...perf, 'x']],
    ['a missing argument', perf.filter((word) => !word.startsWith('frequency='))],
    ['no end of the arguments', perf.slice(0, -1)],
    ['nothing at all', []],
  ])('refuses %s', (_, argv) => {
    expect(read(argv)).toBe('refused bad-argument');
    expect(fits('perf', argv)).toBe(false);
  });
});

it('keeps the words of a tool untouched, whatever they are', () => {
  const hostile = [
    '$(touch /tmp/gkeprof-pwned)',
    '; rm -rf x',
    "it's",
    'a\nb',
    '"',
    '\\',
    '-z',
    '$$',
    '`id`',
    '*',
    '',
  ];
  const script = `refuse() { exit 1; }; read_arguments "$@"; printf '%s\\0' "\${tool_args[@]}"`;
  const printed = runShell(PARTS, script, [...of('shell').slice(0, -1), ...hostile]);
  expect(printed.split('\0')).toEqual([...hostile, '']);
});

/** The arguments of a kind with other words behind the first `--`. */
const saying = (kind: string, words: readonly string[]): string[] => {
  const argv = of(kind);
  return [...argv.slice(0, argv.indexOf('--') + 1), ...words];
};

it('takes as the size of a copied stack what perf takes, the multiples of 8 below 64 KiB, and no other number', () => {
  const sizes = [...Array(70_000).keys()].map(String);
  const wanted = sizes.filter(
    (size) => Number(size) % 8 === 0 && Number(size) >= 8 && Number(size) <= 65_528,
  );
  const pattern = new RegExp(`^(${GRAMMAR.types.get('stack_bytes')})$`);
  expect(sizes.filter((size) => pattern.test(size))).toEqual(wanted);
  const script =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    'while read -r size; do [[ $size =~ ^(${ARGUMENT_TYPE[stack_bytes]})$ ]] && echo "$size"; done';
  const every = sizes.filter((_, at) => at % 7 === 0 || at > 65_000);
  expect(
    runShell(PARTS, `${script} <<<"$1"; :`, [every.join('\n')])
      .trim()
      .split('\n'),
  ).toEqual(every.filter((size) => wanted.includes(size)));
});

describe('the words of tcpdump', () => {
  it.each([
    [['--'], true],
    [['-s', '96', '-p', '-c', '10', '--', 'port', '6379'], true],
    [['-y', 'EN10MB', '--', ''], true],
    [['-y', '-z', '--'], false],
    [['-z', 'reboot', '--'], false],
    [['-Uz', 'reboot', '--'], false],
    [['-w', '/x', '--'], false],
    [['-s', '96\n-z', '--'], false],
    [['-s\n96', '--'], false],
    [['--', 'port\n6379'], false],
    [['port', '6379'], false],
    [[], false],
  ])('%j: %s', (words, isTaken) => {
    const argv = saying('tcpdump netns', words);
    expect(read(argv)).toMatch(isTaken ? /^taken/ : /^refused bad-argument$/);
    if (!words.join('').includes('\n')) expect(fits('tcpdump', argv)).toBe(isTaken);
  });
});

describe('the words of crictl that change nothing', () => {
  it.each([
    [['ps'], true],
    [['-t', '5s', '-D', 'ps', '--quiet'], true],
    [['--timeout=5s', 'logs', '--tail', '5', 'abc'], true],
    [['--help'], true],
    [['-h', 'ps'], true],
    [['help', 'exec'], true],
    [[], true],
    [['exec', 'abc', 'sh'], false],
    [['rmi', 'x'], false],
    [['-t', 'ps', 'exec', 'abc', 'sh'], false],
    [['--timeout', 'ps', 'exec', 'abc'], false],
    [['-D', 'exec', 'abc'], false],
    [['-h', 'exec', 'abc'], false],
    [['--image-endpoint', 'ps', 'exec', 'abc', 'sh'], false],
    [['--runtime-endpoint', 'unix:///x', 'ps'], false],
    [['--config', '/x', 'ps'], false],
    [['-c=/x', 'ps'], false],
    [['--timeout', '-D', 'ps'], false],
    [['ps\nexec'], false],
  ])('%j: %s', (words, isTaken) => {
    const argv = saying('crictl', words);
    expect(read(argv)).toMatch(isTaken ? /^taken/ : /^refused bad-argument$/);
    if (!words.join('').includes('\n')) expect(fits('crictl', argv)).toBe(isTaken);
  });
});

describe('the subcommand of crictl, where it matters what it is', () => {
  const found = (...words: string[]) =>
    runShell(
      ['collectors/command/command.sh'],
      'tool_args=("$@"); find_crictl_subcommand; printf "%s\\n" "$subcommand"',
      words,
    ).trim();
  it.each([
    [['ps'], 'ps'],
    [['-t', 'ps', 'exec', 'abc'], 'exec'],
    [['--timeout=5s', '-D', 'logs'], 'logs'],
    [['--help'], ''],
    [[], ''],
  ])('%j: %s', (words, subcommand) => expect(found(...words)).toBe(subcommand));
});
