import { describe, expect, it } from 'vitest';
import { styleFor } from '../../src/output/style.ts';

describe('colours', () => {
  const RED = '\u001b[31merror:\u001b[39m';
  it.each([
    [true, {}, RED],
    [true, { TERM: 'xterm-256color' }, RED],
    [true, { NO_COLOR: '' }, RED],
    [true, { NO_COLOR: '1' }, 'error:'],
    [true, { NO_COLOR: '0' }, 'error:'],
    [true, { TERM: 'dumb' }, 'error:'],
    [false, {}, 'error:'],
  ])('terminal %j, environment %j', (isTerminal, env, expected) => {
    expect(styleFor(() => isTerminal, env)('error:')).toBe(expected);
  });
});
