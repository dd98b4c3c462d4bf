import { dump, loadAll } from 'js-yaml';
import { asset } from '../assets.ts';
import type { Command } from '../cli/command.ts';
import { defaultImage } from '../cli/images.ts';
import { DEBUG_POD_OPTIONS, VERBOSE } from '../cli/options.ts';
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
  readonly openshift: boolean;
  readonly format: OutputFormat;
}

/** The YAML that an administrator applies once: the namespace for debug pods and the least role to use it. */
export const manifests: Command<ManifestsOptions> = {
  name: 'manifests',
  describe: 'Print the namespace and the minimal RBAC role for debug pods',
  usage: '[flags]',
  examples: [
    ['kubectl gkeprof manifests | kubectl apply -f -', 'One-time setup by an administrator'],
    [
      'kubectl gkeprof manifests --admission-policy | kubectl apply -f -',
      'Also admit nothing but debug pods in the namespace',
    ],
    [
      'kubectl gkeprof manifests --openshift | oc apply -f -',
      'Also let users create debug pods on OpenShift',
    ],
  ],
  options: {
    openshift: {
      type: 'boolean',
      describe:
        'Also print the SecurityContextConstraints for debug pods and the role to use it, which OpenShift needs',
      group: 'Platform:',
      notPresettable: true,
    },
    'admission-policy': {
      type: 'boolean',
      describe:
        'Also print the policy that admits exactly the debug pods of this release (Kubernetes 1.30 and newer)',
      group: POLICY,
      notPresettable: true,
    },
    image: {
      ...DEBUG_POD_OPTIONS.image!,
      describe: 'Image of your debug pods; the policy allows no other',
      group: POLICY,
    },
    'allow-image': {
      type: 'array',
      describe: 'Also allow this image',
      group: POLICY,
      value: 'IMAGE',
      notPresettable: true,
    },
    'image-pull-secret': {
      ...DEBUG_POD_OPTIONS['image-pull-secret']!,
      describe: 'Allow debug pods to name this secret for their registry',
      group: POLICY,
    },
    'allow-priority-class': {
      type: 'array',
      describe: 'Priority class that the cluster gives to pods by default, if it has one',
      group: POLICY,
      value: 'NAME',
      notPresettable: true,
    },
    'allow-shell': {
      type: 'boolean',
      describe: 'Allow `shell`, and `crictl` commands that change a node; both are root on every node',
      group: POLICY,
      notPresettable: true,
    },
    'target-rights': {
      type: 'boolean',
      describe:
        'Allow users only pods in namespaces where they may create pods/exec; whole nodes need the role gkeprof-nodes',
      group: POLICY,
      notPresettable: true,
    },
    output: outputOption('the names of the objects, as kubectl apply does'),
    ...VERBOSE,
  },
  validate(raw) {
    const [format, openshift] = [outputFormatOf(raw), raw.flag('openshift')];
    if (!raw.flag('admission-policy')) {
      const stray = ONLY_WITH_POLICY.find((name) => raw.isTyped(name));
      if (stray !== undefined)
        throw usageError(
          `--${stray} needs --admission-policy, because it says what the policy allows`,
          'add --admission-policy',
        );
      return { openshift, format };
    }
    return {
      policy: {
        namespace: 'gkeprof',
        images: [raw.text('image') ?? defaultImage().image, ...raw.list('allow-image')],
        pullSecrets: raw.list('image-pull-secret'),
        priorityClasses: raw.list('allow-priority-class'),
        allowShell: raw.flag('allow-shell'),
        targetRights: raw.flag('target-rights'),
      },
      openshift,
      format,
    };
  },
  async run({ policy, openshift, format }, context) {
    const documents = [asset('manifests/namespace.yaml'), asset('manifests/rbac.yaml')];
    if (openshift) documents.push(asset('manifests/openshift.yaml'));
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

/** `role.rbac.authorization.k8s.io/gkeprof-debug-pods`, as `kubectl apply -o name` prints it. */
function kubectlName({ apiVersion, kind, metadata }: ApplyObject): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0]}` : '';
  return `${kind.toLowerCase()}${group}/${metadata.name}`;
}
