import { describe, expect, it } from 'vitest';
import { mostFirst } from '../../src/packets/conversations.ts';

describe('rows by a number, most first', () => {
  it.each([
    ['no row', []],
    ['one row', [7]],
    ['small numbers', [3, 1, 3, 0, 2, 1]],
    ['large numbers', [2 ** 40, 5, 2 ** 40, 0, 1e9]],
    ['numbers that do not fit into one with their row', [2 ** 53 - 1, -(2 ** 53 - 1), 0, 0]],
    ['negative numbers', [-5, -1e12, -5, -1]],
    ['fractions', [0.5, 0.25, 0.5, 1e-9]],
    ['equal numbers', [4, 4, 4]],
  ])('keeps the order of appearance of ties: %s', (_, numbers) => {
    const expected = numbers.map((_, row) => row).sort((one, other) => numbers[other]! - numbers[one]!);
    expect([...mostFirst(numbers.length, (row) => numbers[row]!)]).toEqual(expected);
  });
});
