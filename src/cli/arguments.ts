import { usageError } from '../errors.ts';
import { resourceOf } from '../plan/target.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';
import type { AnyCommand, Arguments } from './command.ts';

/** kubectl takes `pod x` for `pod/x`. */
const targetHint = ({ noun }: Arguments, [kind, name]: readonly string[]): string | undefined =>
  noun === 'target' && resourceOf(kind!) !== undefined
    ? `did you mean ${printable(`${kind}/${name}`)}?`
    : undefined;

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
      targetHint(args, positionals) ?? args.tooMany ?? example,
    );
  }
  if (rest.length > 0 && !args?.rest) throw usageError(`${name}: takes no arguments after --`, example);
}
