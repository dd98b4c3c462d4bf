import {
  JsonPathError,
  type Operator,
  type Path,
  type PathStep,
  parseJsonPath,
  type TemplateBlock,
} from './jsonpath-parse.ts';

/** Data that JSON can contain. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Compiles a template into a function from data to text. A field that does not exist is empty, as in kubectl. */
export function jsonPath(template: string): (data: Json) => string {
  const blocks = parseJsonPath(template);
  return (data) => printed(blocks, data);
}

const printed = (blocks: readonly TemplateBlock[], data: Json): string =>
  blocks
    .map((block) => {
      if (block.kind === 'text') return block.text;
      const values = walk(block.path, [data]);
      return block.kind === 'print'
        ? values.map(textOf).join(' ')
        : values.map((value) => printed(block.body, value)).join('');
    })
    .join('');

const walk = (path: Path, values: readonly Json[]): readonly Json[] =>
  path.reduce<readonly Json[]>(
    (current, step) =>
      step.kind === 'union'
        ? step.paths.flatMap((each) => walk(each, current)) // As in kubectl: all values of the first path, then all of the second.
        : current.flatMap((value) => follow(step, value)),
    values,
  );

function follow(step: Exclude<PathStep, { kind: 'union' }>, value: Json): readonly Json[] {
  switch (step.kind) {
    case 'constant':
      return [step.value];
    case 'field':
      return isMap(value) && Object.hasOwn(value, step.name) ? [value[step.name]!] : [];
    case 'wildcard':
      return childrenOf(value);
    case 'recursive':
      return descendants(value);
    case 'index':
      return elements(value, step.at, undefined, 1, true);
    case 'slice':
      return elements(value, step.start, step.end, step.step, false);
    case 'filter':
      return filtered(step, value);
  }
}

const isMap = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const childrenOf = (value: Json): readonly Json[] =>
  typeof value === 'object' && value !== null ? Object.values(value) : [];

/** The value and all values below it, parents first. Empty values are left out. */
function descendants(value: Json): readonly Json[] {
  if (typeof value === 'string') return value ? [value] : [];
  const children = childrenOf(value);
  return children.length ? [value, ...children.flatMap(descendants)] : [];
}

function elements(
  value: Json,
  start: number | undefined,
  end: number | undefined,
  step: number,
  single: boolean,
): readonly Json[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw new JsonPathError(`${kindOf(value)} is not array or slice`);
  const { length } = value;
  const from = start === undefined ? 0 : start < 0 ? start + length : start;
  const to = single ? from + 1 : end === undefined ? length : end < 0 ? end + length : end;
  if (from === to) return [];
  if (from < 0 || from >= length)
    throw new JsonPathError(`array index out of bounds: index ${from}, length ${length}`);
  if (to < 0 || to > length)
    throw new JsonPathError(`array index out of bounds: index ${to - 1}, length ${length}`);
  if (from > to) throw new JsonPathError(`starting index ${from} is greater than ending index ${to}`);
  if (step <= 0) throw new JsonPathError('step must be > 0');
  return value.slice(from, to).filter((_, at) => at % step === 0);
}

function filtered(
  { left, operator, right }: Extract<PathStep, { kind: 'filter' }>,
  value: Json,
): readonly Json[] {
  if (!Array.isArray(value))
    throw new JsonPathError(`${kindOf(value)} is not array or slice and cannot be filtered`);
  return value.filter((element: Json) => {
    const lefts = walk(left, [element]);
    if (operator === 'exists') return lefts.length > 0;
    const rights = walk(right, [element]);
    if (lefts.length === 0 || rights.length === 0) return false;
    if (lefts.length > 1 || rights.length > 1)
      throw new JsonPathError('can only compare one element at a time');
    return compares(lefts[0]!, operator, rights[0]!);
  });
}

function compares(left: Json, operator: Operator, right: Json): boolean {
  const comparable = typeof left === typeof right && typeof left !== 'object';
  if (!comparable) throw new JsonPathError('incompatible types for comparison');
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    default:
      if (typeof left === 'boolean') throw new JsonPathError('invalid type for comparison');
      return ordered(left as string | number, operator, right as string | number);
  }
}

const ordered = (left: string | number, operator: Operator, right: string | number): boolean =>
  operator === '<'
    ? left < right
    : operator === '<='
      ? left <= right
      : operator === '>'
        ? left > right
        : left >= right;

const kindOf = (value: Json): string =>
  value === null ? 'null' : isMap(value) ? 'a map' : `a ${typeof value}`;

/** Strings unchanged, objects and lists as JSON, and numbers as Go prints them. */
function textOf(value: Json): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return goNumber(value);
  return JSON.stringify(value);
}

/** Go's %v prints an exponent of two digits below 1e-4 and from 1e21 on (strconv.FormatFloat 'g'). */
function goNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
}
