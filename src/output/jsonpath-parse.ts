/**
 * kubectl's JSONPath templates as data. The language is the one of `kubectl -o jsonpath=` (kubernetes.io/docs/reference/
 * kubectl/jsonpath, client-go's util/jsonpath): text with `{…}` in it, `{range …}{end}`, filters, slices, unions.
 */
export type PathStep =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'slice'; readonly start?: number; readonly end?: number; readonly step: number }
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'union'; readonly paths: readonly Path[] }
  | { readonly kind: 'filter'; readonly left: Path; readonly operator: Operator; readonly right: Path }
  | { readonly kind: 'constant'; readonly value: string | number | boolean };

export type Path = readonly PathStep[];
export type Operator = '==' | '!=' | '<' | '>' | '<=' | '>=' | 'exists';

export type TemplateBlock =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly path: Path }
  | { readonly kind: 'range'; readonly path: Path; readonly body: readonly TemplateBlock[] };

/** The template is not valid. The message is one line and names the place. */
export class JsonPathError extends Error {}

const OPERATORS: readonly string[] = ['==', '!=', '<', '>', '<=', '>='];
const TERMINATORS = new Set([...' \t\r\n.,[]$@{}']);

/** Throws a JsonPathError. */
export function parseJsonPath(template: string): readonly TemplateBlock[] {
  const open: Array<{ path: Path; body: TemplateBlock[] }> = [{ path: [], body: [] }];
  let at = 0;
  while (at < template.length) {
    const brace = template.indexOf('{', at);
    const text = template.slice(at, brace < 0 ? undefined : brace);
    if (text) open.at(-1)!.body.push({ kind: 'text', text });
    if (brace < 0) break;
    const action = new Action(template, brace + 1);
    at = action.end;
    if (action.word === 'range') open.push({ path: action.path, body: [] });
    else if (action.word === 'end') {
      const closed = open.pop()!;
      if (open.length === 0) throw new JsonPathError('not in range, nothing to end');
      open.at(-1)!.body.push({ kind: 'range', ...closed });
    } else open.at(-1)!.body.push({ kind: 'print', path: action.path });
  }
  if (open.length > 1) throw new JsonPathError('{range …} has no {end}');
  return open[0]!.body;
}

/** The text between two braces. */
class Action {
  readonly #text: string;
  #at: number;
  readonly path: PathStep[] = [];
  word: 'range' | 'end' | undefined;

  constructor(text: string, at: number) {
    this.#text = text;
    this.#at = at;
    while (this.#peek() !== '}') this.#step();
    this.#at += 1;
  }

  /** The position after the closing brace. */
  get end(): number {
    return this.#at;
  }

  #peek(): string {
    const next = this.#text[this.#at];
    if (next === undefined || next === '\n' || next === '\r')
      throw new JsonPathError(`"{${this.#text.slice(this.#text.lastIndexOf('{') + 1)}" has no closing brace`);
    return next;
  }

  #step(): void {
    const next = this.#peek();
    if (next === ' ' || next === '@' || next === '$') this.#at += 1;
    else if (this.#text.startsWith('[?(', this.#at)) this.#filter();
    else if (this.#text.startsWith('..', this.#at)) this.#recursive();
    else if (next === '.') {
      this.#at += 1;
      this.#field();
    } else if (next === '[') this.#brackets();
    else if (next === '"' || next === "'") this.path.push({ kind: 'constant', value: this.#quoted(next) });
    else if (/[-+\d]/.test(next)) this.#number();
    else if (/[\p{L}_]/u.test(next)) this.#identifier();
    else throw new JsonPathError(`unexpected "${next}"`);
  }

  #recursive(): void {
    if (this.path.at(-1)?.kind === 'recursive') throw new JsonPathError('invalid multiple recursive descent');
    this.#at += 2;
    this.path.push({ kind: 'recursive' });
    if (/[\p{L}\d_]/u.test(this.#peek())) this.#field();
  }

  #field(): void {
    let name = '';
    while (!TERMINATORS.has(this.#peek())) {
      if (this.#peek() === '\\') this.#at += 1;
      name += this.#peek();
      this.#at += 1;
    }
    this.path.push(name === '*' ? { kind: 'wildcard' } : { kind: 'field', name });
  }

  #brackets(): void {
    const close = this.#text.indexOf(']', this.#at);
    if (close < 0) throw new JsonPathError('unterminated array');
    const inside = this.#text.slice(this.#at + 1, close);
    this.#at = close + 1;
    const parts = inside.split(',').map((each) => each.trim());
    if (parts.length > 1) this.path.push({ kind: 'union', paths: parts.map(subscript) });
    else this.path.push(...subscript(inside));
  }

  #filter(): void {
    const start = this.#at + 3;
    let quote = '';
    let at = start;
    for (; ; at += 1) {
      const next = this.#text[at];
      if (next === undefined || next === '\n') throw new JsonPathError('unterminated filter');
      if (quote) {
        if (next === quote && this.#text[at - 1] !== '\\') quote = '';
      } else if (next === '"' || next === "'") quote = next;
      else if (next === ')') break;
    }
    if (this.#text[at + 1] !== ']') throw new JsonPathError('unclosed array expect ]');
    const condition = this.#text.slice(start, at);
    this.#at = at + 2;
    const compared = /^([^!<>=]+)([!<>=~]+)(.+)$/s.exec(condition);
    if (!compared) {
      this.path.push({ kind: 'filter', left: pathOf(condition), operator: 'exists', right: [] });
      return;
    }
    const [, left, operator, right] = compared;
    if (!OPERATORS.includes(operator!)) throw new JsonPathError(`unrecognized filter operator ${operator}`);
    this.path.push({
      kind: 'filter',
      left: pathOf(left!),
      operator: operator as Operator,
      right: pathOf(right!),
    });
  }

  #quoted(quote: string): string {
    const match = quote === '"' ? /"(?:[^"\\\n]|\\[^\n])*"/y : /'(?:[^'\\\n]|\\[^\n])*'/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text);
    if (!found) throw new JsonPathError('unterminated quoted string');
    this.#at = match.lastIndex;
    return found[0].slice(1, -1).replaceAll(/\\(u[\da-f]{4}|x[\da-f]{2}|.)/gi, unescaped);
  }

  #number(): void {
    const match = /[-+]?[\d.]*/y;
    match.lastIndex = this.#at;
    const text = match.exec(this.#text)![0];
    this.#at = match.lastIndex;
    const value = Number(text);
    if (!/\d/.test(text) || Number.isNaN(value)) throw new JsonPathError(`cannot parse number ${text}`);
    this.path.push({ kind: 'constant', value });
  }

  #identifier(): void {
    let name = '';
    for (; !TERMINATORS.has(this.#peek()); this.#at += 1) name += this.#peek();
    if (name === 'true' || name === 'false') this.path.push({ kind: 'constant', value: name === 'true' });
    else if (name === 'range' || name === 'end') this.word = name;
    else
      throw new JsonPathError(`unrecognized identifier ${name}: a field begins with a dot, as in {.${name}}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** Replaces the escape sequences of Go in a quoted string. */
function unescaped(whole: string, behind: string): string {
  if (behind.length > 1) return String.fromCodePoint(Number.parseInt(behind.slice(1), 16));
  const meant = ESCAPES[behind];
  if (meant === undefined) throw new JsonPathError(`invalid syntax: ${whole} in a quoted string`);
  return meant;
}

const pathOf = (text: string): Path => new Action(`{${text}}`, 1).path;

/** Parses the text in brackets: `'key'`, `*`, an index, or `start:end:step`. */
function subscript(text: string): Path {
  if (text === '*') return [{ kind: 'slice', step: 1 }];
  const filter = /^\?\((.*)\)$/s.exec(text);
  if (filter) return pathOf(`[${text}]`);
  const key = /^'([^']*)'$/.exec(text);
  if (key) return pathOf(`.${key[1]}`);
  const slice = /^(-?\d*)(?::(-?\d*))?(?::(-?\d*))?$/.exec(text);
  if (!slice) throw new JsonPathError(`invalid array index ${text}`);
  const [, start, end, step] = slice;
  if (end === undefined) {
    if (!start || start === '-') throw new JsonPathError(`invalid array index ${text}`);
    return [{ kind: 'index', at: Number(start) }];
  }
  return [
    {
      kind: 'slice',
      ...(start && { start: Number(start) }),
      ...(end && { end: Number(end) }),
      step: step ? Number(step) : 1,
    },
  ];
}
