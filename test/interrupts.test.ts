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
