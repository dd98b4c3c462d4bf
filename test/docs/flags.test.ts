import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { flagsIn, flagsOf, type ShownFlag } from './flags.ts';

const textOf = (name: string) => readFileSync(join(ROOT, name), 'utf8');
const below = (folder: string, ending: string) =>
  (readdirSync(join(ROOT, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(ending))
    .map((name) => textOf(join(folder, name)).replaceAll('\\\n', ' '));

/** The reference is made from the commands themselves. */
const pages = [
  'README.md',
  ...(readdirSync(join(ROOT, 'docs'), { recursive: true }) as string[]).map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md') && !name.startsWith('docs/commands/'));

const scripts = [...below('src/collectors', '.sh'), ...below('src/node', '.sh')].join('\n');

/** The flags of perf's calls (`perf_apart` becomes perf), with the arrays of words that they are given. */
const perf = (subcommand: string): ShownFlag[] =>
  [...scripts.matchAll(/^\s*start_tool perf_apart ((?:record|script) .*)$/gm)]
    .filter(([, words]) => words!.startsWith(subcommand))
    .map(([, words]) => words!.replaceAll(/"\$\{(\w+)\[@\]\}"/g, (_, array: string) => wordsOfArray(array)))
    .flatMap((words) => flagsIn(`perf ${words}`));

const wordsOfArray = (name: string): string =>
  [...scripts.matchAll(new RegExp(`\\b${name}=\\((.*?)\\)`, 'g'))].map(([, words]) => words).join(' ');

/** Every word of the scripts that is a flag: also those that the grammar of tcpdump's and crictl's arguments allows. */
const scriptFlags = new Set([...scripts.matchAll(/(?<![\w$-])--?[A-Za-z][A-Za-z-]*/g)].map(([flag]) => flag));

const kubectlFlags = new Set(
  below('src/cluster', '.ts').flatMap((text) =>
    [...text.matchAll(/'(--?[a-z-]+)/g)].map(([, flag]) => flag!),
  ),
);

const ownFlags = new Set(
  COMMANDS.flatMap((command) =>
    Object.entries(command.options).flatMap(([name, { alias }]) => [
      `--${name}`,
      ...(alias ? [`-${alias}`] : []),
    ]),
  ),
);

/** Flags that a page may show although nothing here passes them, each with the reason. */
const EXCEPTIONS: ReadonlyArray<{
  readonly command: string | undefined;
  readonly flags: readonly string[];
  readonly reason: string;
}> = [
  {
    command: 'kubectl',
    flags: ['-f', '-o', '-l', '-it', '--for', '--replicas', '--client', '--manifest', '--archive'],
    reason: 'the reader types it into kubectl',
  },
  {
    command: 'crictl',
    flags: ['--help', '--id', '--label', '--latest', '--name', '--namespace', '--pod', '--quiet', '--tail'],
    reason: 'the reader types it behind --, or into crictl as the runbook does',
  },
  { command: 'crictl', flags: ['-i', '-it', '-ef'], reason: 'of exec, and of the command in the container' },
  { command: 'perf script', flags: ['-D'], reason: 'its output is refused, which the page says' },
  {
    command: 'perf script',
    flags: ['-F', '--show-mmap-events'],
    reason: 'the reader prints his own recordings with them, for --debuginfod',
  },
  {
    command: 'perf record',
    flags: ['--buildid-mmap'],
    reason: 'the reader records with it, for --debuginfod',
  },
  {
    command: undefined,
    flags: ['--perf-basic-prof', '-X', '-XX', '-fno-omit-frame-pointer'],
    reason: 'the reader gives it to his runtime or compiler',
  },
  { command: undefined, flags: ['-T'], reason: 'of editcap, which the reader types' },
  {
    command: undefined,
    flags: ['--show-task-events', '--srcline'],
    reason: 'of perf script and stackcollapse-perf.pl, for files that the reader made with them',
  },
  {
    command: undefined,
    flags: ['--id', '--pod', '--name', '--latest'],
    reason: 'of crictl: which flags are filled in, and which are refused',
  },
  { command: undefined, flags: ['--rm', '--lang'], reason: 'of another tool that the README compares with' },
  { command: undefined, flags: ['-vv'], reason: 'the short form of -v -v' },
  {
    command: undefined,
    flags: [
      '--match-server-version',
      '--warnings-as-errors',
      '--profile',
      '--profile-output',
      '--log-flush-frequency',
      '--vmodule',
      '--kuberc',
    ],
    reason: 'of kubectl, refused here with the reason',
  },
  {
    command: undefined,
    flags: ['--token', '--username', '--password'],
    reason: 'of kubectl, which every command takes as kubectl does',
  },
  { command: undefined, flags: ['--help'], reason: 'every command has it' },
];

const isException = ({ command, flag }: ShownFlag) =>
  EXCEPTIONS.some((each) => each.command === command && each.flags.includes(flag));

/** Why the flag is wrong; undefined where it is right. */
function fault(shown: ShownFlag): string | undefined {
  const { command, flag, value } = shown;
  if (isException(shown)) return undefined;
  if (command === 'gkeprof') return undefined; // pages.test.ts, by the verb's own table.
  if (command?.startsWith('perf ')) {
    const passed = perf(command.slice('perf '.length)).filter((each) => each.flag === flag);
    if (passed.length === 0) return `perf.sh does not pass ${flag}`;
    const values = passed.map((each) => each.value);
    const known = values.every((each) => each === undefined || /^[\w:,-]+$/.test(each));
    return value === undefined || !known || values.includes(value)
      ? undefined
      : `perf.sh passes ${flag} ${values.join(' or ')}`;
  }
  if (command === 'tcpdump' || command === 'crictl')
    return scriptFlags.has(flag) ? undefined : `no script of the node has ${flag}`;
  if (command === 'kubectl') return kubectlFlags.has(flag) ? undefined : `src/cluster does not pass ${flag}`;
  if (ownFlags.has(flag) || scriptFlags.has(flag)) return undefined;
  return `neither a flag of a command nor in a script of the node: ${flag}`;
}

describe('flags that the pages show', () => {
  it.each(pages)('of %s are passed by the sources', (page) => {
    const faults = flagsOf(textOf(page)).flatMap((shown) => {
      const why = fault(shown);
      return why === undefined ? [] : [`${shown.code}: ${why}`];
    });
    expect(faults).toEqual([]);
  });

  it('need every exception that is made for them', () => {
    const shown = pages.flatMap((page) => flagsOf(textOf(page)));
    const unused = EXCEPTIONS.flatMap(({ command, flags }) =>
      flags
        .filter((flag) => !shown.some((each) => each.command === command && each.flag === flag))
        .map((flag) => `${command ?? 'alone'}: ${flag}`),
    );
    expect(unused).toEqual([]);
  });
});

describe('the check of flags', () => {
  const faultsOf = (code: string) => flagsIn(code).flatMap((shown) => fault(shown) ?? []);

  it.each([
    ['perf record --call-graph fp -a --all-user', 'perf.sh does not pass --all-user'],
    ['perf record -e cpu-clock', 'perf.sh passes -e cycles'],
    ['perf script --no-inline --inline', 'perf.sh does not pass --inline'],
    ['sudo tcpdump --rotate', 'no script of the node has --rotate'],
    ['kubectl gkeprof pcap pod/x -- --rotate', 'no script of the node has --rotate'],
    ['kubectl cp --gone', 'src/cluster does not pass --gone'],
    ['--all-user', 'neither a flag of a command nor in a script of the node: --all-user'],
  ])('finds what is wrong in %s', (code, why) => expect(faultsOf(code)).toEqual([why]));

  it.each([
    'perf record -F 99 --call-graph fp -e cycles',
    'kubectl gkeprof crictl pod/x -c y -- ps',
    '--duration 5s',
    'ss -tnp',
  ])('takes %s', (code) => expect(faultsOf(code)).toEqual([]));

  it('reads spans, indented code and what is typed in blocks, but not what is printed', () => {
    const page = 'A `-a` and\n\n    perf record -b\n\n```console\n$ kubectl cp -c\nprinted -d\n```\n';
    expect(flagsOf(page).map(({ flag }) => flag)).toEqual(['-b', '-c', '-a']);
  });
});
