import { shellQuote } from '../text/shell-quote.ts';
import { answerOf, type Finding, ok, unknown } from './check.ts';
import type { Facts } from './facts.ts';
import { type Right, type RightGroup, rightText } from './rights.ts';

/** The roles in manifests/rbac.yaml by the groups of rights that they grant. */
const ROLES: Readonly<Record<RightGroup, { readonly role: string; readonly ofCluster?: true }>> = {
  targets: { role: 'gkeprof-targets', ofCluster: true },
  'debug-pods': { role: 'gkeprof-debug-pods' },
  terminals: { role: 'gkeprof-shell' },
};

export function checkRights(
  group: RightGroup,
  { rights, user, debugPod: { namespace } }: Pick<Facts, 'rights' | 'user' | 'debugPod'>,
): Finding {
  const own = rights.filter(({ right }) => right.group === group);
  const denied = own.filter(({ isAllowed }) => answerOf(isAllowed) === false).map(({ right }) => right);
  if (denied.length > 0) {
    const status = denied.some(({ missing }) => missing === 'problem') ? 'problem' : 'warning';
    return {
      status,
      found: `not allowed: ${deniedText(denied)}`,
      fix: grantLine(group, namespace, answerOf(user)),
    };
  }
  const [silent] = own.flatMap(({ right, isAllowed }) =>
    'failure' in isAllowed ? [`${rightText(right)}: ${isAllowed.failure.reason}`] : [],
  );
  if (silent !== undefined) return unknown(silent);
  return ok(rightsText(own.map(({ right }) => right)));
}

/** Rights by their verbs: `get pods, nodes; list pods`. */
const rightsText = (rights: readonly Right[]): string =>
  [...Map.groupBy(rights, ({ verb }) => verb)]
    .map(
      ([verb, of]) =>
        `${verb} ${[...new Set(of.map(({ resource, subresource }) => `${resource}${subresource ? `/${subresource}` : ''}`))].join(', ')}`,
    )
    .join('; ');

/** The missing rights by what they are for: `create pods/exec (for …)`. */
function deniedText(denied: readonly Right[]): string {
  return [...Map.groupBy(denied, (right) => right.for)]
    .map(([needs, rights]) => {
      const texts = rights.map(
        (right) => `${rightText(right)}${right.in === 'cluster' ? ' of the cluster' : ''}`,
      );
      return `${texts.join(', ')} (for ${needs})`;
    })
    .join('; ');
}

/** What an administrator types. The roles for debug pods are printed for the namespace gkeprof. */
function grantLine(group: RightGroup, namespace: string, user: string | undefined): string {
  const { role, ofCluster } = ROLES[group];
  if (user === undefined || (namespace !== 'gkeprof' && !ofCluster))
    return `Ask an administrator for the rights of the role ${role}, which \`kubectl gkeprof manifests\` prints.`;
  const name = `${role}-${user.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
  const words = ofCluster
    ? ['clusterrolebinding', name, `--clusterrole=${role}`]
    : ['rolebinding', name, '-n', namespace, `--role=${role}`];
  const line = ['kubectl', 'create', ...words, `--user=${user}`].map(shellQuote).join(' ');
  return `kubectl gkeprof manifests | kubectl apply -f - && ${line}`;
}
