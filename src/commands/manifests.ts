import { asset } from '../assets.ts';
import { EXIT, usageError } from '../errors.ts';
import type { Command } from './command.ts';

/** The YAML that an administrator applies once: the namespace for debug pods and the least role to use it. */
export const manifests: Command<Record<string, never>> = {
  name: 'manifests',
  describe: 'Print the namespace and the least RBAC, for kubectl apply',
  usage: '',
  examples: [['kubectl gkeprof manifests | kubectl apply -f -', 'once, as an administrator']],
  options: {},
  validate(raw) {
    if (raw.positionals.length) throw usageError('manifests: takes no arguments');
    return {};
  },
  async run(_options, { stdout }) {
    stdout.write([asset('manifests/namespace.yaml'), asset('manifests/rbac.yaml')].join('---\n'));
    return EXIT.done;
  },
};
