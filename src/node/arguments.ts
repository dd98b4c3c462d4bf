import { asset } from '../assets.ts';

/** What may stand behind `collector=`. */
export type CollectorName = 'perf' | 'tcpdump' | 'inspect' | 'crictl' | 'shell';

/** An argument of the node's script, in the order in which they are sent. */
interface Argument {
  readonly name: string;
  readonly isOptional: boolean;
}

/** The tables of node/arguments.sh: the types are extended regular expressions that RE2 reads alike. */
interface Grammar {
  readonly types: ReadonlyMap<string, string>;
  readonly common: readonly Argument[];
  readonly ofPod: readonly Argument[];
  readonly ofNode: readonly Argument[];
  readonly ofCollector: ReadonlyMap<string, readonly Argument[]>;
  readonly scopes: ReadonlyMap<string, string>;
  readonly words: ReadonlyMap<string, string>;
}

/** Reads the tables out of the shell that checks by them. Throws when one is not there. */
function readGrammar(): Grammar {
  const text = asset('node/arguments.sh');
  const table = (name: string): Map<string, string> => {
    const body = new RegExp(`^readonly -A ${name}=\\(\\n([^]*?)^\\)$`, 'm').exec(text)?.[1];
    const rows = [...(body ?? '').matchAll(/^ {2}\[(\w+)\]='([^']*)'$/gm)];
    if (rows.length === 0) throw new Error(`node/arguments.sh has no table ${name}`);
    return new Map(rows.map(([, key, value]) => [key!, value!]));
  };
  const list = (name: string): Argument[] => {
    const words = new RegExp(`^readonly ${name}='([^']*)'$`, 'm').exec(text)?.[1];
    if (words === undefined) throw new Error(`node/arguments.sh has no list ${name}`);
    return argumentsOf(words);
  };
  return {
    types: table('ARGUMENT_TYPE'),
    common: list('COMMON_ARGUMENTS'),
    ofPod: list('POD_ARGUMENTS'),
    ofNode: list('NODE_ARGUMENTS'),
    ofCollector: new Map(
      [...table('COLLECTOR_ARGUMENTS')].map(([name, words]) => [name, argumentsOf(words)]),
    ),
    scopes: table('COLLECTOR_SCOPES'),
    words: table('COLLECTOR_WORDS'),
  };
}

const argumentsOf = (words: string): Argument[] =>
  words.split(' ').map((word) => ({ name: word.replace('?', ''), isOptional: word.endsWith('?') }));

/** Values of arguments that are narrower than their types, as expressions. */
export type Narrowed = Readonly<Record<string, string>>;

/**
 * All argument lists that the node's script takes of a collector, as one expression in RE2 over the arguments with a
 * line feed behind each. `of` says what the target is; without `isAnyWord` the words of the tool are checked too.
 */
export function argumentsPattern(
  collector: CollectorName,
  of: 'pod' | 'node' | 'either',
  narrowed: Narrowed = {},
  isAnyWord = false,
): string {
  const { types, common, ofPod, ofNode, ofCollector, scopes, words } = readGrammar();
  const typeOf = (name: string): string => {
    if (narrowed[name] !== undefined) return narrowed[name];
    if (name === 'collector') return collector;
    return name === 'scope' ? scopes.get(collector)! : types.get(name)!;
  };
  const sequence = (list: readonly Argument[]): string =>
    list
      .map(({ name, isOptional }) => {
        const one = `${name}=(${typeOf(name)})\\n`;
        return isOptional ? `(${one})?` : one;
      })
      .join('');
  const target =
    of === 'pod'
      ? sequence(ofPod)
      : of === 'node'
        ? sequence(ofNode)
        : `(${sequence(ofPod)}|${sequence(ofNode)})`;
  const tool = isAnyWord ? words.get('shell')! : words.get(collector)!;
  return `^${sequence(common)}${target}${sequence(ofCollector.get(collector)!)}--\\n${tool}$`;
}
