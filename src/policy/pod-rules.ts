import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import { isRecording } from '../collectors/collector.ts';
import { captureScript } from '../collectors/script.ts';
import { argumentsPattern, readGrammar } from '../node/arguments.ts';
import { FILES_USERS, MOST_RECORDERS } from '../plan/plan.ts';
import {
  ANNOTATIONS_BY_ADMISSION,
  debugPod,
  FILLED_IN_FIELDS,
  LABELS_BY_ADMISSION,
} from '../session/pod-manifest.ts';
import { all, any, celLiteral, celStrings, isOwn, ownerVariables, type Rule } from './cel.ts';
import { captureCommandIs, filesCommandIs, scriptVariables } from './command-rules.ts';
import { type DebugPodKind, debugPodKinds } from './kinds.ts';

/** The settings that an administrator chooses. */
export interface PolicySettings {
  readonly namespace: string;
  /** The images that debug pods may run. */
  readonly images: readonly string[];
  readonly pullSecrets: readonly string[];
  /** Allowed priority classes: usually the cluster's default class, which admission sets on pods without a class. */
  readonly priorityClasses: readonly string[];
  /** Allows `shell`, and `crictl` commands that change something. */
  readonly allowShell: boolean;
  /** Requires the right to exec into pods of the target's namespace, and for a whole node the right to capture nodes. */
  readonly targetRights: boolean;
}

/** The longest life of a debug pod, in seconds: enough for a capture of one day, and the time before and after it. */
const MAX_SECONDS = 200_000;

const NODE_RIGHT =
  "authorizer.group('gkeprof.dev').resource('nodes').name(object.spec.nodeName).check('capture')";

/**
 * The rights in so many namespaces are asked for, because the API server allows an expression two questions, and all of
 * them together about 28 (k8s.io/apiserver pkg/apis/cel: PerCallLimit, RuntimeCELCostBudget; a question costs 350,000). Who
 * captures pods of more namespaces at once needs the right on the node.
 */
const MOST_NAMESPACES = 16;

/** The lists of arguments that one expression checks: each costs about 10,000 of the 1,000,000 that an expression may. */
const LISTS_AT_ONCE = 10;

/** The CEL variables that the rules for pods use. */
export function podVariables({ namespace, allowShell }: PolicySettings) {
  return [
    ...ownerVariables(),
    { name: 'capture', expression: 'object.spec.containers[0]' },
    { name: 'files', expression: 'object.spec.containers[1]' },
    ...scriptVariables(),
    { name: 'user', expression: 'variables.files.securityContext.runAsUser' },
    // The arguments, with line feeds between them. `isPlain` excludes arguments with a line feed, which would look like two.
    { name: 'text', expression: "variables.capture.args.join('\\n')" },
    { name: 'isSeveral', expression: "variables.text.startsWith('recorders=')" },
    // The arguments of each recorder, as they begin behind `recorder=`. The node takes no other word that begins like that.
    {
      name: 'lists',
      expression:
        "variables.isSeveral ? variables.text.substring(variables.text.indexOf('\\nrecorder=') + 10).split('\\nrecorder=') : ['1\\n' + variables.text]",
    },
    ...listVariables(),
    { name: 'isPlain', expression: "variables.capture.args.all(a, !a.contains('\\n'))" },
    // True if the administrator allows shells, and this user has the role gkeprof-shell, which grants attach.
    {
      name: 'shell',
      expression: allowShell
        ? "authorizer.group('').resource('pods').subresource('attach').namespace(request.namespace).check('create').allowed()"
        : 'false',
    },
    {
      name: 'isUnattended',
      expression: all(TERMINAL.map((field) => `!variables.capture.?${field}.orValue(false)`)),
    },
    // The privileges and host namespaces of the container `capture`.
    {
      name: 'posture',
      expression:
        "{'securityContext': dyn(variables.capture.securityContext), 'hostPID': dyn(object.spec.?hostPID.orValue(false)), 'hostNetwork': dyn(object.spec.?hostNetwork.orValue(false))}",
    },
    // A rule compares the namespaces in the annotation, where each is there once, with those in the arguments.
    {
      name: 'targetNamespaces',
      expression:
        "object.metadata.?annotations['gkeprof.dev/target-namespace'].orValue('').split(' ').filter(n, n != '')",
    },
    {
      name: 'namedNamespaces',
      expression:
        "variables.capture.args.filter(a, a.startsWith('pod_namespace=')).map(a, a.substring('pod_namespace='.size()))",
    },
    // Any argument counts, also a word of a filter: such a word can only make more rights necessary.
    {
      name: 'looksAtNode',
      expression: any([
        "variables.capture.args.exists(a, a == 'scope=node')",
        'variables.targetNamespaces.size() == 0',
        `variables.targetNamespaces.size() > ${MOST_NAMESPACES}`,
        // Debug pods use the node's network, and every user of the tool may exec in this namespace, so that right proves
        // nothing.
        'request.namespace in variables.targetNamespaces',
        // The network namespace of a pod with hostNetwork is that of the node.
        "variables.capture.args.exists(a, a == 'collector=tcpdump') && variables.capture.args.exists(a, a == 'host_network=1')",
      ]),
    },
    ...argumentGroups(namespace).flatMap(({ kind, fits, pattern }, at) => [
      {
        name: `fits${at + 1}`,
        expression: all([...(isRecording(kind.work) ? [] : ['!variables.isSeveral']), ...fits]),
      },
      { name: `pattern${at + 1}`, expression: celLiteral(pattern) },
    ]),
  ];
}

/** `lists1` and so on: the lists of arguments, so many in each as one expression can check. */
const listVariables = () =>
  [...Array(Math.ceil(MOST_RECORDERS / LISTS_AT_ONCE)).keys()].map((block) => {
    const numbers = [...Array(LISTS_AT_ONCE).keys()].map((at) => block * LISTS_AT_ONCE + at);
    return {
      name: `lists${block + 1}`,
      expression: `[${numbers.join(', ')}].filter(n, n < variables.lists.size()).map(n, variables.lists[n])`,
    };
  });

/** Fields whose values differ from pod to pod. Each has its own rule. */
const OWN_RULES = {
  spec: [
    'containers',
    'nodeName',
    'activeDeadlineSeconds',
    'securityContext',
    'hostPID',
    'hostNetwork',
    'imagePullSecrets',
  ],
  container: [
    'name',
    'image',
    'imagePullPolicy',
    'command',
    'args',
    'securityContext',
    'stdin',
    'stdinOnce',
    'tty',
  ],
};

/** The container fields that allow somebody to attach to it. */
const TERMINAL: readonly string[] = ['stdin', 'stdinOnce', 'tty'];

/** The rules that --target-rights adds. */
const TARGET_RIGHTS: readonly Rule[] = [
  `!variables.looksAtNode || ${NODE_RIGHT}.allowed()`,
  ...[...Array(MOST_NAMESPACES).keys()].map((at) =>
    any([
      'variables.looksAtNode',
      `variables.targetNamespaces.size() <= ${at}`,
      `authorizer.group('').resource('pods').subresource('exec').namespace(variables.targetNamespaces[${at}]).check('create').allowed()`,
    ]),
  ),
].map((expression) => ({
  expression,
  message:
    'you may not capture this target: a pod requires the right to create pods/exec in its namespace, a whole node the right to capture nodes of gkeprof.dev',
}));

/** The rules that accept only debug pods of this release. Each rule is generated from the pods of all kinds. */
export function podRules({
  namespace,
  images,
  pullSecrets,
  priorityClasses,
  targetRights,
}: PolicySettings): Rule[] {
  const pods = podsOfKinds(namespace).map(({ pod }) => pod);
  const specs = pods.map(({ spec }) => spec!);
  const containers = (at: number) => specs.map((spec) => spec.containers[at]!);
  return [
    {
      expression:
        "object.spec.containers.size() == 2 && variables.capture.name == 'capture' && variables.files.name == 'files'",
      message: 'a debug pod must have two containers, capture and files',
    },
    {
      expression: isOwn('object.metadata.name'),
      message:
        'the name of a debug pod must end with the name of its creator, who alone may use it: gkeprof-COLLECTOR-SESSION-USER',
    },
    {
      expression: all([
        ...['finalizers', 'ownerReferences', 'generateName'].map((field) => `!has(object.metadata.${field})`),
        onlyKeys('object.metadata.labels', [
          ...keysOf(pods.map(({ metadata }) => metadata!.labels!)),
          ...LABELS_BY_ADMISSION,
        ]),
        ...constants(
          'object.metadata.labels',
          pods.map(({ metadata }) => metadata!.labels!),
          ['gkeprof.dev/session'],
        ),
        "object.metadata.labels[?'gkeprof.dev/session'].orValue('') == object.metadata.name.split('-')[2]",
        onlyKeys('object.metadata.annotations', [
          ...keysOf(pods.map(({ metadata }) => metadata!.annotations!)),
          ...ANNOTATIONS_BY_ADMISSION,
        ]),
        ...constants(
          'object.metadata.annotations',
          pods.map(({ metadata }) => metadata!.annotations!),
          keysOf(pods.map(({ metadata }) => metadata!.annotations!)).filter((key) =>
            key.startsWith('gkeprof.dev/'),
          ),
        ),
        "['gkeprof.dev/target', 'gkeprof.dev/what'].all(k, k in object.metadata.annotations)",
        'variables.namedNamespaces.all(n, n in variables.targetNamespaces)',
        'variables.targetNamespaces.all(n, n in variables.namedNamespaces)',
      ]),
      message: 'the labels, annotations or other metadata differ from those of a debug pod',
    },
    {
      expression: onlyKeys('object.spec', [...keysOf(specs), ...FILLED_IN_FIELDS.spec]),
      message: 'the pod has a field that debug pods do not have',
    },
    {
      expression: all([
        ...constants('object.spec', specs, OWN_RULES.spec),
        "object.spec.?nodeName.orValue('') != ''",
        `object.spec.?activeDeadlineSeconds.orValue(${MAX_SECONDS + 1}) <= ${MAX_SECONDS}`,
        "object.spec.?schedulerName.orValue('default-scheduler') == 'default-scheduler'",
        "object.spec.?serviceAccountName.orValue('default') == 'default'",
      ]),
      message:
        'a debug pod must name its node, have a deadline, mount only its own volumes, and have no service account token',
    },
    {
      expression: all([
        `object.spec.?priorityClassName.orValue('') in ${celStrings(['', ...priorityClasses])}`,
        "object.spec.?priority.orValue(0) <= 0 || object.spec.?priorityClassName.orValue('') != ''",
      ]),
      message:
        "a debug pod must not preempt other pods: only the cluster's default priority class is allowed (manifests --allow-priority-class)",
    },
    {
      expression: all([
        `object.spec.containers.all(c, c.image in ${celStrings(images)})`,
        `object.spec.?imagePullSecrets.orValue([]).all(s, s.?name.orValue('') in ${celStrings(pullSecrets)})`,
      ]),
      message:
        'the administrator has not allowed this image or pull secret (manifests --image, --allow-image, --image-pull-secret)',
    },
    {
      expression: all([
        onlyKeys('variables.files', [...keysOf(containers(1)), ...FILLED_IN_FIELDS.container]),
        `dyn(variables.capture).all(k, k in ${celStrings([...keysOf(containers(0)), ...FILLED_IN_FIELDS.container].filter((key) => !TERMINAL.includes(key)))} || variables.shell && k in ${celStrings(TERMINAL)})`,
        "object.spec.containers.all(c, c.?terminationMessagePath.orValue('') == '/dev/termination-log' && c.?terminationMessagePolicy.orValue('') == 'File')",
      ]),
      message:
        'a container has a field that debug pods do not have (env, lifecycle, probes, workingDir, ports …)',
    },
    {
      expression: all([
        ...constants('variables.capture', containers(0), OWN_RULES.container),
        ...constants('variables.files', containers(1), OWN_RULES.container),
        // A debug pod has all its volumes and mounts, or none of them, and only for short work.
        '[variables.capture, variables.files].all(c, has(c.volumeMounts) == has(object.spec.volumes))',
        "has(object.spec.volumes) || variables.capture.?securityContext.?privileged.orValue(false) && !variables.isSeveral && ['gkeprof-perf-', 'gkeprof-inspect-'].exists(p, object.metadata.name.startsWith(p))",
        `variables.user >= ${FILES_USERS.first} && variables.user < ${FILES_USERS.first + FILES_USERS.count}`,
        "dyn(object.spec.securityContext) == dyn({'fsGroup': variables.user})",
        `dyn(variables.files.securityContext) == dyn(${filesContext(containers(1)[0]!)})`,
      ]),
      message:
        'the container files must run unprivileged as its own user, and each container must have the mounts and resources of a debug pod',
    },
    {
      expression: all([
        captureCommandIs(),
        filesCommandIs(),
        "variables.files.?args.orValue([]).size() == 2 && variables.files.args.all(a, a.matches('^[0-9]{1,6}$'))",
      ]),
      message: 'the commands differ from those of the gkeprof release that this policy was made for',
    },
    ...argumentRules(namespace),
    ...(targetRights ? TARGET_RIGHTS : []),
  ];
}

const podsOfKinds = (namespace: string) =>
  debugPodKinds(namespace).map((kind) => ({ kind, pod: debugPod(kind.plans, kind.work) }));

/** What is accepted for a collector and a scope. */
interface ArgumentGroup {
  readonly kind: DebugPodKind;
  /** Conditions for the pod: among them the privileges that its containers may have for such arguments. */
  readonly fits: readonly string[];
  /** A regular expression for the arguments of a recorder, each with a line feed behind it; before them, how many there are. */
  readonly pattern: string;
}

function argumentGroups(namespace: string): ArgumentGroup[] {
  const groups = new Map<string, { kind: DebugPodKind; postures: Set<string> }>();
  for (const { kind, pod } of podsOfKinds(namespace)) {
    const { collector, scope } = kind.plan.capture;
    const key = [collector, scope, kind.isShell, limitedParts(kind)].join();
    const group = groups.get(key) ?? { kind, postures: new Set() };
    group.postures.add(posture(pod.spec!));
    groups.set(key, group);
  }
  const grammar = readGrammar(captureScript());
  return [...groups.values()].map(({ kind, postures }) => {
    const { collector, scope } = kind.plan.capture;
    const parts = limitedParts(kind);
    const narrowed = {
      // A capture must stop before the kubelet evicts pods; other debug pods write little.
      ...(kind.plan.limits.minFreePercent > 0
        ? { min_free_percent: '1[2-9]|[2-9][0-9]' }
        : { max_bytes: '0|[1-9][0-9]{0,9}' }),
      ...(collector !== 'inspect' && { scope }),
      ...(parts !== undefined && { parts }),
      ...(scope === 'container' && { container_id: grammar.types.get('container_id')! }),
      ...(collector === 'crictl' && (kind.isShell ? { rights: 'any' } : { rights: 'read', tty: '0' })),
    };
    const pattern = argumentsPattern(grammar, collector, kind.target, narrowed, kind.isShell);
    return {
      kind,
      fits: [
        kind.isShell ? 'variables.shell' : 'variables.isPlain && variables.isUnattended',
        `object.metadata.name.startsWith('gkeprof-${collector}-')`,
        `variables.posture in [${[...postures].join(', ')}]`,
      ],
      pattern: pattern.replace('^', '^[1-9][0-9]{0,4}\\n'),
    };
  });
}

/** The rules that accept the arguments: each list of them must be one that a kind of debug pod has. */
function argumentRules(namespace: string): Rule[] {
  const groups = argumentGroups(namespace).map(({ kind }, at) => ({
    isRecorder: isRecording(kind.work),
    // The scope is looked for first, because that costs much less than a match.
    accepts: all([
      `variables.fits${at + 1}`,
      `list.contains('\\nscope=${kind.plan.capture.scope}\\n')`,
      `(list + '\\n').matches(variables.pattern${at + 1})`,
    ]),
  }));
  const message =
    'the arguments or the privileges differ from those of a capture; shells on nodes, and crictl commands that change something, must be allowed by the administrator and require the role gkeprof-shell';
  return [
    {
      expression: any([
        '!variables.isSeveral',
        all([
          `variables.isPlain && variables.lists.size() > 1 && variables.lists.size() <= ${MOST_RECORDERS}`,
          "variables.text.startsWith('recorders=' + string(variables.lists.size()) + '\\nrecorder=')",
        ]),
      ]),
      message: 'the arguments of a debug pod with several recorders must begin with their number',
    },
    ...listVariables().map(({ name }, block) => ({
      expression: `variables.${name}.all(list, ${any(
        groups.filter(({ isRecorder }) => block === 0 || isRecorder).map(({ accepts }) => accepts),
      )})`,
      message,
    })),
  ];
}

/** With --least-privilege the parts of a snapshot decide which privileges the pod gets. */
const limitedParts = ({ plan: { capture, debugPod: where } }: DebugPodKind): string | undefined =>
  where.leastPrivilege && capture.collector === 'inspect' ? capture.parts.join(',') : undefined;

const posture = ({ containers, hostPID, hostNetwork }: V1PodSpec): string =>
  celLiteral({
    securityContext: containers[0]!.securityContext,
    hostPID: hostPID === true,
    hostNetwork: hostNetwork === true,
  });

/** The security context of `files` as CEL, with the user as a variable. */
function filesContext({ securityContext }: V1Container): string {
  const { runAsUser: _user, runAsGroup: _group, ...fixed } = securityContext!;
  const literal = celLiteral(fixed);
  return `${literal.slice(0, -1)}, 'runAsUser': dyn(variables.user), 'runAsGroup': dyn(variables.user)}`;
}

const keysOf = (objects: readonly object[]): string[] => [
  ...new Set(objects.flatMap((each) => Object.keys(each))),
];

const onlyKeys = (place: string, keys: readonly string[]): string =>
  `dyn(${place}).all(k, k in ${celStrings(keys)})`;

/**
 * One comparison for each field of the objects, `except` some: the field must have a value that it has in one of them. It
 * may be missing if one of the objects lacks it.
 */
function constants(place: string, objects: readonly object[], except: readonly string[]): string[] {
  return keysOf(objects)
    .filter((key) => !except.includes(key))
    .map((key) => {
      const values = objects.map((each) => (each as Record<string, unknown>)[key]);
      const literals = [...new Set(values.filter((value) => value !== undefined).map(celLiteral))];
      // The API server type-checks a field name. A key that is not a CEL identifier belongs to a map, and is indexed.
      const isName = /^[A-Za-z]\w*$/.test(key);
      const field = isName ? `${place}.${key}` : `${place}[${celLiteral(key)}]`;
      const isThere = isName ? `has(${field})` : `${celLiteral(key)} in ${place}`;
      const isOne = `dyn(${field}) in [${literals.map((each) => `dyn(${each})`).join(', ')}]`;
      return values.includes(undefined) ? `!(${isThere}) || ${isOne}` : `${isThere} && ${isOne}`;
    });
}
