import { dump, loadAll } from 'js-yaml';
import { asset } from '../assets.ts';
import { EXIT, usageError } from '../errors.ts';
import { sentScripts } from '../node/script.ts';
import { VERBOSE } from '../options.ts';
import { type Form, formOf, isForPrograms, outputOption } from '../output/form.ts';
import { deliver } from '../output/result.ts';
import type { Command } from './command.ts';

interface ManifestsOptions {
  readonly admissionPolicy: boolean;
  readonly allowShell: boolean;
  readonly form: Form;
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
    output: outputOption('as kubectl names them'),
    ...VERBOSE,
  },
  validate(raw) {
    if (raw.positionals.length) throw usageError('manifests: takes no arguments');
    const admissionPolicy = raw.flag('admission-policy');
    const allowShell = raw.flag('allow-shell');
    if (allowShell && !admissionPolicy)
      throw usageError('--allow-shell: says what the policy allows', 'give --admission-policy too');
    return { admissionPolicy, allowShell, form: formOf(raw) };
  },
  async run({ admissionPolicy, allowShell, form }, context) {
    const documents = [asset('manifests/namespace.yaml'), asset('manifests/rbac.yaml')];
    if (admissionPolicy) documents.push(filledPolicy(allowShell));
    const text = documents.join('---\n');
    if (!isForPrograms(form) || form.is === 'yaml') {
      context.stdout.write(text);
      return EXIT.done;
    }
    const items = loadAll(text) as ApplyObject[];
    const list = { apiVersion: 'v1', kind: 'List', items };
    await deliver(
      context,
      form,
      () => list,
      items.map(kubectlName),
      () => text,
    );
    return EXIT.done;
  },
};

interface ApplyObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** `role.rbac.authorization.k8s.io/gkeprof-debug-pods`, as `kubectl apply -o name` says it. */
function kubectlName({ apiVersion, kind, metadata }: ApplyObject): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
  return `${kind.toLowerCase()}${group}/${metadata.name}`;
}

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
