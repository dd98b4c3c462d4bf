import { OUT } from '../node/folders.ts';
import { REQUESTS } from '../node/requests.ts';
import { all, any, celLiteral, isOwn, ownerVariables, type Rule } from './cel.ts';
import { type PolicySettings, podRules, podVariables } from './pod-rules.ts';

/** An object of Kubernetes, for YAML. */
export type Manifest = { readonly apiVersion: string; readonly kind: string } & Readonly<
  Record<string, unknown>
>;

/** Who may delete debug pods of others: the cluster's own parts, and whoever holds this right (administrators do). */
const DELETE_RIGHT =
  "authorizer.group('gkeprof.dev').resource('debugpods').namespace(request.namespace).check('delete')";
/**
 * ValidatingAdmissionPolicies (Kubernetes 1.30 and newer) by which a namespace takes exactly this tool's debug pods, each
 * belongs to whoever created it, and nothing is asked of it that the client does not ask. Everything in them is made from
 * what the client sends: the pods of all kinds, the grammar of their arguments, the requests to `files`.
 *
 * They hold all of it as literals and take no parameters: of a policy that was deleted and made again, Kubernetes 1.34
 * goes on reading the parameters as they were (a shared informer that was stopped is never started again; tried), which
 * would be the settings of before.
 */
export function admissionPolicy(settings: PolicySettings): Manifest[] {
  const { namespace } = settings;
  return [
    ...policy(
      'gkeprof-debug-pods',
      namespace,
      ['CREATE'],
      ['pods'],
      podVariables(settings),
      podRules(settings),
    ),
    ...policy(
      'gkeprof-exec',
      namespace,
      ['CONNECT'],
      ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy'],
      ownerVariables(),
      connectRules(settings),
    ),
    ...policy(
      'gkeprof-unchanged',
      namespace,
      ['UPDATE'],
      ['pods', 'pods/ephemeralcontainers', 'pods/resize'],
      [],
      UNCHANGED,
    ),
    ...policy('gkeprof-delete', namespace, ['DELETE'], ['pods'], ownerVariables(), DELETED),
  ];
}

const LABELS = { 'app.kubernetes.io/name': 'gkeprof' };

function policy(
  name: string,
  namespace: string,
  operations: readonly string[],
  resources: readonly string[],
  variables: ReadonlyArray<{ readonly name: string; readonly expression: string }>,
  validations: readonly Rule[],
): Manifest[] {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const metadata = { name, labels: LABELS };
  const spec = {
    failurePolicy: 'Fail',
    matchConstraints: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations, resources }],
    },
    ...(variables.length && { variables }),
    validations,
  };
  return [
    { apiVersion, kind: 'ValidatingAdmissionPolicy', metadata, spec },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];
}

/** What may be asked of a debug pod, by its owner alone. */
function connectRules({ allowShell, targetRights }: PolicySettings): Rule[] {
  const requests = Object.values(REQUESTS).map((words) =>
    all([
      `object.command.size() == ${words.length}`,
      ...words.map((word, at) =>
        typeof word === 'string'
          ? `object.command[${at}] == ${celLiteral(word)}`
          : `object.command[${at}].matches(${celLiteral(`^(${word.form})$`)})`,
      ),
    ]),
  );
  return [
    {
      expression: isOwn('request.name'),
      message: 'the debug pod is of another user',
    },
    {
      expression: any([
        all([
          "request.subResource == 'exec'",
          "object.?container.orValue('') == 'files'",
          '!object.?tty.orValue(false)',
          any(requests),
          // perf writes of every process of the node what it is called, whatever it samples (perf record -a).
          ...(targetRights ? [`!object.command.exists(word, word == '${OUT}/perf.data')`] : []),
        ]),
        ...(allowShell
          ? ["request.subResource == 'attach' && object.?container.orValue('') == 'capture'"]
          : []),
      ]),
      message: 'of files, only what this tool asks of it; nothing execs into the privileged container',
    },
  ];
}

const UNCHANGED: readonly Rule[] = [
  {
    expression: all([
      'dyn(object.spec) == dyn(oldObject.spec)',
      'dyn(object.metadata.labels) == dyn(oldObject.metadata.labels)',
      ...['ownerReferences', 'finalizers'].map(
        (field) => `dyn(object.metadata.?${field}) == dyn(oldObject.metadata.?${field})`,
      ),
    ]),
    message: 'a debug pod is not changed',
  },
];

const DELETED: readonly Rule[] = [
  {
    expression: any([
      isOwn('oldObject.metadata.name'),
      // Nothing of it is left but its name.
      "oldObject.?status.phase.orValue('') in ['Succeeded', 'Failed']",
      // The kubelet, the garbage collector, and who deletes the namespace.
      "request.userInfo.?groups.orValue([]).exists(g, g in ['system:nodes', 'system:serviceaccounts:kube-system'])",
      "request.userInfo.username.startsWith('system:kube-')",
      `${DELETE_RIGHT}.allowed()`,
    ]),
    message: 'the debug pod is of another user',
  },
];
