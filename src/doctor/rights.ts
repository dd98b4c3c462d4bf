import { API_GROUPS } from '../cluster/resources.ts';
import type { CheckStatus } from './check.ts';

/** The groups of rights. A role that `manifests` prints grants each of them. */
export const RIGHT_GROUPS = ['targets', 'debug-pods', 'terminals'] as const;
export type RightGroup = (typeof RIGHT_GROUPS)[number];

/** A right that a verb needs. */
export interface Right {
  readonly group: RightGroup;
  readonly verb: string;
  readonly resource: string;
  /** The API group of the resource, if it is not the core group. */
  readonly apiGroup?: string;
  readonly subresource?: string;
  /** Where it is needed: in the namespace of the target or of the debug pods, or in the whole cluster. */
  readonly in: 'target' | 'debug' | 'cluster';
  /** What does not work without it. */
  readonly for: string;
  /** What it is if the right is missing. */
  readonly missing: CheckStatus & ('problem' | 'warning');
}

const EVERY = 'every verb that creates a debug pod';

const WORKLOADS: ReadonlyArray<keyof typeof API_GROUPS> = [
  'replicationcontrollers',
  'deployments',
  'statefulsets',
  'daemonsets',
  'replicasets',
  'cronjobs',
];

/** Everything that the verbs ask of the API server, in the order of the roles in manifests/rbac.yaml. */
export const RIGHTS: readonly Right[] = [
  target('get', 'pods', 'target', 'a pod as target', 'problem'),
  target('get', 'nodes', 'cluster', EVERY, 'problem'),
  target('list', 'pods', 'target', 'deploy/NAME and other workloads as target, -l', 'warning'),
  target('get', 'services', 'target', 'svc/NAME as target', 'warning'),
  target('list', 'services', 'target', 'all services as target', 'warning'),
  target('list', 'jobs', 'target', 'cronjob/NAME as target', 'warning'),
  ...WORKLOADS.map((resource) =>
    target(
      'list',
      resource,
      'target',
      'workloads by their labels, and the names of those that exist',
      'warning',
    ),
  ),
  target('list', 'pods', 'cluster', 'ps, whois, id/HEX', 'warning'),
  target('list', 'nodes', 'cluster', 'nodes, doctor without a target', 'warning'),
  debug('create', 'pods', EVERY),
  debug('get', 'pods', EVERY),
  debug('delete', 'pods', EVERY),
  debug('list', 'pods', 'sessions, --linger, and the removal of what a lost client left', 'warning'),
  debug('get', 'pods/log', 'flamegraph, pcap, waits'),
  // Without it kubectl goes back from WebSocket to SPDY.
  debug('get', 'pods/exec', 'kubectl exec over WebSocket', 'warning'),
  debug('create', 'pods/exec', EVERY),
  debug('list', 'events', 'the reason why a debug pod does not start', 'warning'),
  terminal('get'),
  terminal('create'),
];

function target(
  verb: string,
  resource: keyof typeof API_GROUPS,
  place: Right['in'],
  needs: string,
  missing: Right['missing'],
): Right {
  const apiGroup = API_GROUPS[resource];
  return { group: 'targets', verb, resource, ...(apiGroup && { apiGroup }), in: place, for: needs, missing };
}

function debug(verb: string, what: string, needs: string, missing: Right['missing'] = 'problem'): Right {
  const [resource = '', subresource] = what.split('/');
  const of = { resource, ...(subresource !== undefined && { subresource }) };
  return { group: 'debug-pods', verb, ...of, in: 'debug', for: needs, missing };
}

function terminal(verb: string): Right {
  const of = { verb, resource: 'pods', subresource: 'attach' };
  return { group: 'terminals', ...of, in: 'debug', for: 'shell, crictl exec -i', missing: 'warning' };
}

/** `create pods/exec`, `list jobs.batch`. */
export const rightText = (right: Right): string =>
  `${right.verb} ${fullResource(right)}${right.subresource ? `/${right.subresource}` : ''}`;

/** The resource as kubectl takes it: `jobs.batch`. */
export const fullResource = ({ resource, apiGroup }: Right): string =>
  `${resource}${apiGroup ? `.${apiGroup}` : ''}`;
