import { beforeEach, describe, expect, it } from 'vitest';
import { Log } from '../../src/output/log.ts';
import { screenOf } from './screen.ts';

describe('the live lines of several parts', () => {
  let screen: ReturnType<typeof screenOf>;
  let log: Log;
  beforeEach(() => {
    screen = screenOf();
    log = new Log(screen.sink);
  });

  it('each part has one, in the order in which they began', () => {
    const [a, b] = [log.of('node-a'), log.of('node-b')];
    a.figures('capturing 1s');
    b.figures('capturing 2s', '3 pods');
    a.figures('copying');
    expect(screen.lines()).toEqual(['node-a: copying', 'node-b: capturing 2s · 3 pods']);
  });

  it('stand below what stays, which begins with the name of the part', () => {
    const [a, b] = [log.of('node-a'), log.of('node-b')];
    a.figures('capturing');
    b.figures('capturing');
    a.line('stopping');
    b.warn('slow');
    a.figures('copying');
    expect(screen.lines()).toEqual([
      'node-a: stopping',
      'warning: node-b: slow',
      'node-a: copying',
      'node-b: capturing',
    ]);
  });

  it('go one by one, and leave nothing', () => {
    const [a, b] = [log.of('node-a'), log.of('node-b')];
    a.figures('capturing');
    b.figures('capturing');
    a.end();
    expect(screen.lines()).toEqual(['node-b: capturing']);
    b.end();
    log.line('done');
    expect(screen.lines()).toEqual(['done']);
  });

  it('each is cut to the width of the terminal', () => {
    log.of('node-a').figures('x'.repeat(100));
    log.of('node-b').figures('y');
    expect(screen.lines().map((line) => line.length)).toEqual([39, 9]);
  });
});
