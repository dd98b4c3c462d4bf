import type { V1Container, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { captureCommand, captureScript, filesCommand } from '../collectors/script.ts';
import { argumentsPattern, readGrammar } from '../node/arguments.ts';
import { FILES_USERS } from '../plan/plan.ts';
import { debugPod, FILLED_IN_FIELDS, LABELS_BY_ADMISSION } from '../session/pod-manifest.ts';
import { all, any, celLiteral, celStrings, celText, isOwn, ownerVariables, type Rule } from './cel.ts';
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

/** The CEL variables that the rules for pods use. */
export function podVariables({ allowShell }: PolicySettings) {
  return [
    ...ownerVariables(),
    { name: 'capture', expression: 'object.spec.containers[0]' },
    { name: 'files', expression: 'object.spec.containers[1]' },
    ...scriptVariables(),
    { name: 'user', expression: 'variables.files.securityContext.runAsUser' },
    // Each argument, followed by a line feed. `isPlain` excludes arguments with a line feed, which would look like two.
    { name: 'text', expression: "variables.capture.args.map(a, a + '\\n').join('')" },
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
        // Debug pods use the node's network, and every user of the tool may exec in this namespace, so that right proves
        // nothing.
        'variables.targetNamespaces[0] == request.namespace',
        // The network namespace of a pod with hostNetwork is that of the node.
        "variables.capture.args.exists(a, a == 'collector=tcpdump') && variables.capture.args.exists(a, a == 'host_network=1')",
      ]),
    },
  ];
}

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

/** The rule that --target-rights adds. */
const TARGET_RIGHTS: Rule = {
  expression: any([
    `variables.looksAtNode && ${NODE_RIGHT}.allowed()`,
    "!variables.looksAtNode && authorizer.group('').resource('pods').subresource('exec').namespace(variables.targetNamespaces[0]).check('create').allowed()",
  ]),
  message:
    'you may not capture this target: a pod requires the right to create pods/exec in its namespace, a whole node the right to capture nodes of gkeprof.dev',
};

/** The rules that accept only debug pods of this release. Each rule is generated from the pods of all kinds. */
export function podRules({
  namespace,
  images,
  pullSecrets,
  priorityClasses,
  targetRights,
}: PolicySettings): Rule[] {
  const kinds = debugPodKinds(namespace).map((kind) => ({ kind, pod: debugPod([kind.plan], kind.work) }));
  const specs = kinds.map(({ pod }) => pod.spec!);
  const pods = kinds.map(({ pod }) => pod);
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
    {
      expression: argumentRules(kinds),
      message:
        'the arguments or the privileges differ from those of a capture; shells on nodes, and crictl commands that change something, must be allowed by the administrator and require the role gkeprof-shell',
    },
    ...(targetRights ? [TARGET_RIGHTS] : []),
  ];
}

/** For each collector and scope: the arguments that are accepted, and the privileges that containers may have for them. */
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
      // A capture must stop before the kubelet evicts pods; other debug pods write little.
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

/**
 * The script of the container `capture`, as variables of which each has a part of it: the API server refuses an expression of
 * more than 100,000 code points (google/cel-go, parser: expression size limit). The parts are raw strings that end with a
 * line, so that they stay readable.
 */
function scriptVariables(): Array<{ readonly name: string; readonly expression: string }> {
  const parts: string[] = [''];
  for (const line of captureCommand()[2]!.split(/(?<=\n)/)) {
    if (parts.at(-1)!.length + line.length > PART_LENGTH) parts.push('');
    parts[parts.length - 1] += line;
  }
  return parts.map((part, at) => ({ name: `script${at + 1}`, expression: celText(part) }));
}

const PART_LENGTH = 60_000;

/** Compares the command of `capture`, whose third word is the script. */
function captureCommandIs(): string {
  const script = scriptVariables()
    .map(({ name }) => `variables.${name}`)
    .join(' + ');
  const words = captureCommand().map((word, at) => (at === 2 ? script : celLiteral(word)));
  return `variables.capture.?command.orValue([]) == [${words.join(', ')}]`;
}

/** Compares the command of `files`; the script is a raw string, so that it stays readable. */
function filesCommandIs(): string {
  const words = filesCommand().map((word, at) => (at === 2 ? celText(word) : celLiteral(word)));
  return `variables.files.?command.orValue([]) == [${words.join(', ')}]`;
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
