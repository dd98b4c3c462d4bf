import { describe, expect, it } from 'vitest';
import {
  counted,
  formatBytes,
  formatDuration,
  formatRate,
  parseCount,
  parseDuration,
  parseSize,
} from '../../src/text/quantity.ts';

describe('parseDuration', () => {
  it.each([
    ['60s', 60],
    ['5m', 300],
    ['1m30s', 90],
    ['500ms', 0.5],
    ['1h', 3600],
    ['10', 10],
    ['0.5', 0.5],
    ['1.5m', 90],
    ['24h', 86_400],
  ])('%s is %d seconds', (text, seconds) => expect(parseDuration(text, '--duration')).toBe(seconds));
  it.each(['0', '0s', '-5s', '10 parsecs', '', 's', '5x', '1s 2s', '25h', '1e3', 'Infinity', '５s', '$(x)'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text, '--duration')).toThrow(
        expect.objectContaining({ code: 2, message: expect.stringContaining('--duration') }),
      );
    },
  );
});

describe('parseSize', () => {
  it.each([
    ['1Gi', 2 ** 30],
    ['500Mi', 500 * 2 ** 20],
    ['200k', 200_000],
    ['1.5M', 1_500_000],
    ['1024', 1024],
    ['10MiB', 10 * 2 ** 20],
  ])('%s is %d bytes', (text, bytes) => expect(parseSize(text, '--max-size')).toBe(bytes));
  it.each(['0', '0.1', '-1', 'x', '1Q', '', '1 Gi'])('refuses %j', (text) => {
    expect(() => parseSize(text, '--max-size')).toThrow(expect.objectContaining({ code: 2 }));
  });
});

describe('parseCount', () => {
  it('takes whole numbers in its range', () => {
    expect(parseCount('6379', '--port', 1, 65535)).toBe(6379);
    for (const text of ['0', '70000', 'abc', '1.5', '-1', '', '1e3', '0x10']) {
      expect(() => parseCount(text, '--port', 1, 65535)).toThrow(
        /--port: ".*" is not a whole number from 1 to 65535/,
      );
    }
  });
  it('gives an example', () => {
    expect(() => parseCount('x', '--port', 1, 65535, 6379)).toThrow(
      expect.objectContaining({ hint: 'for example --port 6379' }),
    );
  });
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [10 * 1024, '10 KiB'],
  [2 ** 30, '1.0 GiB'],
  [1.5 * 2 ** 20, '1.5 MiB'],
])('formatBytes(%d) is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

it.each([
  [0.5, '0.5s'],
  [45, '45s'],
  [60, '60s'],
  [90, '1m30s'],
  [3600, '1h'],
  [3661, '1h1m1s'],
  [5.004, '5s'],
  [0, '0s'],
  [0.02, '20ms'],
  [0.0999, '100ms'],
  [0.000_02, '0.02ms'],
])('formatDuration(%d) is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

it('parseDuration takes what formatDuration writes', () => {
  for (const seconds of [0.000_02, 0.02, 0.5, 45, 3661])
    expect(parseDuration(formatDuration(seconds), '--duration')).toBeCloseTo(seconds, 9);
});

it.each([
  [0, '0'],
  [0.049, '0.049'],
  [1.25, '1.3'],
  [10.4, '10'],
  [1050, '1050'],
])('formatRate(%d) is %s', (rate, text) => expect(formatRate(rate)).toBe(text));

it.each([
  [0, '0 boxes'],
  [1, '1 box'],
  [2, '2 boxes'],
  [0.5, '0.5 boxes'],
])('counted(%d) is %s', (count, text) => expect(counted(count, 'box', 'boxes')).toBe(text));
