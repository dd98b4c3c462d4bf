import { dump, loadAll } from 'js-yaml';
import { asset } from '../assets.ts';
import type { Command } from '../cli/command.ts';
import { DEBUG_POD_OPTIONS, PLAIN_IMAGE, VERBOSE } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { EXIT, usageError } from '../errors.ts';
import { isForPrograms, type OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { admissionPolicy } from '../policy/admission-policy.ts';
import type { PolicySettings } from '../policy/pod-rules.ts';

const POLICY = 'Admission policy:';
const ONLY_WITH_POLICY = [
  'allow-shell',
  'allow-image',
  'allow-priority-class',
  'target-rights',
  'image',
  'image-pull-secret',
] as const;

interface ManifestsOptions {
  /** Undefined: without a policy. */
  readonly policy?: PolicySettings;
  readonly format: OutputFormat;
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
      group: POLICY,
      notPresettable: true,
    },
    image: {
      ...DEBUG_POD_OPTIONS.image!,
      describe: 'Diagnostic image of your debug pods: the policy allows no other',
      group: POLICY,
    },
    'allow-image': {
      type: 'array',
      describe: 'Another image that the policy allows',
      group: POLICY,
      value: 'IMAGE',
      notPresettable: true,
    },
    'image-pull-secret': {
      ...DEBUG_POD_OPTIONS['image-pull-secret']!,
      describe: 'Secret for the registry that debug pods may name',
      group: POLICY,
    },
    'allow-priority-class': {
      type: 'array',
      describe: 'The priority class that the cluster gives to pods by default, where it has one',
      group: POLICY,
      value: 'NAME',
      notPresettable: true,
    },
    'allow-shell': {
      type: 'boolean',
      describe: 'Allow `shell`, and `crictl` where it changes something: both are root on every node',
      group: POLICY,
      notPresettable: true,
    },
    'target-rights': {
      type: 'boolean',
      describe:
        'Let users look only into pods of namespaces where they may create pods/exec; whole nodes need the role gkeprof-nodes',
      group: POLICY,
      notPresettable: true,
    },
    output: outputOption('as kubectl names them'),
    ...VERBOSE,
  },
  validate(raw) {
    if (raw.positionals.length) throw usageError('manifests: takes no arguments');
    const format = outputFormatOf(raw);
    if (!raw.flag('admission-policy')) {
      const stray = ONLY_WITH_POLICY.find((name) => raw.isTyped(name));
      if (stray !== undefined)
        throw usageError(`--${stray}: it says what the policy allows`, 'give --admission-policy too');
      return { format };
    }
    return {
      policy: {
        namespace: 'gkeprof',
        images: [raw.text('image') ?? PLAIN_IMAGE, ...raw.list('allow-image')],
        pullSecrets: raw.list('image-pull-secret'),
        priorityClasses: raw.list('allow-priority-class'),
        allowShell: raw.flag('allow-shell'),
        targetRights: raw.flag('target-rights'),
      },
      format,
    };
  },
  async run({ policy, format }, context) {
    const documents = [asset('manifests/namespace.yaml'), asset('manifests/rbac.yaml')];
    if (policy?.targetRights) documents.push(asset('manifests/node-rights.yaml'));
    if (policy) documents.push(...admissionPolicy(policy).map((each) => dump(each, { lineWidth: -1 })));
    const text = documents.join('---\n');
    if (!isForPrograms(format) || format.kind === 'yaml') {
      context.stdout.write(text);
      return EXIT.done;
    }
    const items = loadAll(text) as ApplyObject[];
    const list = { apiVersion: 'v1', kind: 'List', items };
    await printResult(
      context,
      format,
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
