import type { AnyCommand } from './command.ts';
import { firstArgument } from './expand-flags.ts';
import type { OptionTable } from './option-spec.ts';

/** A command line with its verb taken out. Flags may stand before the verb, as in kubectl. */
export interface VerbLine {
  readonly verb: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What has to be known about a verb to find it. */
type Candidate = Pick<AnyCommand, 'name' | 'options'>;

/** The words before `--`. */
export const beforeDashes = (words: readonly string[]): readonly string[] => {
  const dashes = words.indexOf('--');
  return dashes < 0 ? words : words.slice(0, dashes);
};

/**
 * The verb is the first word that is neither a flag nor the value of one. Whether a flag takes a value depends on the
 * verb (`-t` takes one in flamegraph and none in shell), so each verb that occurs is tried with its own flags.
 */
export function findVerb(words: readonly string[], candidates: readonly Candidate[]): VerbLine | undefined {
  for (const [at, verb] of words.entries()) {
    const candidate = candidates.find(({ name }) => name === verb);
    if (candidate && firstArgument(words, candidate.options) === at)
      return { verb, before: words.slice(0, at), after: words.slice(at + 1) };
  }
  return undefined;
}

/** The command that a command line names; undefined if it names none. */
export const commandOf = (argv: readonly string[], table: readonly AnyCommand[]): AnyCommand | undefined => {
  const found = findVerb(beforeDashes(argv), table);
  return found && table.find(({ name }) => name === found.verb);
};

/** All flags of all commands, for lines whose verb is not known. */
export const allOptions = (table: readonly AnyCommand[]): OptionTable =>
  Object.assign({}, ...table.map(({ options }) => options)) as OptionTable;
