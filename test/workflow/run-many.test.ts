import { describe, expect, it } from 'vitest';
import { toolError } from '../../src/errors.ts';
import { type RecordedTarget, readEach } from '../../src/workflow/run-many.ts';
import { PERF, planOf, podOf } from '../plans.ts';

const recorded = (name: string): RecordedTarget => ({
  plan: planOf(PERF, podOf({ name, namespace: 'shop' })),
  result: {} as never,
});

function readAll(unreadable: RegExp) {
  const lines: string[] = [];
  const log = { warn: (text: string) => lines.push(text), hint: (text: string) => lines.push(text) };
  const passed = [{ target: 'pod/pending', namespace: 'shop', error: 'it is not on a node yet' }];
  const name = async ({ plan: { target } }: RecordedTarget) => {
    const text = target.kind === 'pod' ? target.name : target.node;
    if (unreadable.test(text)) throw toolError(`${text} was cut`, 'record again');
    return text;
  };
  const many = { recorded: [recorded('web-0'), recorded('web-1'), recorded('db-0')], failed: passed };
  return { done: readEach(many, name, log as never), lines };
}

describe('readEach', () => {
  it('reads what can be read, and names the others with their namespace', async () => {
    const { done, lines } = readAll(/web-1/);
    expect(await done).toEqual({
      read: ['web-0', 'db-0'],
      failed: [
        { target: 'pod/pending', namespace: 'shop', error: 'it is not on a node yet' },
        {
          target: 'pod/web-1',
          namespace: 'shop',
          node: 'node-a',
          error: 'web-1 was cut',
          hint: 'record again',
        },
      ],
    });
    expect(lines).toEqual(['pod/web-1 in namespace shop: web-1 was cut', 'record again']);
  });

  it('fails with the error of a recording if none can be read', async () => {
    const { done, lines } = readAll(/./);
    await expect(done).rejects.toMatchObject({ message: 'db-0 was cut', hint: 'record again' });
    expect(lines).toHaveLength(6);
  });
});
