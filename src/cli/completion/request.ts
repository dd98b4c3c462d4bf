import { CLUSTER_OPTIONS } from '../cluster-options.ts';
import type { AnyCommand } from '../command.ts';
import { isLevel } from '../expand-flags.ts';
import { allOptions, beforeDashes, findVerb } from '../find-verb.ts';
import type { CompletionKind, OptionSpec, OptionTable } from '../option-spec.ts';

/** One possible completion. */
export interface Choice {
  readonly text: string;
  readonly about?: string;
}

/** What is to be completed at the end of an unfinished command line. */
export type Wanted =
  | { readonly kind: 'choices'; readonly choices: readonly Choice[] }
  | {
      readonly kind: 'names';
      readonly of: CompletionKind;
      /** The part that was already typed. */
      readonly begun: string;
      readonly line: LineSoFar;
    };

/** The complete words before it. */
export interface LineSoFar {
  readonly positionals: readonly string[];
  /** By long name; a switch has ''. */
  readonly flags: ReadonlyMap<string, string>;
}

const NOTHING: Wanted = { kind: 'choices', choices: [] };

/**
 * Decides what may come next. `words` follow `kubectl gkeprof`; the last one is unfinished and may be empty. For
 * `--flag=part` the answer is only the value, because the shell keeps the part before `=` (as with cobra).
 */
export function wantedFor(words: readonly string[], table: readonly AnyCommand[]): Wanted {
  const begun = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const visible = table.filter((each) => !each.hidden);
  const topics = ['help', 'options'].map((name) => ({ name, options: {} }));
  const found = findVerb(beforeDashes(before), [...visible, ...topics]);
  if (!found) return beforeVerb(before, begun, visible);
  const verbs = visible.map(({ name, describe }) => ({ text: name, about: describe }));
  if (found.verb === 'help')
    return found.after.length === 0 ? choices([...verbs, OPTIONS_TOPIC], begun) : NOTHING;
  const command = visible.find(({ name }) => name === found.verb);
  const at = found.before.length;
  return command ? inCommand(command, [...found.before, ...before.slice(at + 1)], begun) : NOTHING;
}

const OPTIONS_TOPIC: Choice = { text: 'options', about: 'List the flags that are taken from kubectl' };

/** Completes a line without a verb: offers the verbs, and the flags that may stand before one. */
function beforeVerb(before: readonly string[], begun: string, commands: readonly AnyCommand[]): Wanted {
  const options = allOptions(commands);
  const { line, pending } = readLine(options, before);
  if (pending !== undefined) return valuesOf(options[pending]!, begun, line);
  if (line.positionals.length > 0 || before.includes('--')) return NOTHING;
  if (before.length === 0 && begun.startsWith('-') && !begun.includes('='))
    return choices(
      [{ text: '--help' }, { text: '--version' }, ...flagsLeft(CLUSTER_OPTIONS, line).slice(0, -1)],
      begun,
    );
  const equals = begun.startsWith('-') ? begun.indexOf('=') : -1;
  const spec = equals < 0 ? undefined : options[longName(options, begun.slice(0, equals)) ?? ''];
  if (spec) return valuesOf(spec, begun.slice(equals + 1), line);
  if (begun.startsWith('-')) return choices(flagsLeft(CLUSTER_OPTIONS, line), begun);
  const verbs = commands.map(({ name, describe }) => ({ text: name, about: describe }));
  return choices([...verbs, { text: 'help', about: 'Show the help of a command' }, OPTIONS_TOPIC], begun);
}

function inCommand(command: AnyCommand, before: readonly string[], begun: string): Wanted {
  const { options } = command;
  const dashes = before.indexOf('--');
  if (dashes >= 0) {
    const first = before.length === dashes + 1 ? (command.restWords ?? []) : [];
    return choices(
      first.map((text) => ({ text })),
      begun,
    );
  }
  const { line, pending } = readLine(options, before);
  if (pending !== undefined) return valuesOf(options[pending]!, begun, line);
  const equals = begun.startsWith('-') ? begun.indexOf('=') : -1;
  if (equals >= 0) {
    const spec = options[longName(options, begun.slice(0, equals)) ?? ''];
    return spec ? valuesOf(spec, begun.slice(equals + 1), line) : NOTHING;
  }
  if (begun.startsWith('-')) return choices(flagsLeft(options, line), begun);
  const kinds = command.completion ?? [];
  const at = line.positionals.length;
  const of = kinds[at] ?? (command.repeats ? kinds.at(-1) : undefined);
  if (of) return { kind: 'names', of, begun, line };
  const fixed = at === 0 ? (command.subcommands ?? []) : [];
  return choices(
    fixed.map((text) => ({ text })),
    begun,
  );
}

const choices = (all: readonly Choice[], begun: string): Wanted => ({
  kind: 'choices',
  choices: all.filter(({ text }) => text.startsWith(begun)),
});

/** Arguments and flags as yargs would read them, and the flag whose value is missing at the end. */
function readLine(
  options: OptionTable,
  words: readonly string[],
): { readonly line: LineSoFar; readonly pending?: string } {
  const positionals: string[] = [];
  const flags = new Map<string, string>();
  let pending: string | undefined;
  for (const [at, word] of words.entries()) {
    if (pending !== undefined) {
      const isValue = !isOmitted(options[pending]!, word);
      flags.set(pending, isValue ? word : '');
      pending = undefined;
      if (isValue) continue;
    }
    if (word.startsWith('--')) {
      const [, given = '', value] = /^(--[^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      const name = longName(options, given);
      if (name === undefined) continue;
      if (value === undefined && !isSwitch(options[name]!)) pending = name;
      else flags.set(name, value ?? '');
    } else if (word.startsWith('-') && word.length > 1) {
      pending = readShort(options, word.slice(1), flags);
    } else if (!(isLevel(word) && isVerbose(options, words[at - 1]))) positionals.push(word);
  }
  return { line: { positionals, flags }, ...(pending !== undefined && { pending }) };
}

/** Whether a number after this word is its level (`-v 2`), as in expand-flags.ts. */
const isVerbose = (options: OptionTable, word = ''): boolean => {
  const long = word.startsWith('--');
  if (!long && !/^-[A-Za-z]+$/.test(word)) return false;
  const name = longName(options, long ? word : `-${word.at(-1)}`);
  return name !== undefined && typeof options[name]!.valueIfOmitted === 'number';
};

/** Whether the value of a flag is omitted, because the next word is not one (`--dry-run pod/x`). */
const isOmitted = ({ valueIfOmitted, choices }: OptionSpec, word: string): boolean =>
  valueIfOmitted !== undefined && choices?.includes(word) === false;

/** A flag without a value. `-v` counts as one, because the next word is its value only if it is a number. */
const isSwitch = ({ type, valueIfOmitted }: OptionSpec): boolean =>
  type === 'boolean' || typeof valueIfOmitted === 'number';

/** Reads `-vn redis` or `-nredis`. Returns the flag whose value is the next word. */
function readShort(options: OptionTable, letters: string, flags: Map<string, string>): string | undefined {
  for (let at = 0; at < letters.length; at += 1) {
    const name = longName(options, `-${letters[at]}`);
    if (name === undefined) return undefined;
    if (isSwitch(options[name]!)) {
      flags.set(name, '');
      continue;
    }
    const value = letters.slice(at + 1).replace(/^=/, '');
    if (value === '') return name;
    flags.set(name, value);
    return undefined;
  }
  return undefined;
}

const longName = (options: OptionTable, given: string): string | undefined =>
  given.startsWith('--')
    ? options[given.slice(2)] && given.slice(2)
    : Object.keys(options).find((name) => name === given.slice(1) || options[name]!.alias === given.slice(1));

/** The flags that may follow: all that were not given yet, and those that can be repeated. */
const flagsLeft = (options: OptionTable, { flags }: LineSoFar): Choice[] => [
  ...Object.entries(options)
    .filter(([name, { type, unlisted }]) => !unlisted && (type === 'array' || !flags.has(name)))
    .flatMap(([name, { alias, describe }]) => [
      { text: name.length === 1 ? `-${name}` : `--${name}`, about: describe },
      ...(alias ? [{ text: `-${alias}`, about: describe }] : []),
    ]),
  { text: '--help', about: 'Show the help of this command' },
];

function valuesOf(spec: OptionSpec, begun: string, line: LineSoFar): Wanted {
  if (spec.completion) return { kind: 'names', of: spec.completion, begun, line };
  if (spec.words) {
    const before = begun.slice(0, begun.lastIndexOf(',') + 1);
    const used = before.split(',');
    const left = spec.words.filter((word) => !used.includes(word));
    return choices(
      left.map((word) => ({ text: before + word })),
      begun,
    );
  }
  const fixed = spec.choices ?? spec.suggestions ?? (spec.type === 'boolean' ? ['true', 'false'] : []);
  return choices(
    fixed.map((text) => ({ text })),
    begun,
  );
}
