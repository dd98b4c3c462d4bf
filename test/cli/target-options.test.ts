import { expect, it } from 'vitest';
import type { Command } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { MANY_OPTIONS, manyOptions, targetFlags } from '../../src/cli/target-options.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { EXIT } from '../../src/errors.ts';

const record: Command<object> = {
  name: 'record',
  describe: 'Record',
  usage: 'TARGET…',
  examples: [],
  args: { noun: 'target', min: 0 },
  options: MANY_OPTIONS,
  validate: (raw) => ({ ...manyOptions(raw), ...targetFlags(raw) }),
  run: async () => EXIT.done,
};

async function read(...words: string[]): Promise<object> {
  const invocation = await parseCommandLine(['record', ...words], [record], {
    env: { GKEPROF_MAX_CONCURRENT: '7', GKEPROF_MAX_TARGETS: '99' },
    readConfig: async () => undefined,
  });
  if (invocation.kind !== 'run') throw new Error('not run');
  return invocation.command.validate(invocation.raw);
}

it('reads the flags, of which the number of nodes at a time can be preset, but not how many are allowed', async () => {
  expect(await read('x')).toEqual({ maxConcurrent: 7, split: false, allNamespaces: false });
  expect(await read('pods', '-A', '-lapp=x', '--max-targets', '20', '--max-concurrent=3', '--split')).toEqual(
    { maxTargets: 20, maxConcurrent: 3, split: true, allNamespaces: true, selector: 'app=x' },
  );
});

it.each([
  ['--max-targets', '0'],
  ['--max-targets', 'x'],
  ['--max-targets', '1.5'],
  ['--max-concurrent', '0'],
  ['--max-concurrent', '1001'],
])('refuses %s %s', async (flag, value) => {
  await expect(read('x', flag, value)).rejects.toMatchObject({
    code: 2,
    message: expect.stringContaining(`${flag}: "${value}" is not a whole number`),
  });
});

it.each(COMMANDS.filter(({ options }) => 'max-targets' in options))(
  'describes --max-targets with nodes where $name takes them',
  async (command) => {
    const sources = { env: {}, readConfig: async () => undefined };
    const invocation = await parseCommandLine([command.name, 'node/a'], COMMANDS, sources);
    if (invocation.kind !== 'run') throw new Error('not run');
    const validate = async () => invocation.command.validate(invocation.raw);
    if (/or nodes if nodes are named/.test(command.options['max-targets']!.describe))
      await expect(validate()).resolves.toBeDefined();
    else await expect(validate()).rejects.toMatchObject({ code: EXIT.usage });
  },
);
