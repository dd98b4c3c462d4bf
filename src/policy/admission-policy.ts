import { REQUESTS } from '../node/requests.ts';
import { all, any, celLiteral, isOwn, ownerVariables, type Rule } from './cel.ts';
import { type PolicySettings, podRules, podVariables } from './pod-rules.ts';

/** A Kubernetes object that is printed as YAML. */
export type Manifest = { readonly apiVersion: string; readonly kind: string } & Readonly<
  Record<string, unknown>
>;

/** Users with this permission, such as administrators, may delete other users' debug pods, as may cluster components. */
const DELETE_RIGHT =
  "authorizer.group('gkeprof.dev').resource('debugpods').namespace(request.namespace).check('delete')";

/**
 * Makes the ValidatingAdmissionPolicies (Kubernetes 1.30 and newer). With them a namespace accepts only this tool's debug
 * pods, each debug pod belongs to the user who created it, and only the requests that the client sends are allowed. The
 * rules are generated from what the client sends: the pods of all kinds, the grammar of their arguments, and the requests
 * to the container `files`.
 *
 * The policies contain all values as literals and use no parameters. Kubernetes 1.34 keeps reading old parameters after a
 * policy was deleted and created again (it never restarts a stopped shared informer; we tried it), so that outdated settings
 * would apply.
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

/** Rules for exec, attach and similar requests to a debug pod: only its owner may send them, and only those of the tool. */
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
      message: 'the debug pod belongs to another user',
    },
    {
      expression: any([
        all([
          "request.subResource == 'exec'",
          "object.?container.orValue('') == 'files'",
          '!object.?tty.orValue(false)',
          any(requests),
          // perf.data contains the names of all processes of the node, even if only one pod is sampled (perf record -a).
          ...(targetRights ? ["!object.command.exists(word, word.endsWith('/perf.data'))"] : []),
        ]),
        ...(allowShell
          ? ["request.subResource == 'attach' && object.?container.orValue('') == 'capture'"]
          : []),
      ]),
      message:
        'only the requests of this tool to the container files are allowed; exec into the privileged container is not',
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
    message: 'debug pods must not be changed',
  },
];

const DELETED: readonly Rule[] = [
  {
    expression: any([
      isOwn('oldObject.metadata.name'),
      // A pod that has ended runs nothing any more, so anybody with the Kubernetes right may remove it.
      "oldObject.?status.phase.orValue('') in ['Succeeded', 'Failed']",
      // The kubelet, the garbage collector, and the namespace controller.
      "request.userInfo.?groups.orValue([]).exists(g, g in ['system:nodes', 'system:serviceaccounts:kube-system'])",
      "request.userInfo.username.startsWith('system:kube-')",
      `${DELETE_RIGHT}.allowed()`,
    ]),
    message: 'the debug pod belongs to another user',
  },
];
