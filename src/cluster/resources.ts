/** The API groups of the resources that name pods, by kubectl's plural. The core group is ''. */
export const API_GROUPS = {
  pods: '',
  nodes: '',
  services: '',
  replicationcontrollers: '',
  deployments: 'apps',
  statefulsets: 'apps',
  daemonsets: 'apps',
  replicasets: 'apps',
  jobs: 'batch',
  cronjobs: 'batch',
} as const;

/** The resources whose objects control or select pods. */
export type PodOwners = Exclude<keyof typeof API_GROUPS, 'pods' | 'nodes'>;

/** An object that controls or selects pods, as far as it is read. */
export interface PodOwner {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly ownerReferences?: ReadonlyArray<{
      readonly kind?: string;
      readonly name?: string;
      readonly controller?: boolean;
    }>;
  };
  /** Only of a service. */
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>;
    /** All addresses of the service; `None` if it has none of its own. */
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
  };
}

/** The path of a resource in the API, or of those in a namespace. All of them are in version v1 of their group. */
export function apiPath(resource: string, namespace?: string): string {
  const group = (API_GROUPS as Readonly<Record<string, string>>)[resource];
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${group ? `/apis/${group}` : '/api'}/v1${within}/${resource}`;
}
