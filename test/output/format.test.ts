import { describe, expect, it } from 'vitest';
import type { RawOptions } from '../../src/cli/option-spec.ts';
import { isOutputFormat, outputFormatOf } from '../../src/cli/output-option.ts';
import { isForPrograms, rendered } from '../../src/output/format.ts';

const raw = (output?: string, flags: readonly string[] = []): RawOptions =>
  ({ text: () => output, flag: (name: string) => flags.includes(name) }) as unknown as RawOptions;

const RESULT = {
  kind: 'Thing',
  text: 'no',
  at: '2026-01-02',
  list: [{ name: 'a', bytes: 1 }, { name: 'b' }],
};

const shown = async (output: string): Promise<string> => {
  const format = outputFormatOf(raw(output));
  if (!isForPrograms(format)) throw new Error(format.kind);
  return rendered(format, RESULT, ['thing/a', 'thing/b']);
};

const refusal = (output: string, flags: readonly string[] = []): string => {
  try {
    outputFormatOf(raw(output, flags));
    return 'none';
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    return `${message} | ${hint ?? ''}`;
  }
};

describe('-o', () => {
  it('json, yaml, name and jsonpath say the same thing', async () => {
    expect(JSON.parse(await shown('json'))).toEqual(RESULT);
    expect(await shown('yaml')).toBe(
      "kind: Thing\ntext: 'no'\nat: '2026-01-02'\nlist:\n  - name: a\n    bytes: 1\n  - name: b\n",
    );
    expect(await shown('name')).toBe('thing/a\nthing/b\n');
    expect(await shown('jsonpath={range .list[*]}{.name}{"\\n"}{end}')).toBe('a\nb\n');
  });

  it('is text where nothing is said, wide where it may be, and not both with --markdown', () => {
    expect([
      outputFormatOf(raw()),
      outputFormatOf(raw('wide'), { wide: true }),
      outputFormatOf(raw(undefined, ['markdown'])),
    ]).toEqual([{ kind: 'text' }, { kind: 'wide' }, { kind: 'markdown' }]);
    expect(refusal('json', ['markdown'])).toMatch('--markdown and -o cannot be used together');
  });

  it.each([
    ['xml', '-o: unknown format "xml" | formats: json, yaml, name, jsonpath=…'],
    ['wide', '-o: unknown format "wide" | formats: json, yaml, name, jsonpath=…'],
    ['jsonpath', "-o jsonpath: missing template | -o jsonpath='{.files[*].path}'"],
    ['jsonpath=', "-o jsonpath: missing template | -o jsonpath='{.files[*].path}'"],
    ['jsonpath={.a', /^-o jsonpath: "\{\.a" has no closing brace \| templates are those of kubectl/],
    ['jsonpath={a}', /^-o jsonpath: unrecognized identifier a: a field begins with a dot, as in \{\.a\}/],
  ])('%s is refused with what is allowed', (output, expected) => {
    expect(refusal(output)).toMatch(expected);
  });

  it('says what a template can not be filled with', async () => {
    await expect(shown('jsonpath={.list[7]}')).rejects.toThrow(
      '-o jsonpath: array index out of bounds: index 7, length 2',
    );
  });

  it('tells a format from the name of a file', () => {
    expect(['json', 'yaml', 'name', 'jsonpath={.a}'].every(isOutputFormat)).toBe(true);
    expect(['-', 'x.json', './json', 'names'].some(isOutputFormat)).toBe(false);
  });
});
