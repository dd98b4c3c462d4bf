import type { Argv } from 'yargs';
import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import type { AnyCommand } from './command.ts';
import type { Config } from './config/parse.ts';
import { separated } from './expand-flags.ts';
import { commandHelp, PROGRAM, programHelp } from './help.ts';
import type { OptionSpec, RawOptions } from './option-spec.ts';
import { resolveFlags, type Typed } from './settings.ts';
import { nearestNames } from './suggest.ts';

/** What the command line asks for: a verb with its options, or text to print. */
export type Invocation =
  | { readonly kind: 'run'; readonly command: AnyCommand; readonly raw: RawOptions }
  | { readonly kind: 'print'; readonly text: string };

/** Where presets come from: the environment, and the file, which is read when a verb has flags that it may set. */
export interface PresetSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readConfig: () => Promise<Config | undefined>;
}

/**
 * The command table → yargs, which takes the words of a verb apart. Alone in knowing yargs: it is loaded when there
 * are words to take apart; what a value means is for each command's `validate`.
 */
export async function parseCommandLine(
  argv: readonly string[],
  table: readonly AnyCommand[],
  { env, readConfig }: PresetSources,
): Promise<Invocation> {
  const [verb, ...words] = argv;
  if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') {
    const about = words.find((word) => !word.startsWith('-'));
    const text = about === undefined ? programHelp(table) : commandHelp(byName(about, table));
    return { kind: 'print', text };
  }
  const command = byName(verb === '--version' ? 'version' : verb, table);
  if (command.hidden) return run(command, { positionals: words, rest: [], flags: new Map() }, {}, undefined);
  if (beforeDashes(words).some((word) => word === '--help' || word === '-h')) {
    return { kind: 'print', text: commandHelp(command) };
  }
  const typed = await takeApart(command, verb === '--version' ? [] : words);
  const isPreset = Object.values(command.options).some((spec) => !spec.notPresettable);
  return run(command, typed, env, isPreset ? await readConfig() : undefined);
}

const run = (
  command: AnyCommand,
  typed: Typed,
  env: PresetSources['env'],
  config: Config | undefined,
): Invocation => ({ kind: 'run', command, raw: resolveFlags(command, typed, env, config) });

const beforeDashes = (words: readonly string[]): readonly string[] => {
  const dashes = words.indexOf('--');
  return dashes < 0 ? words : words.slice(0, dashes);
};

function byName(verb: string, table: readonly AnyCommand[]): AnyCommand {
  const command = table.find((each) => each.name === verb);
  if (command) return command;
  const names = table.filter((each) => !each.hidden).map((each) => each.name);
  if (verb.startsWith('-')) {
    throw usageError(
      `flags go behind the verb: "${printable(verb)}" came first`,
      `${PROGRAM} flamegraph pod/NAME ${printable(verb)} …`,
    );
  }
  const near = nearestNames(verb, names);
  throw usageError(
    `unknown command "${printable(verb)}"`,
    near.length ? `did you mean ${near.join(' or ')}?` : `commands: ${names.join(', ')}`,
  );
}

async function takeApart(command: AnyCommand, words: readonly string[]): Promise<Typed> {
  const given = beforeDashes(words);
  const rest = words.slice(given.length + 1);
  if (given.length === 0) return { positionals: [], rest, flags: new Map() };
  const parser = (await build(command)).fail((message, error) => {
    throw usageError(plainWords(message ?? error?.message ?? ''), `${PROGRAM} ${command.name} --help`);
  });
  const argv = parser.parseSync(separated(given, command.options)) as unknown as Record<string, unknown> & {
    _: Array<string | number>;
  };
  refuseUnknown(command, given, argv);
  const flags = new Map<string, readonly string[] | boolean>();
  for (const name of Object.keys(command.options)) {
    const value = argv[name];
    if (typeof value === 'boolean') flags.set(name, value);
    else if (Array.isArray(value))
      flags.set(name, typeof value[0] === 'boolean' ? value.at(-1) === true : value.map(String));
    else if (value !== undefined) flags.set(name, [String(value)]);
  }
  return { positionals: argv._.map(String), rest, flags };
}

function refuseUnknown(command: AnyCommand, given: readonly string[], argv: Record<string, unknown>): void {
  const known = new Set(
    Object.entries(command.options).flatMap(([name, spec]) => [name, ...(spec.alias ? [spec.alias] : [])]),
  );
  const unknown = Object.keys(argv).find((key) => key !== '_' && key !== '$0' && !known.has(key));
  if (unknown === undefined) return;
  const dashes = unknown.length === 1 ? '-' : '--';
  const near =
    unknown.length === 1 ? [] : nearestNames(unknown, [...known]).filter((name) => name.length > 1);
  const typed = given.find((word) => word.startsWith(`${dashes}${unknown}`)) ?? `${dashes}${unknown}`;
  throw usageError(
    `unknown flag: ${printable(typed.split('=')[0]!)}`,
    near.length ? `did you mean --${near[0]}?` : `${PROGRAM} ${command.name} --help`,
  );
}

async function build(command: AnyCommand): Promise<Argv> {
  const { default: yargs } = await import('yargs');
  const options = Object.entries(command.options);
  const namesOf = (is: (spec: OptionSpec) => boolean) =>
    options.filter(([, spec]) => is(spec)).map(([name]) => name);
  return (
    yargs([])
      .parserConfiguration({
        'camel-case-expansion': false,
        'dot-notation': false,
        'boolean-negation': false,
        'duplicate-arguments-array': true,
        'greedy-arrays': false,
        'parse-numbers': false,
        'parse-positional-numbers': false,
        'short-option-groups': true,
      })
      // Kind by kind: `options` would take each flag apart once for each thing that is said of it.
      .string(namesOf(({ type }) => type === 'string'))
      .boolean(namesOf(({ type }) => type === 'boolean'))
      .array(namesOf(({ type }) => type === 'array'))
      .requiresArg(namesOf(({ type, valueIfOmitted }) => type !== 'boolean' && valueIfOmitted === undefined))
      .alias(Object.fromEntries(options.flatMap(([name, { alias }]) => (alias ? [[name, alias]] : []))))
      .help(false)
      .version(false)
      .exitProcess(false)
  );
}

/** yargs' own words for a missing value, on one line and with the flag as it is typed. */
function plainWords(message: string): string {
  const missing = /^Not enough arguments following: (.*)$/.exec(message);
  if (missing) return `${missing[1]!.length > 1 ? '--' : '-'}${missing[1]}: needs a value`;
  return message.trim().split('\n')[0] || 'the command line was not understood';
}
