/** How kubectl was told to reach the cluster: the same flags, meaning the same. */
export interface Connection {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
  readonly as?: string;
  readonly asGroup?: string;
  /** As kubectl takes it: `10s`, or `0` for no limit. */
  readonly requestTimeout?: string;
}

/** The flags again, for a kubectl child process. The namespace is given with each call instead. */
export function kubectlFlags(connection: Connection): string[] {
  const named: Array<readonly [string, string | undefined]> = [
    ['--kubeconfig', connection.kubeconfig],
    ['--context', connection.context],
    ['--cluster', connection.cluster],
    ['--user', connection.user],
    ['--as', connection.as],
    ['--as-group', connection.asGroup],
    ['--request-timeout', connection.requestTimeout],
  ];
  return named.flatMap(([flag, value]) => (value === undefined ? [] : [`${flag}=${value}`]));
}
