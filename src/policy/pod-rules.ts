import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { captureCommand, captureScript, filesCommand } from '../collectors/script.ts';
import { argumentsPattern, readGrammar } from '../node/arguments.ts';
import { FILES_USERS } from '../plan/plan.ts';
import { debugPod, FILLED_IN_FIELDS, LABELS_BY_ADMISSION } from '../session/pod-manifest.ts';
import { all, any, celLiteral, celStrings, celText, isOwn, ownerVariables, type Rule } from './cel.ts';
import { type DebugPodKind, debugPodKinds } from './kinds.ts';

/** What an administrator decides. */
export interface PolicySettings {
  readonly namespace: string;
  /** The images that debug pods may run. */
  readonly images: readonly string[];
  readonly pullSecrets: readonly string[];
  /** The class that the cluster gives to pods that name none, where it has one. */
  readonly priorityClasses: readonly string[];
  /** `shell`, and `crictl` where it changes something. */
  readonly allowShell: boolean;
  /** A capture of a pod needs the right to exec into pods of its namespace, one of a node a right of its own. */
  readonly targetRights: boolean;
}

/** Longest life of a debug pod, in seconds: a capture of a day, with what comes before and after it. */
const MAX_SECONDS = 200_000;

const NODE_RIGHT =
  "authorizer.group('gkeprof.dev').resource('nodes').name(object.spec.nodeName).check('capture')";

/** What the rules of a pod are made of. */
export function podVariables({ allowShell }: PolicySettings) {
  return [
    ...ownerVariables(),
    { name: 'capture', expression: 'object.spec.containers[0]' },
    { name: 'files', expression: 'object.spec.containers[1]' },
    { name: 'user', expression: 'variables.files.securityContext.runAsUser' },
    // Each argument with a line feed behind it. One that holds a line feed itself would pass for two.
    { name: 'text', expression: "variables.capture.args.map(a, a + '\\n').join('')" },
    { name: 'isPlain', expression: "variables.capture.args.all(a, !a.contains('\\n'))" },
    // Allowed by the administrator, and to this user: the role gkeprof-shell has the right to attach.
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
    // What `capture` gets of the node.
    {
      name: 'posture',
      expression:
        "{'securityContext': dyn(variables.capture.securityContext), 'hostPID': dyn(object.spec.?hostPID.orValue(false)), 'hostNetwork': dyn(object.spec.?hostNetwork.orValue(false))}",
    },
    {
      name: 'targetNamespaces',
      expression:
        "variables.capture.args.filter(a, a.startsWith('pod_namespace=')).map(a, a.substring('pod_namespace='.size()))",
    },
    {
      name: 'looksAtNode',
      expression: any([
        "variables.capture.args.exists(a, a == 'scope=node')",
        'variables.targetNamespaces.size() != 1',
        // Debug pods are on the node's network, and everybody with the role may exec here.
        'variables.targetNamespaces[0] == request.namespace',
        // The network namespace of a pod on the node's network is the node's.
        "variables.capture.args.exists(a, a == 'collector=tcpdump') && variables.capture.args.exists(a, a == 'host_network=1')",
      ]),
    },
  ];
}

/** Fields of the pod whose values differ from pod to pod: each has a rule of its own. */
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

/** How a container says that somebody may attach to it. */
const TERMINAL: readonly string[] = ['stdin', 'stdinOnce', 'tty'];

/** With --target-rights. */
const TARGET_RIGHTS: Rule = {
  expression: any([
    `variables.looksAtNode && ${NODE_RIGHT}.allowed()`,
    "!variables.looksAtNode && authorizer.group('').resource('pods').subresource('exec').namespace(variables.targetNamespaces[0]).check('create').allowed()",
  ]),
  message:
    'you may not look into this from its node: a pod needs the right to create pods/exec in its namespace, a whole node the right to capture nodes of gkeprof.dev',
};

/** A pod is exactly one of the debug pods of this release: each rule is made from those of all kinds. */
export function podRules({
  namespace,
  images,
  pullSecrets,
  priorityClasses,
  targetRights,
}: PolicySettings): Rule[] {
  const kinds = debugPodKinds(namespace).map((kind) => ({ kind, pod: debugPod(kind.plan, kind.work) }));
  const specs = kinds.map(({ pod }) => pod.spec!);
  const pods = kinds.map(({ pod }) => pod);
  const containers = (at: number) => specs.map((spec) => spec.containers[at]!);
  return [
    {
      expression:
        "object.spec.containers.size() == 2 && variables.capture.name == 'capture' && variables.files.name == 'files'",
      message: 'a debug pod has two containers, capture and files',
    },
    {
      expression: isOwn('object.metadata.name'),
      message:
        "the name of a debug pod ends in its creator's, so that nobody else can ask anything of it: gkeprof-COLLECTOR-SESSION-USER",
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
        onlyKeys('object.metadata.annotations', keysOf(pods.map(({ metadata }) => metadata!.annotations!))),
        ...constants(
          'object.metadata.annotations',
          pods.map(({ metadata }) => metadata!.annotations!),
          keysOf(pods.map(({ metadata }) => metadata!.annotations!)).filter((key) =>
            key.startsWith('gkeprof.dev/'),
          ),
        ),
        "['gkeprof.dev/target', 'gkeprof.dev/what'].all(k, k in object.metadata.annotations)",
        "object.metadata.annotations[?'gkeprof.dev/target-namespace'].orValue('') == variables.targetNamespaces.join(' ')",
      ]),
      message: 'labels, annotations or other metadata that no debug pod has',
    },
    {
      expression: onlyKeys('object.spec', [...keysOf(specs), ...FILLED_IN_FIELDS.spec]),
      message: 'a field of the pod that no debug pod has',
    },
    {
      expression: all([
        ...constants('object.spec', specs, OWN_RULES.spec),
        "object.spec.?nodeName.orValue('') != ''",
        `object.spec.?activeDeadlineSeconds.orValue(${MAX_SECONDS + 1}) <= ${MAX_SECONDS}`,
        "object.spec.?schedulerName.orValue('default-scheduler') == 'default-scheduler'",
        "object.spec.?serviceAccountName.orValue('default') == 'default'",
      ]),
      message: 'a debug pod is on a node, ends by itself, mounts nothing else, and holds no token',
    },
    {
      expression: all([
        `object.spec.?priorityClassName.orValue('') in ${celStrings(['', ...priorityClasses])}`,
        "object.spec.?priority.orValue(0) <= 0 || object.spec.?priorityClassName.orValue('') != ''",
      ]),
      message:
        'a debug pod pushes nobody off a node: it has no priority but the default of the cluster (manifests --allow-priority-class)',
    },
    {
      expression: all([
        `object.spec.containers.all(c, c.image in ${celStrings(images)})`,
        `object.spec.?imagePullSecrets.orValue([]).all(s, s.?name.orValue('') in ${celStrings(pullSecrets)})`,
      ]),
      message:
        'the image or its pull secret is not among those that the administrator allowed (manifests --image, --allow-image, --image-pull-secret)',
    },
    {
      expression: all([
        onlyKeys('variables.files', [...keysOf(containers(1)), ...FILLED_IN_FIELDS.container]),
        `dyn(variables.capture).all(k, k in ${celStrings([...keysOf(containers(0)), ...FILLED_IN_FIELDS.container].filter((key) => !TERMINAL.includes(key)))} || variables.shell && k in ${celStrings(TERMINAL)})`,
        "object.spec.containers.all(c, c.?terminationMessagePath.orValue('') == '/dev/termination-log' && c.?terminationMessagePolicy.orValue('') == 'File')",
      ]),
      message: 'a field of a container that no debug pod has (env, lifecycle, probes, workingDir, ports …)',
    },
    {
      expression: all([
        ...constants('variables.capture', containers(0), OWN_RULES.container),
        ...constants('variables.files', containers(1), OWN_RULES.container),
        `variables.user >= ${FILES_USERS.first} && variables.user < ${FILES_USERS.first + FILES_USERS.count}`,
        "dyn(object.spec.securityContext) == dyn({'fsGroup': variables.user})",
        `dyn(variables.files.securityContext) == dyn(${filesContext(containers(1)[0]!)})`,
      ]),
      message:
        'files runs without rights, as a user of its own, and each container with what a debug pod mounts and asks for',
    },
    {
      expression: all([
        commandIs('capture', captureCommand()),
        commandIs('files', filesCommand()),
        "variables.files.?args.orValue([]).size() == 2 && variables.files.args.all(a, a.matches('^[0-9]{1,6}$'))",
      ]),
      message: 'the commands are not those of the release that this policy was made for',
    },
    {
      expression: argumentRules(kinds),
      message:
        'the arguments or the privileges are not those of a capture; shells on nodes, and crictl where it changes something, are refused here unless they are allowed, to holders of the role gkeprof-shell',
    },
    ...(targetRights ? [TARGET_RIGHTS] : []),
  ];
}

/** For each collector and scope: the arguments that it takes, and what its containers may get of the node for them. */
function argumentRules(kinds: ReadonlyArray<{ readonly kind: DebugPodKind; readonly pod: V1Pod }>): string {
  const groups = new Map<string, { kind: DebugPodKind; postures: Set<string> }>();
  for (const { kind, pod } of kinds) {
    const { collector, scope } = kind.plan.capture;
    const key = [collector, scope, kind.isShell, limitedParts(kind)].join();
    const group = groups.get(key) ?? { kind, postures: new Set() };
    group.postures.add(posture(pod.spec!));
    groups.set(key, group);
  }
  const grammar = readGrammar(captureScript());
  const rules = [...groups.values()].map(({ kind, postures }) => {
    const { collector, scope } = kind.plan.capture;
    const parts = limitedParts(kind);
    const narrowed = {
      // A capture stops before the kubelet evicts pods, and nothing else writes much.
      ...(kind.plan.limits.minFreePercent > 0
        ? { min_free_percent: '1[2-9]|[2-9][0-9]' }
        : { max_bytes: '0|[1-9][0-9]{0,9}' }),
      ...(collector !== 'inspect' && { scope }),
      ...(parts !== undefined && { parts }),
      ...(collector === 'crictl' && (kind.isShell ? { rights: 'any' } : { rights: 'read', tty: '0' })),
    };
    const pattern = argumentsPattern(grammar, collector, kind.target, narrowed, kind.isShell);
    return all([
      kind.isShell ? 'variables.shell' : 'variables.isPlain && variables.isUnattended',
      `object.metadata.name.startsWith('gkeprof-${collector}-')`,
      `variables.text.matches(${celLiteral(pattern)})`,
      `variables.posture in [${[...postures].join(', ')}]`,
    ]);
  });
  return any(rules);
}

/** Under --least-privilege a snapshot's parts decide what the pod gets. */
const limitedParts = ({ plan: { capture, debugPod: where } }: DebugPodKind): string | undefined =>
  where.leastPrivilege && capture.collector === 'inspect' ? capture.parts.join(',') : undefined;

const posture = ({ containers, hostPID, hostNetwork }: V1PodSpec): string =>
  celLiteral({
    securityContext: containers[0]!.securityContext,
    hostPID: hostPID === true,
    hostNetwork: hostNetwork === true,
  });

/** What `files` runs with, as CEL, its user being the variable. */
function filesContext({ securityContext }: V1Container): string {
  const { runAsUser: _user, runAsGroup: _group, ...fixed } = securityContext!;
  const literal = celLiteral(fixed);
  return `${literal.slice(0, -1)}, 'runAsUser': dyn(variables.user), 'runAsGroup': dyn(variables.user)}`;
}

/** The words of a command, its script as it stands. */
function commandIs(container: 'capture' | 'files', command: readonly string[]): string {
  const words = command.map((word, at) => (at === 2 ? celText(word) : celLiteral(word)));
  return `variables.${container}.?command.orValue([]) == [${words.join(', ')}]`;
}

const keysOf = (objects: readonly object[]): string[] => [
  ...new Set(objects.flatMap((each) => Object.keys(each))),
];

const onlyKeys = (place: string, keys: readonly string[]): string =>
  `dyn(${place}).all(k, k in ${celStrings(keys)})`;

/**
 * One comparison for each field that the objects have, `except` some: with its value, or with the values that it has in
 * any of them. A field that an object lacks may be missing.
 */
function constants(place: string, objects: readonly object[], except: readonly string[]): string[] {
  return keysOf(objects)
    .filter((key) => !except.includes(key))
    .map((key) => {
      const values = objects.map((each) => (each as Record<string, unknown>)[key]);
      const literals = [...new Set(values.filter((value) => value !== undefined).map(celLiteral))];
      // A name as it stands is type-checked by the API server; what is no name of CEL is the key of a map.
      const isName = /^[A-Za-z]\w*$/.test(key);
      const field = isName ? `${place}.${key}` : `${place}[${celLiteral(key)}]`;
      const isThere = isName ? `has(${field})` : `${celLiteral(key)} in ${place}`;
      const isOne = `dyn(${field}) in [${literals.map((each) => `dyn(${each})`).join(', ')}]`;
      return values.includes(undefined) ? `!(${isThere}) || ${isOne}` : `${isThere} && ${isOne}`;
    });
}
