import { EXIT_MEANING, type ExitCode } from '../errors.ts';
import { breakText } from '../text/wrap.ts';
import { CLUSTER_OPTIONS, REFUSED_FLAGS } from './cluster-options.ts';
import type { AnyCommand } from './command.ts';
import type { OptionSpec } from './option-spec.ts';
import { environmentName } from './options.ts';

/** What users type in front of a command. */
export const PROGRAM = 'kubectl gkeprof';

/** One flag, as help, documentation and the manual page show it. */
export interface FlagHelp {
  /** Without dashes. */
  readonly name: string;
  readonly alias?: string;
  /** The placeholder of its value; undefined for a switch. */
  readonly value?: string;
  readonly describe: string;
  /** The allowed values. */
  readonly choices?: readonly string[];
  readonly default?: string;
  /** The environment variable that presets it; undefined if it cannot be preset. */
  readonly env?: string;
  readonly repeatable: boolean;
}

export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly FlagHelp[];
}

export interface CommandHelp {
  readonly name: string;
  readonly describe: string;
  /** Paragraphs; one that begins with a space is not wrapped. */
  readonly details: readonly string[];
  /** The whole usage line, beginning with `kubectl gkeprof`. */
  readonly usage: string;
  /** `what` is the comment above the line; it may be empty. */
  readonly examples: ReadonlyArray<{ readonly line: string; readonly what: string }>;
  /** In the order of the help; each flag is in one of them. */
  readonly groups: readonly FlagGroup[];
  /** How the placeholders of its flags are written. */
  readonly units: ReadonlyArray<readonly [placeholder: string, meaning: string]>;
}

export interface ProgramHelp {
  readonly describe: string;
  readonly usage: string;
  readonly commands: readonly CommandHelp[];
  readonly exitCodes: ReadonlyArray<readonly [ExitCode, string]>;
}

/** How the values of a placeholder are written (quantity.ts). */
const UNITS: Readonly<Record<string, string>> = {
  TIME: '500ms, 30s, 5m or 1m30s; a bare number is seconds',
  SIZE: '500Mi, 1Gi, 200M or bytes',
};

/** All commands as data: help, docs/ and the manual page are made from this. */
export const describeProgram = (table: readonly AnyCommand[]): ProgramHelp => ({
  describe: 'Record CPU flame graphs and packets of a pod on its node, from your laptop.',
  usage: `${PROGRAM} COMMAND [flags]`,
  commands: table.filter((each) => !each.hidden).map(describeCommand),
  exitCodes: EXIT_MEANING,
});

export function describeCommand(command: AnyCommand): CommandHelp {
  const groups = new Map<string, FlagHelp[]>();
  for (const [name, spec] of Object.entries(command.options)) {
    if (spec.unlisted) continue;
    const title = spec.group.replace(/:$/, '');
    const flags = groups.get(title) ?? [];
    flags.push(describeFlag(name, spec));
    groups.set(title, flags);
  }
  const placeholders = new Set(Object.values(command.options).map((spec) => spec.value));
  return {
    name: command.name,
    describe: command.describe,
    details: command.details ?? [],
    usage: `${PROGRAM} ${command.name} ${command.usage}`.trim(),
    examples: command.examples.map(([line, what]) => ({ line, what })),
    groups: [...groups].map(([title, flags]) => ({ title, flags })),
    units: Object.entries(UNITS).filter(([placeholder]) => placeholders.has(placeholder)),
  };
}

function describeFlag(name: string, spec: OptionSpec): FlagHelp {
  const env = spec.notPresettable ? undefined : environmentName(name);
  const value = spec.type === 'boolean' ? undefined : (spec.value ?? spec.choices?.join('|') ?? 'VALUE');
  return {
    name,
    ...(spec.alias && { alias: spec.alias }),
    ...(value && { value }),
    describe: spec.describe,
    ...(spec.choices && { choices: spec.choices }),
    ...(spec.defaultText && { default: spec.defaultText }),
    ...(env && { env }),
    repeatable: spec.type === 'array',
  };
}

/** The width of the help, in columns: the usual minimum of a terminal. */
const WIDTH = 80;
/** The description of a longer flag begins on the next line. */
const LONGEST_FLAG = 30;

/** The help of a command in kubectl's order: what it does, examples, flags, usage. */
export function commandHelp(command: AnyCommand): string {
  const { name, describe, details, usage, examples, groups, units } = describeCommand(command);
  const width = columnOf(groups.flatMap(({ flags }) => flags));
  const configurable = groups.some(({ flags }) => flags.some(({ env }) => env));
  return paragraphs(
    breakText(`${describe}.`, WIDTH).join('\n'),
    ...details.map((text) => (text.startsWith(' ') ? text : breakText(text, WIDTH).join('\n'))),
    `Examples:\n${examples
      .map(
        ({ line, what }) => `${what ? `${indented(breakText(`# ${what}`, WIDTH - 2), 2)}\n` : ''}  ${line}`,
      )
      .join('\n\n')}`,
    ...groups.map(({ title, flags }) => `${title}:\n${flags.map((flag) => flagRow(flag, width)).join('\n')}`),
    `Usage:\n  ${usage}`,
    units.map(([placeholder, meaning]) => `${placeholder} is ${meaning}.`).join('\n'),
    [
      ...(configurable && name !== 'config' ? [`"${PROGRAM} config --help" shows how to preset flags.`] : []),
      ...(Object.values(command.options).some((spec) => spec.unlisted)
        ? [`"${PROGRAM} options" lists the other flags that are taken from kubectl.`]
        : []),
      `"${PROGRAM} help" lists the commands and the exit codes.`,
    ].join('\n'),
  );
}

/** The global flags of kubectl, as `kubectl options` lists them: first those that are taken, then those that are refused. */
export function optionsHelp(): string {
  const flags = Object.entries(CLUSTER_OPTIONS).map(([name, spec]) => describeFlag(name, spec));
  const list = (isWanted: (name: string) => boolean) => {
    const some = flags.filter(({ name }) => isWanted(name));
    return some.map((flag) => flagRow(flag, columnOf(some))).join('\n');
  };
  return paragraphs(
    'Every command that talks to a cluster takes these flags of kubectl:',
    list((name) => !Object.hasOwn(REFUSED_FLAGS, name)),
    'These flags of kubectl are refused, for the reason beside them:',
    list((name) => Object.hasOwn(REFUSED_FLAGS, name)),
    `"${PROGRAM} COMMAND --help" shows the other flags of a command.`,
  );
}

/** The help of the program: its commands and exit codes. */
export function programHelp(table: readonly AnyCommand[]): string {
  const { describe, usage, commands, exitCodes } = describeProgram(table);
  const width = Math.max(...commands.map(({ name }) => name.length)) + 4;
  const row = (left: string, right: string, column: number) =>
    `${left.padEnd(column)}${indented(breakText(right, WIDTH - column), column).trimStart()}`;
  return paragraphs(
    describe,
    `Examples:\n${commands.flatMap(({ examples }) => examples.slice(0, 1).map(({ line }) => `  ${line}`)).join('\n')}`,
    `Commands:\n${commands.map((each) => row(`  ${each.name}`, each.describe, width)).join('\n')}`,
    `Exit codes:\n${exitCodes.map(([code, meaning]) => row(`  ${String(code).padStart(3)}`, meaning, 7)).join('\n')}`,
    `Usage:\n  ${usage}`,
    [
      `"${PROGRAM} COMMAND --help" shows the flags of a command.`,
      `"${PROGRAM} options" lists the flags that are taken from kubectl.`,
    ].join('\n'),
  );
}

const paragraphs = (...texts: readonly string[]): string => `${texts.filter(Boolean).join('\n\n')}\n`;

const flagText = (flag: FlagHelp): string =>
  `  ${flag.alias || flag.name.length === 1 ? '' : '    '}${flagSyntax(flag)}`;

/** `-n, --namespace NAME`, for every kind of help. */
export function flagSyntax({ name, alias, value }: FlagHelp): string {
  const flag = name.length === 1 ? `-${name}` : `${alias ? `-${alias}, ` : ''}--${name}`;
  return value ? `${flag} ${value}` : flag;
}

const columnOf = (flags: readonly FlagHelp[]): number =>
  Math.max(0, ...flags.map((flag) => flagText(flag).length).filter((length) => length <= LONGEST_FLAG)) + 2;

function flagRow(flag: FlagHelp, column: number): string {
  const left = flagText(flag);
  const lines = indented(breakText(flagWords(flag), WIDTH - column), column);
  return left.length + 2 > column ? `${left}\n${lines}` : `${left.padEnd(column)}${lines.trimStart()}`;
}

/** What the flag does, its choices and its default. */
export function flagWords({ describe, value, choices, default: byDefault, repeatable }: FlagHelp): string {
  const notes = [
    ...(choices && value !== choices.join('|') ? [`one of ${choices.join(', ')}`] : []),
    ...(repeatable ? ['repeatable'] : []),
    ...(byDefault ? [`default ${byDefault}`] : []),
  ];
  return notes.length ? `${describe} (${notes.join('; ')})` : describe;
}

const indented = (lines: readonly string[], by: number): string =>
  lines.map((line) => `${' '.repeat(by)}${line}`).join('\n');
