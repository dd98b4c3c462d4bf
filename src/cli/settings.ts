import { GkeprofError, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { CLUSTER } from './cluster-options.ts';
import type { AnyCommand } from './command.ts';
import type { Config } from './config/parse.ts';
import type { OptionSpec, RawOptions } from './option-spec.ts';
import { environmentName } from './options.ts';
import { nearestNames } from './suggest.ts';

/** A command line taken apart, before presets are added. A switch has no values. */
export interface Typed {
  readonly positionals: readonly string[];
  /** Words after `--`. */
  readonly rest: readonly string[];
  readonly flags: ReadonlyMap<string, readonly string[] | boolean>;
}

/** The value of a flag that was not set on the command line. */
export interface Preset {
  readonly values: readonly string[];
  /** The variable, or the file with the line. */
  readonly from: string;
  readonly by: 'environment' | 'file';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The preset of a flag: the environment's, else the file's for the command, else the file's for all commands. */
export function presetOf(
  command: AnyCommand,
  name: string,
  env: Environment,
  config: Config | undefined,
): Preset | undefined {
  const spec = command.options[name];
  if (!spec || spec.notPresettable) return undefined;
  const variable = environmentName(name);
  const text = env[variable];
  if (text) {
    const values = spec.type === 'array' ? text.split(/\s+/).filter(Boolean) : [text];
    return { values, from: variable, by: 'environment' };
  }
  const setting = config?.commands.get(command.name)?.get(name) ?? config?.defaults.get(name);
  return setting && { values: setting.values, from: `${config!.path}:${setting.line}`, by: 'file' };
}

/** The values of a command's flags: from the command line, else the environment, else the file. */
export function resolveFlags(
  command: AnyCommand,
  typed: Typed,
  env: Environment,
  config: Config | undefined,
): RawOptions {
  const values = new Map<string, readonly string[] | boolean>();
  const origins = new Map<string, string>();
  for (const [name, spec] of Object.entries(command.options)) {
    const given = typed.flags.get(name);
    const preset = given === undefined ? presetOf(command, name, env, config) : undefined;
    if (preset) origins.set(name, preset.from);
    const value = given ?? (preset && presetValue(name, spec, preset));
    if (value === undefined) continue;
    if (typeof value !== 'boolean') checkWords(name, spec, value, preset?.from);
    values.set(name, value);
  }
  const wordsOf = (name: string): readonly string[] => {
    const value = values.get(name);
    return typeof value === 'object' ? value : [];
  };
  return {
    positionals: typed.positionals,
    rest: typed.rest,
    text: (name) => wordsOf(name).at(-1), // The last one counts, as in kubectl.
    list: wordsOf,
    flag: (name) => values.get(name) === true,
    knows: (name) => Object.hasOwn(command.options, name),
    isTyped: (name) => typed.flags.has(name),
    origin: (name) => origins.get(name),
  };
}

function presetValue(name: string, spec: OptionSpec, { values, from }: Preset): readonly string[] | boolean {
  return spec.type === 'boolean' ? switchValue(name, values.at(-1) ?? '', from) : values;
}

/** The value of a switch, in the words that kubectl takes (Go's strconv.ParseBool). */
export function switchValue(name: string, text: string, from?: string): boolean {
  if (/^(?:1|t|T|true|True|TRUE)$/.test(text)) return true;
  if (/^(?:0|f|F|false|False|FALSE)$/.test(text)) return false;
  throw usageError(`--${name}: "${printable(text)}" is neither true nor false${setBy(from)}`);
}

function checkWords(
  name: string,
  { choices, group }: OptionSpec,
  values: readonly string[],
  from: string | undefined,
): void {
  for (const value of values) {
    // kubectl ignores an empty value: `--context="$CONTEXT"`.
    if (value === '' && group === CLUSTER) continue;
    if (value === '') throw usageError(`--${name}: is empty${setBy(from)}`);
    if (!choices || choices.includes(value)) continue;
    const [near] = nearestNames(value, choices);
    throw usageError(
      `--${name}: unknown value "${printable(value)}"${setBy(from)}`,
      `${near === undefined ? '' : `did you mean ${near}? `}values: ${choices.join(', ')}`,
    );
  }
}

const setBy = (from: string | undefined): string => (from === undefined ? '' : ` (set by ${from})`);

/** Calls `make`; an error about a flag that was not typed also says what set it. */
export function withOrigin<T>(raw: RawOptions, make: (raw: RawOptions) => T): T {
  try {
    return make(raw);
  } catch (error) {
    const name = error instanceof GkeprofError ? /^--([a-z][a-z-]*)\b/.exec(error.message)?.[1] : undefined;
    const from = name === undefined ? undefined : raw.origin(name);
    if (from === undefined || !(error instanceof GkeprofError)) throw error;
    throw new GkeprofError(error.code, `${error.message}${setBy(from)}`, error.hint, error);
  }
}
