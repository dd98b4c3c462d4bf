import { describe, expect, it } from 'vitest';
import { Interrupts } from '../src/interrupts.ts';

describe('a branch', () => {
  it('gets the signals of the whole, with their names', () => {
    const whole = new Interrupts();
    const part = whole.branch();
    whole.receive('SIGTERM');
    expect([part.stop.aborted, part.abandon.aborted]).toEqual([true, false]);
    expect(part.error().code).toBe(143);
    whole.receive('SIGINT');
    expect(part.abandon.aborted).toBe(true);
  });

  it('ends alone by what it receives alone', () => {
    const whole = new Interrupts();
    const [one, other] = [whole.branch(), whole.branch()];
    whole.receive('SIGINT');
    one.receive('SIGINT');
    expect(one.abandon.aborted).toBe(true);
    expect([whole.abandon.aborted, other.abandon.aborted]).toEqual([false, false]);
    expect(other.stop.aborted).toBe(true);
  });

  it('begins interrupted if the whole is', () => {
    const whole = new Interrupts();
    whole.receive('SIGINT');
    expect(whole.branch().stop.aborted).toBe(true);
  });
});

describe('the signal that ends what comes next', () => {
  it.each([
    ['no signal yet', (_: Interrupts) => {}, false],
    ['a signal that came before the work began', (all: Interrupts) => all.receive('SIGINT'), true],
    [
      'a signal that ended a recording',
      (all: Interrupts) => {
        const release = all.hold();
        all.receive('SIGINT');
        release();
      },
      false,
    ],
    [
      'a signal after a recording that ended by itself',
      (all: Interrupts) => {
        all.hold()();
        all.receive('SIGINT');
      },
      true,
    ],
    [
      'two signals during a recording',
      (all: Interrupts) => {
        all.hold();
        all.receive('SIGINT');
        all.receive('SIGINT');
      },
      true,
    ],
  ] as const)('%s', (_, before, isOver) => {
    const all = new Interrupts();
    before(all);
    expect(all.next.aborted).toBe(isOver);
    all.receive('SIGTERM');
    expect(all.next.aborted).toBe(true);
  });

  it('is the same for a branch', () => {
    const all = new Interrupts();
    all.branch().hold();
    all.receive('SIGINT');
    expect(all.branch().next.aborted).toBe(false);
  });
});
