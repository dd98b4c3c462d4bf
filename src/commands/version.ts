import type { Command } from '../cli/command.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { EXIT } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { toolVersion as release } from '../version.ts';

export const version: Command<{ readonly format: OutputFormat }> = {
  name: 'version',
  describe: 'Print the version',
  usage: '',
  examples: [['kubectl gkeprof version', 'Print the version']],
  options: { output: outputOption('kubectl-gkeprof/VERSION') },
  validate(raw) {
    return { format: outputFormatOf(raw) };
  },
  async run({ format }, context) {
    const gkeprof = release();
    await printResult(
      context,
      format,
      () => ({ kind: 'Version', version: 1, gkeprof }),
      [`kubectl-gkeprof/${gkeprof}`],
      () => `${gkeprof}\n`,
    );
    return EXIT.done;
  },
};
