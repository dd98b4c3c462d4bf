import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import type { AnyCommand } from './command.ts';

/** The arguments of a command: what follows its name and is not a flag. */
export interface Arguments {
  /** What one of them is called in messages, in the singular. */
  readonly noun: string;
  readonly min: number;
  /** Any number of them, where this is absent. */
  readonly max?: number;
  /**
   * Whether arguments after `--` are taken. `inline`: they belong to a program that runs on the node, and `--` may be
   * left out as long as they contain no flags.
   */
  readonly rest?: 'separate' | 'inline';
  /** The hint if there are too many. */
  readonly tooMany?: string;
}

/** Throws a usage error if the command takes fewer or more arguments than were given. */
export function checkArguments(
  { name, args, examples }: Pick<AnyCommand, 'name' | 'args' | 'examples'>,
  given: { readonly positionals: readonly string[]; readonly rest: readonly string[] },
): void {
  const { positionals, rest } = given;
  const example = examples[0] && `for example: ${examples[0][0]}`;
  const count = positionals.length;
  if (count < (args?.min ?? 0)) throw usageError(`${name}: missing ${args!.noun}`, example);
  if (!args && count > 0)
    throw usageError(`${name}: takes no arguments, got "${printable(positionals[0]!)}"`, example);
  if (args?.max !== undefined && count > args.max) {
    const atMost = args.min === args.max ? '' : 'at most ';
    throw usageError(
      `${name}: takes ${atMost}${counted(args.max, args.noun)}, got ${count}`,
      args.tooMany ?? example,
    );
  }
  if (rest.length > 0 && !args?.rest) throw usageError(`${name}: takes no arguments after --`, example);
}
