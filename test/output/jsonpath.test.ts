import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Json, jsonPath } from '../../src/output/jsonpath.ts';
import { JsonPathError } from '../../src/output/jsonpath-parse.ts';
import { fc } from '../properties.ts';
import { OBJECT, TEMPLATES } from './jsonpath-cases.ts';

/** What kubectl printed, null where it refused; test/e2e/output.test.ts asks it again. */
const ANSWERS = JSON.parse(
  readFileSync(new URL('../goldens/jsonpath.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, string | null>>;

const ours = (template: string): string | null => {
  try {
    return jsonPath(template)(OBJECT as unknown as Json);
  } catch (error) {
    expect(error).toBeInstanceOf(JsonPathError);
    return null;
  }
};

describe('a JSONPath template', () => {
  it('has an answer of kubectl for each', () => expect(Object.keys(ANSWERS)).toEqual(TEMPLATES));
  it.each(TEMPLATES)('%s gives what kubectl gives', (template) => {
    expect(ours(template)).toBe(ANSWERS[template]);
  });

  it('is text or a refusal of one line, whatever it is', () => {
    const piece = fc.constantFrom(
      ...'{}[]().*@$?:,\'"\\ <>=!-0129ab\n'.split(''),
      'range ',
      'end',
      '.rows',
      '..',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        expect([null, 'string']).toContain(ours(pieces.join('')) === null ? null : 'string');
      }),
      { numRuns: 2000 },
    );
  });
});
