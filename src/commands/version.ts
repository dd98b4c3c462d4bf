import type { Command, Context } from '../cli/command.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { answerOf, type Fact } from '../doctor/check.ts';
import { checkKubectl, OLDEST_KUBECTL, skewOf } from '../doctor/client.ts';
import { EXIT, GkeprofError, reasonOf } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { build, toolVersion as release, SCHEMA_VERSIONS, TESTED_KUBERNETES } from '../version.ts';

export const version: Command<{ readonly format: OutputFormat }> = {
  name: 'version',
  describe: 'Print the version',
  details: [
    `-o json also prints the commit and its date, the Node.js that runs the program, the versions of the JSON schemas, the version of
kubectl, and by how many minor releases it differs from the Kubernetes that this release is tested with. The cluster is not asked.`,
  ],
  usage: '',
  examples: [
    ['kubectl gkeprof version', 'Print the version'],
    ['kubectl gkeprof version -o json', 'Print what a report of a problem should contain'],
  ],
  options: { output: outputOption('kubectl-gkeprof/VERSION') },
  validate(raw) {
    return { format: outputFormatOf(raw) };
  },
  async run({ format }, context) {
    const gkeprof = release();
    // kubectl is asked only for the formats that show its answer: the plain version is printed at once.
    const isWhole = isForPrograms(format) && format.kind !== 'name';
    const kubectl = isWhole ? await kubectlFacts(context) : undefined;
    await printResult(
      context,
      format,
      () => ({
        ...{ kind: 'Version', version: 1, gkeprof, build: build() ?? null },
        ...context.engine,
        schemas: SCHEMA_VERSIONS,
        kubernetes: { tested: TESTED_KUBERNETES },
        kubectl,
      }),
      [`kubectl-gkeprof/${gkeprof}`],
      () => `${gkeprof}\n`,
    );
    return EXIT.done;
  },
};

const KUBECTL_BOUND_MS = 5000;

async function kubectlFacts(context: Context): Promise<object> {
  const fact: Fact<string> = await context.kubectlVersion(KUBECTL_BOUND_MS).then(
    (value) => ({ value }),
    (error: unknown) => ({
      failure: {
        reason: reasonOf(error),
        ...(error instanceof GkeprofError && error.hint !== undefined && { hint: error.hint }),
      },
    }),
  );
  const { status, found, fix } = checkKubectl({ kubectl: fact });
  const answer = answerOf(fact);
  return {
    ...{ version: answer ?? null, oldest: OLDEST_KUBECTL, skew: (answer && skewOf(answer)) ?? null },
    ...{ status, ...(status !== 'ok' && { found }), ...(fix !== undefined && { fix }) },
  };
}
