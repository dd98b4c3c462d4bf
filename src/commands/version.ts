import { EXIT } from '../errors.ts';
import { version as release } from '../version.ts';
import type { Command } from './command.ts';

export const version: Command<Record<string, never>> = {
  name: 'version',
  describe: 'Print the version',
  usage: '',
  examples: [['kubectl gkeprof version', '']],
  options: {},
  validate: () => ({}),
  async run(_options, { stdout }) {
    stdout.write(`${release()}\n`);
    return EXIT.done;
  },
};
