import { afterEach, describe, expect, it, vi } from 'vitest';
import { Log, styleFor } from '../../src/output/log.ts';

function sink(terminal: { isTTY?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  return { ...terminal, written, write: (text: string) => written.push(text), text: () => written.join('') };
}

describe('Log', () => {
  it('writes a change of phase as a line elsewhere than on a terminal, and no passing figures', () => {
    const out = sink();
    const log = new Log(out);
    log.phase('capturing');
    log.figures('capturing 1s');
    log.line('done');
    expect(out.text()).toBe('capturing\ndone\n');
  });

  it('keeps one live line on a terminal, within its width, and clears it before a line that stays', () => {
    const out = sink({ isTTY: true, columns: 30 });
    const log = new Log(out);
    log.phase('x'.repeat(50));
    log.line('done');
    expect(out.text()).toBe(`\r\u001b[K${'x'.repeat(28)}…\r\u001b[Kdone\n`);
  });

  it('takes a terminal that does not know its width for one of 80 columns', () => {
    const out = sink({ isTTY: true, columns: 0 });
    new Log(out).figures('x'.repeat(100));
    expect(out.text()).toBe(`\r\u001b[K${'x'.repeat(78)}…`);
  });

  it('makes figures that change with time anew every second, until something else takes their place', () => {
    vi.useFakeTimers();
    const out = sink({ isTTY: true });
    const log = new Log(out);
    let seconds = 0;
    log.tick(() => [`${seconds++}s`]);
    vi.advanceTimersByTime(2000);
    log.figures('done');
    vi.advanceTimersByTime(2000);
    expect(out.text()).toBe(['0s', '1s', '2s', 'done'].map((text) => `\r\u001b[K${text}`).join(''));
    const [elsewhere, quiet] = [sink(), sink({ isTTY: true })];
    new Log(elsewhere).tick(() => ['0s']);
    new Log(quiet, { quiet: true }).tick(() => ['0s']);
    expect([elsewhere.text(), quiet.text()]).toEqual(['', '']);
  });

  it('lets no text of others move the cursor', () => {
    const out = sink({ isTTY: true });
    const log = new Log(out);
    log.figures('a\x1b[2Jb');
    log.line('c\x1b]0;title\x07');
    expect(out.text()).toBe('\r\u001b[Ka\\x1b[2Jb\r\u001b[Kc\\x1b]0;title\\x07\n');
  });

  it('shows what was asked and run only with -v', () => {
    const quiet = sink();
    new Log(quiet).trace('GET pods/x');
    const verbose = sink();
    new Log(verbose, { level: 1 }).trace('GET pods/x');
    expect([quiet.text(), verbose.text()]).toEqual(['', '  GET pods/x\n']);
  });

  it('shows what the node says and how long things took from level 2 on', () => {
    const [one, two] = [sink(), sink()];
    new Log(one, { level: 1 }).trace('node: hello', 2);
    new Log(two, { level: 2 }).trace('node: hello', 2);
    expect([one.text(), two.text()]).toEqual(['', '  node: hello\n']);
  });

  it('says errors alone when it is to be quiet, on a terminal and elsewhere', () => {
    for (const out of [sink(), sink({ isTTY: true })]) {
      const log = new Log(out, { quiet: true });
      log.phase('capturing');
      log.figures('1s');
      log.line('note');
      log.warn('careful');
      log.error('it failed', 'try again');
      log.end();
      expect(out.text()).toBe('error: it failed\nhint: try again\n');
    }
  });

  it('keeps warnings where the result is for a program, on a terminal and elsewhere', () => {
    for (const out of [sink(), sink({ isTTY: true })]) {
      const log = new Log(out, { warningsOnly: true });
      log.phase('capturing');
      log.figures('1s');
      log.line('note');
      log.warn('careful');
      log.error('it failed', 'try again');
      log.end();
      expect(out.text()).toBe('warning: careful\nerror: it failed\nhint: try again\n');
    }
  });

  it('gives an error one line, whatever is in it, and marks its words where there are colours', () => {
    const out = sink({ isTTY: true });
    const log = new Log(out, { style: (word) => `<${word}>` });
    log.error('a\nb', 'c\x1b[0m');
    log.warn('d');
    expect(out.text()).toBe('<error:> a\\nb\n<hint:> c\\x1b[0m\n<warning:> d\n');
  });

  describe('a phase that takes its time', () => {
    afterEach(() => void vi.useRealTimers());

    it('says for how long, until something else begins', () => {
      vi.useFakeTimers();
      const out = sink({ isTTY: true });
      const log = new Log(out);
      log.phase('installing');
      vi.advanceTimersByTime(2000);
      log.line('note');
      vi.advanceTimersByTime(1000);
      log.figures('capturing 0s of 10s', '10s left');
      vi.advanceTimersByTime(5000);
      log.end();
      vi.advanceTimersByTime(5000);
      const live = (text: string) => `\r\u001b[K${text}`;
      expect(out.text()).toBe(
        live('installing') +
          live('installing · 1s') +
          live('installing · 2s') +
          `${live('')}note\n` +
          live('installing · 3s') +
          live('capturing 0s of 10s · 10s left') +
          live(''),
      );
    });

    it('stays as a line with -v', () => {
      const out = sink({ isTTY: true });
      const log = new Log(out, { level: 1 });
      log.phase('copying');
      log.end();
      expect(out.text()).toBe('copying\n\r\u001b[Kcopying\r\u001b[K');
    });
  });
});

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
