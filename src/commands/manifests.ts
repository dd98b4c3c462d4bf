import { dump, loadAll } from 'js-yaml';
import { asset } from '../assets.ts';
import { EXIT, usageError } from '../errors.ts';
import { sentScripts } from '../node/script.ts';
import type { Command } from './command.ts';

interface ManifestsOptions {
  readonly admissionPolicy: boolean;
  readonly allowShell: boolean;
}

/** The YAML that an administrator applies once: the namespace for debug pods and the least role to use it. */
export const manifests: Command<ManifestsOptions> = {
  name: 'manifests',
  describe: 'Print the namespace and the least RBAC, for kubectl apply',
  usage: '[flags]',
  examples: [
    ['kubectl gkeprof manifests | kubectl apply -f -', 'once, as an administrator'],
    [
      'kubectl gkeprof manifests --admission-policy | kubectl apply -f -',
      'and let the namespace take nothing but debug pods',
    ],
  ],
  options: {
    'admission-policy': {
      type: 'boolean',
      describe:
        'Also the policy that allows exactly the debug pods of this release (Kubernetes 1.30 and newer)',
      group: 'Flags:',
      perRun: true,
    },
    'allow-shell': {
      type: 'boolean',
      describe: 'Let that policy pass `shell`, and `crictl` where it changes something',
      group: 'Flags:',
      perRun: true,
    },
  },
  validate(raw) {
    if (raw.positionals.length) throw usageError('manifests: takes no arguments');
    const admissionPolicy = raw.flag('admission-policy');
    const allowShell = raw.flag('allow-shell');
    if (allowShell && !admissionPolicy)
      throw usageError('--allow-shell: says what the policy allows', 'give --admission-policy too');
    return { admissionPolicy, allowShell };
  },
  async run({ admissionPolicy, allowShell }, { stdout }) {
    const documents = [asset('manifests/namespace.yaml'), asset('manifests/rbac.yaml')];
    if (admissionPolicy) documents.push(filledPolicy(allowShell));
    stdout.write(documents.join('---\n'));
    return EXIT.done;
  },
};

/** The policy with the commands of this release in its ConfigMap, byte for byte as debug pods are sent. */
function filledPolicy(allowShell: boolean): string {
  const documents = loadAll(asset('manifests/admission-policy.yaml')) as Array<{
    kind: string;
    data?: object;
  }>;
  for (const document of documents)
    if (document.kind === 'ConfigMap')
      document.data = { ...sentScripts(), shell: allowShell ? 'allowed' : 'refused' };
  return documents.map((document) => dump(document, { lineWidth: -1 })).join('---\n');
}
