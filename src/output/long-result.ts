import type { Turns } from '../interrupts.ts';
import { printableJson } from '../text/printable.ts';
import { yamlDumper } from './format.ts';

/**
 * A result with lists that may be too long for the memory. A list may be a generator that makes its rows when they are read,
 * and can then be read only once.
 */
export type LongResult = Readonly<Record<string, unknown>>;

/** Lists are streamed down to this depth of objects; a deeper value is printed at once. */
const DEEPEST = 2;
/** Rows in one piece of YAML, because a call of the YAML library costs about the same for many rows. */
const ROWS = 50;

const isList = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

const isParted = (value: unknown, depth: number): value is LongResult =>
  depth < DEEPEST && typeof value === 'object' && value !== null && Object.keys(value).length > 0;

/** The properties that JSON contains. */
const entries = (value: LongResult) => Object.entries(value).filter(([, each]) => each !== undefined);

/** The result as JSON without spaces, in pieces, so that it is never in memory as a whole. */
export function* longJson(value: unknown, depth = 0): Generator<string> {
  if (isList(value)) {
    let before = '[';
    for (const row of value) {
      yield before + printableJson(row);
      before = ',';
    }
    yield before === '[' ? '[]' : ']';
  } else if (isParted(value, depth)) {
    let before = '{';
    for (const [key, each] of entries(value)) {
      yield `${before}${printableJson(key)}:`;
      yield* longJson(each, depth + 1);
      before = ',';
    }
    yield '}';
  } else yield printableJson(value);
}

/** The result as YAML in pieces, the same text as for the whole result at once. */
export async function longYaml(result: LongResult): Promise<Iterable<string>> {
  const dump = await yamlDumper();
  const indented = (text: string, indent: string) => (indent ? text.replaceAll(/^(?=.)/gm, indent) : text);
  // The library adds quotes if the key needs them.
  const name = (key: string) => dump({ [key]: null }).slice(0, -' null\n'.length);
  return parts(result, 0);

  function* parts(value: LongResult, depth: number): Generator<string> {
    const indent = '  '.repeat(depth);
    for (const [key, each] of entries(value)) {
      if (isList(each)) yield* list(key, each, indent);
      else if (isParted(each, depth + 1)) {
        yield `${indent}${name(key)}\n`;
        yield* parts(each, depth + 1);
      } else yield indented(dump({ [key]: each }), indent);
    }
  }

  function* list(key: string, rows: Iterable<unknown>, indent: string): Generator<string> {
    let some: unknown[] = [];
    let isEmpty = true;
    const piece = () => {
      const text = `${isEmpty ? `${indent}${name(key)}\n` : ''}${indented(dump(some), `${indent}  `)}`;
      isEmpty = false;
      some = [];
      return text;
    };
    for (const row of rows) if (some.push(row) === ROWS) yield piece();
    if (some.length) yield piece();
    if (isEmpty) yield `${indent}${name(key)} []\n`;
  }
}

/** Is told the size so far, in characters of JSON, and throws if it is too large. */
type Bound = (characters: number) => void;

/** The result as one object that contains what JSON would contain. */
export async function asOneObject(result: LongResult, bound: Bound, turns: Turns): Promise<object> {
  let characters = 0;
  const plain = (value: unknown): unknown => {
    const text = JSON.stringify(value);
    characters += text.length;
    bound(characters);
    return JSON.parse(text);
  };
  return parts(result, 0);

  async function parts(value: LongResult, depth: number): Promise<object> {
    const made: Record<string, unknown> = {};
    for (const [key, each] of entries(value))
      made[key] = isList(each)
        ? await list(each)
        : isParted(each, depth + 1)
          ? await parts(each, depth + 1)
          : plain(each);
    return made;
  }

  async function list(rows: Iterable<unknown>): Promise<unknown[]> {
    const made: unknown[] = [];
    for (const row of rows) {
      made.push(plain(row));
      if (turns.isOver) await turns.give();
    }
    return made;
  }
}
