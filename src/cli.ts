import yargs, { type Argv, type Options } from 'yargs';
import type { AnyCommand } from './commands/command.ts';
import { EXIT_MEANING, usageError } from './errors.ts';
import type { OptionSpec, RawOptions } from './options.ts';
import { nearestNames } from './target.ts';

/** What the command line asks for: a verb with its options, or text to print. */
export type Invocation =
  | { readonly kind: 'run'; readonly command: AnyCommand; readonly raw: RawOptions }
  | { readonly kind: 'print'; readonly text: string };

const NAME = 'kubectl gkeprof';

const EPILOG = [
  'Exit codes:',
  ...EXIT_MEANING.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
].join('\n');

/**
 * The command table → yargs. Alone in knowing yargs: it parses, prints help, and names what it does not know;
 * what a value means is for each command's `validate`.
 */
export async function parseCommandLine(
  argv: readonly string[],
  table: readonly AnyCommand[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Invocation> {
  const [verb, ...words] = argv;
  if (verb === undefined || verb === 'help' || verb === '--help' || verb === '-h') {
    const about = words.find((word) => !word.startsWith('-'));
    const command = table.find((each) => each.name === about);
    return { kind: 'print', text: command ? await helpOf(command) : await overview(table) };
  }
  if (verb === '--version') return { kind: 'run', command: byName('version', table), raw: emptyOptions };
  const command = byName(verb, table);
  if (beforeDashes(words).some((word) => word === '--help' || word === '-h')) {
    return { kind: 'print', text: await helpOf(command) };
  }
  return { kind: 'run', command, raw: parseWords(command, words, env) };
}

const beforeDashes = (words: readonly string[]): readonly string[] => {
  const dashes = words.indexOf('--');
  return dashes < 0 ? words : words.slice(0, dashes);
};

const emptyOptions: RawOptions = {
  positionals: [],
  rest: [],
  text: () => undefined,
  list: () => [],
  flag: () => false,
};

function byName(verb: string, table: readonly AnyCommand[]): AnyCommand {
  const command = table.find((each) => each.name === verb);
  if (command) return command;
  const names = table.map((each) => each.name);
  if (verb.startsWith('-')) {
    throw usageError(
      `flags go behind the verb: "${verb}" came first`,
      `${NAME} flamegraph pod/NAME ${verb} …`,
    );
  }
  const near = nearestNames(verb, names);
  throw usageError(
    `unknown command "${verb}"`,
    near.length ? `did you mean ${near.join(' or ')}?` : `commands: ${names.join(', ')}`,
  );
}

function parseWords(
  command: AnyCommand,
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RawOptions {
  const cut = words.indexOf('--');
  const given = cut < 0 ? words : words.slice(0, cut);
  const rest = cut < 0 ? [] : words.slice(cut + 1);
  const parser = build(command).fail((message, error) => {
    throw usageError(plainWords(message ?? error?.message ?? ''), `${NAME} ${command.name} --help`);
  });
  const argv = parser.parseSync([...given]) as unknown as Record<string, unknown> & {
    _: Array<string | number>;
  };
  refuseUnknown(command, given, argv);
  return {
    positionals: argv._.map(String),
    rest,
    text(name) {
      const value = argv[name];
      const last = Array.isArray(value) ? value.at(-1) : value; // The last one counts, as with kubectl's own flags.
      if (last === '') throw usageError(`--${name}: is empty`);
      if (typeof last === 'string') return last;
      const variable = command.options[name]?.env;
      return (variable && env[variable]) || undefined;
    },
    list: (name) => (Array.isArray(argv[name]) ? (argv[name] as unknown[]).map(String) : []),
    flag: (name) => argv[name] === true,
  };
}

function refuseUnknown(command: AnyCommand, given: readonly string[], argv: Record<string, unknown>): void {
  const known = new Set(
    Object.entries(command.options).flatMap(([name, spec]) => [name, ...(spec.alias ? [spec.alias] : [])]),
  );
  const unknown = Object.keys(argv).find((key) => key !== '_' && key !== '$0' && !known.has(key));
  if (unknown === undefined) return;
  const dashes = unknown.length === 1 ? '-' : '--';
  const near = nearestNames(
    unknown,
    [...known].filter((name) => name.length > 1),
  );
  const typed = given.find((word) => word.startsWith(`${dashes}${unknown}`)) ?? `${dashes}${unknown}`;
  throw usageError(
    `unknown flag: ${typed.split('=')[0]}`,
    near.length ? `did you mean --${near[0]}?` : `${NAME} ${command.name} --help`,
  );
}

function build(command: AnyCommand): Argv {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, spec]) => [name, yargsOption(spec)]),
  );
  return yargs([])
    .scriptName(`${NAME} ${command.name}`)
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
    .options(options)
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(100);
}

function yargsOption(spec: OptionSpec): Options {
  return {
    type: spec.type,
    describe: spec.describe,
    group: spec.group,
    ...(spec.alias && { alias: spec.alias }),
    ...(spec.choices && { choices: spec.choices }),
    ...(spec.defaultText && { defaultDescription: spec.defaultText, default: undefined }),
    ...(spec.type !== 'boolean' && { requiresArg: true }),
  };
}

/** yargs' own words for a missing value and a wrong choice, on one line and with the flag as it is typed. */
function plainWords(message: string): string {
  const missing = /^Not enough arguments following: (.*)$/.exec(message);
  if (missing) return `--${missing[1]}: needs a value`;
  const choice = /Argument: (.*), Given: (.*), Choices: (.*)/.exec(message);
  if (choice) return `--${choice[1]}: ${choice[2]} is none of ${choice[3]}`;
  return message.trim().split('\n')[0] || 'the command line was not understood';
}

async function helpOf(command: AnyCommand): Promise<string> {
  const examples = command.examples
    .map(([line, what]) => `  ${what ? `# ${what}\n  ` : ''}${line}`)
    .join('\n');
  const flags = await build(command).usage('').getHelp();
  return `${command.describe}.\n\nExamples:\n${examples}\n\nUsage:\n  ${NAME} ${command.name} ${command.usage}\n\n${flags.trim()}\n`;
}

async function overview(table: readonly AnyCommand[]): Promise<string> {
  const width = Math.max(...table.map((each) => each.name.length)) + 2;
  const verbs = table.map((each) => `  ${each.name.padEnd(width)}${each.describe}`).join('\n');
  const examples = table.flatMap((each) => each.examples.slice(0, 1).map(([line]) => `  ${line}`)).join('\n');
  return [
    'CPU flame graphs and packet captures of a pod, from its node to your laptop.',
    `Examples:\n${examples}`,
    `Usage:\n  ${NAME} COMMAND [flags]`,
    `Commands:\n${verbs}`,
    EPILOG,
    `"${NAME} COMMAND --help" shows the flags of a command.\n`,
  ].join('\n\n');
}
