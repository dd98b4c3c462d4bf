import { describe, expect, it } from 'vitest';
import type { GkeprofError } from '../../src/errors.ts';
import type { ListedSession } from '../../src/session/session-list.ts';
import { namedSession, onlySession } from '../../src/workflow/find-session.ts';

const session = (id: string, owner = 'jane'): ListedSession => ({
  ...{ id, pod: `gkeprof-perf-${id}-${owner}`, owner, target: 'pod/redis-0', node: 'node-a', what: '' },
  ...{ state: 'finished', createdAt: 0, scratch: 'disk' },
});
const ONE = session('4f1c0a9b2e');
const TWO = session('4f1d0a9b2e');
const ALL = [ONE, TWO];

const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    const { code, message, hint } = error as GkeprofError;
    return `${code}: ${message}; ${hint}`;
  }
  return 'none';
};

describe('namedSession', () => {
  it.each([
    ['4f1c0a9b2e', ONE],
    ['4f1d', TWO],
    ['gkeprof-perf-4f1c0a9b2e-jane', ONE],
    ['pod/gkeprof-perf-4f1c0a9b2e-jane', ONE],
    ['pods/gkeprof-perf-4f1d0a9b2e-jane', TWO],
  ])('finds %s', (word, found) => {
    expect(namedSession(word, ALL)).toBe(found);
  });

  it.each([
    ['4f1', /^3: 2 sessions begin with "4f1": 4f1c0a9b2e, 4f1d0a9b2e; type more of the id$/],
    ['0000', /^3: there is no session "0000"; kubectl gkeprof sessions lists them/],
    ['', /^3: there is no session ""/],
    ['pod/', /^3: there is no session "pod\/"/],
    ['\u001b[31m', /^3: there is no session "\\x1b\[31m"/],
    ['gkeprof-perf', /^3: there is no session/],
  ])('refuses %s', (word, error) => {
    expect(failure(() => namedSession(word, ALL))).toMatch(error);
  });
});

describe('onlySession', () => {
  it('is the only one', () => {
    expect(onlySession([ONE])).toBe(ONE);
  });

  it('is nobody’s guess', () => {
    expect(failure(() => onlySession([]))).toMatch(/^3: you have no session; begin one with: .*--detach$/);
    expect(failure(() => onlySession(ALL))).toMatch(
      /^3: you have 2 sessions: 4f1c0a9b2e, 4f1d0a9b2e; name one of them$/,
    );
  });
});
