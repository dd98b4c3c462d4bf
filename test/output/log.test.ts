import { describe, expect, it } from 'vitest';
import { Log } from '../../src/output/log.ts';

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
    expect(out.text()).toBe(`\r\u001b[K${'x'.repeat(29)}\r\u001b[Kdone\n`);
  });

  it('takes a terminal that does not know its width for one of 80 columns', () => {
    const out = sink({ isTTY: true, columns: 0 });
    new Log(out).figures('x'.repeat(100));
    expect(out.text()).toBe(`\r\u001b[K${'x'.repeat(79)}`);
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
    new Log(verbose, true).trace('GET pods/x');
    expect([quiet.text(), verbose.text()]).toEqual(['', '  GET pods/x\n']);
  });
});
