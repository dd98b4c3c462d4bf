import type { Argv } from 'yargs';
import { type GkeprofError, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { checkArguments } from './arguments.ts';
import { CLUSTER } from './cluster-options.ts';
import type { AnyCommand } from './command.ts';
import type { Config } from './config/parse.ts';
import { firstArgument, separated } from './expand-flags.ts';
import { allOptions, beforeDashes, findVerb, type VerbLine } from './find-verb.ts';
import { commandHelp, optionsHelp, PROGRAM, programHelp } from './help.ts';
import type { OptionSpec, OptionTable, RawOptions } from './option-spec.ts';
import { resolveFlags, switchValue, type Typed } from './settings.ts';
import { nearestNames } from './suggest.ts';

/** What the command line asks for: a verb with its options, or text to print. */
export type Invocation =
  | { readonly kind: 'run'; readonly command: AnyCommand; readonly raw: RawOptions }
  | { readonly kind: 'print'; readonly text: string };

/** Where presets come from: the environment, and the file, which is read only if the verb has flags that can be preset. */
export interface PresetSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readConfig: () => Promise<Config | undefined>;
}

/**
 * Finds the verb and has yargs parse its flags, as the command table describes them. No other module knows yargs, and it
 * is loaded only if there is something to parse. `validate` of each command interprets the values.
 */
export async function parseCommandLine(
  argv: readonly string[],
  table: readonly AnyCommand[],
  { env, readConfig }: PresetSources,
): Promise<Invocation> {
  const hidden = table.find((each) => each.hidden && each.name === argv[0]);
  if (hidden) return run(hidden, { positionals: argv.slice(1), rest: [], flags: new Map() }, {}, undefined);
  const typed = beforeDashes(argv);
  const words = typed.filter((word) => !isHelp(word));
  const asksHelp = words.length < typed.length;
  const visible = table.filter((each) => !each.hidden);
  const everything = allOptions(visible);
  const topics = ['help', 'options'].map((name) => ({ name, options: everything }));
  const line = findVerb(words, [...visible, ...topics]) ?? withoutVerb(words, argv, visible);
  const subject = line.after[firstArgument(line.after, everything)];
  if (line.verb === 'help') return print(subject ?? '', visible);
  const command = visible.find(({ name }) => name === line.verb);
  if (!command || asksHelp || line.after[firstArgument(line.after, command.options)] === 'help')
    return print(line.verb, visible);
  const given = await takeApart(
    command,
    line,
    typed.length < argv.length ? argv.slice(typed.length + 1) : undefined,
  );
  checkArguments(command, given);
  const isPreset = Object.values(command.options).some((spec) => !spec.notPresettable);
  return run(command, given, env, isPreset ? await readConfig() : undefined);
}

const isHelp = (word: string): boolean => word === '--help' || word === '-h';

const run = (
  command: AnyCommand,
  typed: Typed,
  env: PresetSources['env'],
  config: Config | undefined,
): Invocation => ({ kind: 'run', command, raw: resolveFlags(command, typed, env, config) });

/** The help about a command, or about all of them. */
function print(subject: string, commands: readonly AnyCommand[]): Invocation {
  if (subject === '' || subject === 'help') return { kind: 'print', text: programHelp(commands) };
  if (subject === 'options') return { kind: 'print', text: optionsHelp() };
  const command = commands.find(({ name }) => name === subject);
  if (!command) throw unknownCommand(subject, commands);
  return { kind: 'print', text: commandHelp(command) };
}

/** What a command line without any verb asks for; a usage error if it contains a word that could be meant as one. */
function withoutVerb(
  words: readonly string[],
  argv: readonly string[],
  commands: readonly AnyCommand[],
): VerbLine {
  if (words[0] === '--version') return { verb: 'version', before: [], after: words.slice(1) };
  const options = allOptions(commands);
  const at = firstArgument(words, options);
  const before = at < 0 ? words : words.slice(0, at);
  const unknown = before.find((word) => isUnknownFlag(word, options));
  if (unknown !== undefined)
    throw usageError(`unknown flag: ${printable(unknown.split('=')[0]!)}`, `${PROGRAM} help`);
  if (at >= 0) throw unknownCommand(words[at]!, commands);
  if (argv.includes('--')) throw usageError('missing command before --', `${PROGRAM} help`);
  return { verb: 'help', before: [], after: [] };
}

function isUnknownFlag(word: string, options: OptionTable): boolean {
  const name = /^--([^=]+)/.exec(word)?.[1];
  if (name !== undefined) return !Object.hasOwn(options, name) && name !== 'v';
  const letter = /^-(.)/.exec(word)?.[1];
  return letter !== undefined && !Object.values(options).some(({ alias }) => alias === letter);
}

function unknownCommand(word: string, commands: readonly AnyCommand[]): GkeprofError {
  const names = commands.map((each) => each.name);
  const near = word === '' ? [] : nearestNames(word, [...names, 'help', 'options']);
  const other = OTHER_TOOLS[word];
  return usageError(
    `unknown command "${printable(word)}"`,
    other ?? (near.length ? `did you mean ${near.join(' or ')}?` : `commands: ${names.join(', ')}`),
  );
}

/** Verbs of kubectl and of the tools that run on the node, with what to type here. */
const OTHER_TOOLS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['profile', 'perf', 'record', 'pprof', 'flame', 'cpu'].map((word) => [
      word,
      `did you mean flamegraph? ${PROGRAM} flamegraph pod/NAME`,
    ]),
  ),
  top: `did you mean ps? ${PROGRAM} ps pod/NAME --sort=-cpu; for the functions: ${PROGRAM} flamegraph pod/NAME --format top`,
  ...Object.fromEntries(
    ['tcpdump', 'capture', 'sniff', 'packets', 'dump'].map((word) => [
      word,
      `did you mean pcap? ${PROGRAM} pcap pod/NAME`,
    ]),
  ),
  ...Object.fromEntries(
    ['tshark', 'wireshark', 'capinfos'].map((word) => [
      word,
      `did you mean analyze? ${PROGRAM} analyze FILE`,
    ]),
  ),
  ...Object.fromEntries(
    ['offcpu', 'off-cpu', 'wait', 'latency', 'blocked', 'throttling'].map((word) => [
      word,
      `did you mean waits? ${PROGRAM} waits pod/NAME`,
    ]),
  ),
  exec: `did you mean shell? ${PROGRAM} shell pod/NAME -- COMMAND; in the container: ${PROGRAM} crictl pod/NAME -c NAME -- exec -it sh`,
  logs: `did you mean crictl? ${PROGRAM} crictl pod/NAME -- logs`,
  ...Object.fromEntries(
    ['debug', 'attach', 'ssh'].map((word) => [word, `did you mean shell? ${PROGRAM} shell pod/NAME`]),
  ),
};

/** `rest`: the words after `--`; undefined without `--`. */
async function takeApart(
  command: AnyCommand,
  { before, after }: VerbLine,
  rest: readonly string[] | undefined,
): Promise<Typed> {
  const { own, inline } =
    command.args?.rest === 'inline' && rest === undefined
      ? splitInline(command, after)
      : { own: after, inline: rest ?? [] };
  const given = [...before, ...own];
  if (given.length === 0) return { positionals: [], rest: inline, flags: new Map() };
  const parser = (await build(command)).fail((message, error) => {
    throw usageError(plainWords(message ?? error?.message ?? ''), `${PROGRAM} ${command.name} --help`);
  });
  const words = [before, own].flatMap((part) => separated(part, command.options));
  const argv = parser.parseSync(words) as unknown as Record<string, unknown> & {
    _: Array<string | number>;
  };
  refuseUnknown(command, given, argv);
  const flags = new Map<string, readonly string[] | boolean>();
  for (const [name, spec] of Object.entries(command.options)) {
    const value = argv[name];
    if (value === undefined) continue;
    const isSwitch = spec.type === 'boolean';
    const values = isSwitch ? switchesIn(words, name) : [value].flat().map(String);
    refuseTwice(name, spec, values);
    flags.set(name, isSwitch ? values.at(-1) === 'true' : values);
  }
  return { positionals: argv._.map(String), rest: inline, flags };
}

/**
 * Without `--`, all words from the second argument on are for the program on the node. A flag among them could be meant
 * for either side, so it is refused.
 */
function splitInline(
  command: AnyCommand,
  words: readonly string[],
): { readonly own: readonly string[]; readonly inline: readonly string[] } {
  const target = firstArgument(words, command.options);
  const more = target < 0 ? -1 : firstArgument(words.slice(target + 1), command.options);
  if (more < 0) return { own: words, inline: [] };
  const [own, inline] = [words.slice(0, target + 1 + more), words.slice(target + 1 + more)];
  const flag = inline.find((word) => word.length > 1 && word.startsWith('-'));
  if (flag !== undefined)
    throw usageError(
      `${command.name}: "${printable(flag)}" after "${printable(inline[0]!)}" needs -- in front of the command`,
      printable([PROGRAM, command.name, ...own, '--', ...inline].join(' ')),
    );
  return { own, inline };
}

/** Every value of a switch, because yargs keeps only the last one, and takes any other word than `true` for false. */
const switchesIn = (words: readonly string[], name: string): string[] =>
  words
    .filter((word) => word.startsWith(`--${name}=`))
    .map((word) => String(switchValue(name, word.slice(`--${name}=`.length))));

/**
 * A flag that takes one value is refused if it is given twice with different ones. The last one counts for kubectl's own
 * flags, as in kubectl.
 */
function refuseTwice(
  name: string,
  { type, group, valueIfOmitted }: OptionSpec,
  values: readonly string[],
): void {
  if (type === 'array' || group === CLUSTER || typeof valueIfOmitted === 'number') return;
  const [first, ...others] = values;
  const other = others.find((value) => value !== first);
  if (other === undefined) return;
  const dashes = name.length === 1 ? '-' : '--';
  throw usageError(
    `${dashes}${name}: given twice, as "${printable(first!)}" and as "${printable(other)}"`,
    'give it once',
  );
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
    near.length
      ? `did you mean --${near[0]}?`
      : ((command.args?.rest && command.args.tooMany) ?? `${PROGRAM} ${command.name} --help`),
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
      // By type and not with `options`, which would process each flag once for each of its properties.
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

/** The message of yargs about a missing value, on one line and with the flag as it was typed. */
function plainWords(message: string): string {
  const missing = /^Not enough arguments following: (.*)$/.exec(message);
  if (missing) return `${missing[1]!.length > 1 ? '--' : '-'}${missing[1]}: needs a value`;
  return message.trim().split('\n')[0] || 'the command line was not understood';
}
