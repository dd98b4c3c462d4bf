import type { V1Pod } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import { isForPrograms, type OutputFormat, rendered, yaml } from '../output/format.ts';

/** The debug pods that would be created, as kubectl prints objects: YAML where no form is named. */
export async function printPods(
  pods: readonly V1Pod[],
  format: OutputFormat,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<void> {
  const documents = pods.map((pod) => ({ apiVersion: 'v1', kind: 'Pod', ...pod }));
  log.end();
  if (!isForPrograms(format) || format.kind === 'yaml') {
    stdout.write((await Promise.all(documents.map(yaml))).join('---\n'));
    return;
  }
  const [only, ...more] = documents;
  const whole = more.length ? { apiVersion: 'v1', kind: 'List', items: documents } : only!;
  stdout.write(
    await rendered(
      format,
      whole,
      documents.map(({ metadata }) => `pod/${metadata?.name}`),
    ),
  );
}
