import type { Command } from '../cli/command.ts';
import { formOf, outputOption } from '../cli/output-option.ts';
import { EXIT, usageError } from '../errors.ts';
import type { Form } from '../output/form.ts';
import { deliver } from '../output/result.ts';
import { version as release } from '../version.ts';

export const version: Command<{ readonly form: Form }> = {
  name: 'version',
  describe: 'Print the version',
  usage: '',
  examples: [['kubectl gkeprof version', '']],
  options: { output: outputOption('kubectl-gkeprof/VERSION') },
  validate(raw) {
    if (raw.positionals.length) throw usageError('version: takes no arguments');
    return { form: formOf(raw) };
  },
  async run({ form }, context) {
    const gkeprof = release();
    await deliver(
      context,
      form,
      () => ({ kind: 'Version', version: 1, gkeprof }),
      [`kubectl-gkeprof/${gkeprof}`],
      () => `${gkeprof}\n`,
    );
    return EXIT.done;
  },
};
