/** An argument of the node's script, in the order in which they are sent. */
interface Argument {
  readonly name: string;
  readonly isOptional: boolean;
}

/** The tables of the node's script: the types are extended regular expressions that RE2 reads alike. */
export interface Grammar {
  readonly types: ReadonlyMap<string, string>;
  readonly common: readonly Argument[];
  readonly ofPod: readonly Argument[];
  readonly ofNode: readonly Argument[];
  readonly ofCollector: ReadonlyMap<string, readonly Argument[]>;
  readonly scopes: ReadonlyMap<string, string>;
  readonly words: ReadonlyMap<string, string>;
}

/**
 * Reads the tables out of the script that checks by them: node/arguments.sh begins them, and each collector's part adds its
 * own lines. Throws when a table is missing, and when an entry is there twice: bash would let the last one win.
 */
export function readGrammar(script: string): Grammar {
  const table = (name: string): Map<string, string> => {
    const rows = [...script.matchAll(new RegExp(`^${name}\\[(\\w+)\\]='([^']*)'$`, 'gm'))];
    const entries = new Map(rows.map(([, key, value]) => [key!, value!]));
    if (entries.size === 0) throw new Error(`the node's script has no table ${name}`);
    if (entries.size < rows.length) throw new Error(`the node's script has an entry of ${name} twice`);
    return entries;
  };
  const list = (name: string): Argument[] => {
    const words = new RegExp(`^readonly ${name}='([^']*)'$`, 'm').exec(script)?.[1];
    if (words === undefined) throw new Error(`the node's script has no list ${name}`);
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
  words
    .split(' ')
    .filter(Boolean)
    .map((word) => ({ name: word.replace('?', ''), isOptional: word.endsWith('?') }));

/** Regular expressions for values of arguments that are narrower than their types. Such an argument must be there. */
export type Narrowed = Readonly<Record<string, string>>;

/**
 * One RE2 expression for all argument lists that the node's script accepts from a collector, each argument with a line feed
 * behind it. `of` says what the target is; without `isAnyWord` the words of the tool are checked too.
 */
export function argumentsPattern(
  grammar: Grammar,
  collector: string,
  of: 'pod' | 'node' | 'either',
  narrowed: Narrowed = {},
  isAnyWord = false,
): string {
  const { types, common, ofPod, ofNode, ofCollector, scopes, words } = grammar;
  const typeOf = (name: string): string => {
    if (narrowed[name] !== undefined) return narrowed[name];
    if (name === 'collector') return collector;
    return name === 'scope' ? scopes.get(collector)! : types.get(name)!;
  };
  const sequence = (list: readonly Argument[]): string =>
    list
      .map(({ name, isOptional }) => {
        const one = `${name}=(${typeOf(name)})\\n`;
        return isOptional && narrowed[name] === undefined ? `(${one})?` : one;
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
