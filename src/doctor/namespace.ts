import { answerOf, type Finding, failureOf, ok, problem, unknown, unknownBecause, warning } from './check.ts';
import type { Admission, Facts } from './facts.ts';

const SET_UP = 'kubectl gkeprof manifests | kubectl apply -f -';
const ENFORCED = 'pod-security.kubernetes.io/enforce';

type Placed = Pick<Facts, 'namespace' | 'admission' | 'debugPod'>;

const refusals = ({ admission }: Placed): string[] =>
  Object.values(admission).flatMap((each) => failureOf(each)?.reason ?? []);

const isAdmitted = ({ admission }: Placed): boolean =>
  Object.values(admission).some((each) => answerOf(each) !== undefined);

/** Whether the namespace exists. Whoever has only the rights for debug pods cannot read it, but a dry run reaches it. */
export function checkNamespace(facts: Placed): Finding {
  const { namespace } = facts.debugPod;
  const failure = failureOf(facts.namespace);
  if (!failure) return ok(namespace);
  if (failure.code === 404 || refusals(facts).some((text) => /namespaces "[^"]*" not found/.test(text)))
    return problem(
      `the namespace "${namespace}" for debug pods does not exist`,
      namespace === 'gkeprof' ? SET_UP : `kubectl create namespace ${namespace}`,
    );
  if (isAdmitted(facts)) return ok(namespace);
  // The role that `manifests` prints does not have this right, so asking for it would be wrong advice.
  return failure.code === 403
    ? unknown('you may not read the namespace, and no dry run was admitted')
    : unknownBecause(failure);
}

/** The level of Pod Security that the namespace enforces. With --least-privilege debug pods need the same one. */
export function checkPodSecurity(facts: Placed): Finding {
  const { namespace, leastPrivilege } = facts.debugPod;
  const fix =
    namespace === 'gkeprof'
      ? SET_UP
      : 'Use a namespace for debug pods alone, such as the one that `kubectl gkeprof manifests` prints.';
  const needs = `debug pods need "privileged"${leastPrivilege ? ', also with --least-privilege' : ''}`;
  const refusal = refusals(facts)
    .map((text) => /violates PodSecurity "([^":]*)/.exec(text)?.[1])
    .find((level) => level !== undefined);
  const known = answerOf(facts.namespace);
  const level = known?.metadata?.labels?.[ENFORCED] ?? refusal;
  if (level !== undefined && level !== 'privileged') return problem(`enforces "${level}", but ${needs}`, fix);
  if (level === 'privileged') return ok('enforces "privileged"');
  // Without a label the cluster's own default counts, which only a dry run tells.
  if (isAdmitted(facts))
    return ok(known ? 'no level of its own; the dry run was admitted' : 'the dry run was admitted');
  if (known) return unknown(`no level of its own, and no dry run was admitted; ${needs}`);
  return unknown(
    failureOf(facts.namespace)!.code === 404 ? 'the namespace does not exist' : 'the namespace is not known',
  );
}

/** Whether the API server would take the debug pod, and would take it unchanged. */
export function checkAdmission(admission: Admission, { namespace }: Facts['debugPod']): Finding {
  const failure = failureOf(admission);
  if (failure?.code === 404) return unknown('the namespace does not exist');
  // Without a status code the API server did not refuse: it was not asked, or did not answer.
  if (failure)
    return failure.code === undefined ? unknownBecause(failure) : problem(failure.reason, failure.hint);
  const changes = answerOf(admission)!;
  if (changes.length === 0) return ok('admitted by a dry run, unchanged');
  return problem(
    `admission changes the pod, so it would be removed again: ${changes.join('; ')}`,
    `Exempt the namespace ${namespace} from the webhook or LimitRange that does this.`,
  );
}

/** Whether the nodes have the image or can pull it, as far as the API server knows. */
export function checkImage({ debugPod, nodes }: Pick<Facts, 'debugPod' | 'nodes'>): Finding {
  const { image, install, imagePullPolicy } = debugPod;
  if (install)
    return warning(
      `${image}: the tools are installed at each start, which takes half a minute and needs the Debian mirrors`,
      'Build image/Dockerfile, push the image, and name it with --image or GKEPROF_IMAGE.',
    );
  const all = answerOf(nodes) ?? [];
  const having = all.filter(({ status }) =>
    status?.images?.some(({ names }) => names?.some((name) => name === image || name.endsWith(`/${image}`))),
  );
  if (all.length > 0 && having.length === all.length)
    return ok(`${image}, which ${all.length === 1 ? 'the node has' : 'all nodes have'}`);
  // A node reports its 50 largest images (--node-status-max-images), so it may have others.
  if (imagePullPolicy === 'Never')
    return warning(
      `${image}: not every node reports that it has it, and --image-pull-policy is Never`,
      'Use --image-pull-policy IfNotPresent, unless the image was loaded into the nodes.',
    );
  return ok(`${image}, which a node pulls when it is needed first`);
}
