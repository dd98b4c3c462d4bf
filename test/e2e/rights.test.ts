import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environment, eventually, kubectl, leavesNothing, NAMESPACE, outputFolder, world } from './world.ts';

/**
 * What the role that `kubectl gkeprof manifests` prints grants for debug pods, a right at a time. To get and list pods is
 * granted everywhere, by the other one.
 */
const RIGHTS = [
  ['create', 'pods'],
  ['delete', 'pods'],
  ['get', 'pods/log'],
  ['create', 'pods/exec'],
  ['get', 'pods/exec'],
  ['list', 'events'],
] as const;

const userWithout = (verb: string, resource: string) =>
  `gkeprof-e2e-no-${verb}-${resource.replace('/', '-')}`;

/** Users who may everything that the role grants but one thing. */
const users = RIGHTS.map(([verb, resource]) => ({
  name: userWithout(verb, resource),
  rules: RIGHTS.filter((right) => right[0] !== verb || right[1] !== resource).map(([each, of]) => ({
    apiGroups: [''],
    resources: [of],
    verbs: [each],
  })),
}));

const objects = () => {
  const apiGroup = 'rbac.authorization.k8s.io';
  const apiVersion = `${apiGroup}/v1`;
  const subject = (name: string) => ({ kind: 'User', apiGroup, name });
  return {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'gkeprof-e2e-rights' },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'gkeprof-targets' },
        subjects: users.map(({ name }) => subject(name)),
      },
      ...users.flatMap(({ name, rules }) => [
        { apiVersion, kind: 'Role', metadata: { name, namespace: 'gkeprof' }, rules },
        {
          apiVersion,
          kind: 'RoleBinding',
          metadata: { name, namespace: 'gkeprof' },
          roleRef: { apiGroup, kind: 'Role', name },
          subjects: [subject(name)],
        },
      ]),
    ],
  };
};

describe('a right that is missing', () => {
  leavesNothing();
  const output = outputFolder();
  beforeAll(async () => {
    await kubectl(['apply', '-f', '-'], JSON.stringify(objects()));
    // The API server hears of each object by itself.
    for (const { name, rules } of users) {
      const [{ resources, verbs }] = rules as [(typeof rules)[number]];
      for (const [verb, resource, namespace] of [
        [verbs[0]!, resources[0]!, 'gkeprof'],
        ['get', 'pods', NAMESPACE],
      ] as const) {
        const may = () =>
          execa(world().kubectl, ['auth', 'can-i', verb, resource, '-n', namespace, '--as', name], {
            env: { KUBECONFIG: world().admin },
            reject: false,
          }).then(({ stdout }) => stdout);
        expect(await eventually(may, (answer) => answer === 'yes')).toBe('yes');
      }
    }
  });
  afterAll(() => kubectl(['delete', '-f', '-'], JSON.stringify(objects())));

  /** As somebody whom the administrator impersonates. */
  const pcap = (user: string, words: readonly string[] = []) =>
    execa(
      'kubectl',
      [
        'gkeprof',
        'pcap',
        'redis-0',
        ...['-n', NAMESPACE, '--port', '6379', '--duration', '3s', '--image', world().images.tools],
        ...['--as', user, '--output-dir', output.path(), ...words],
      ],
      { env: environment(world().admin), extendEnv: false, reject: false, stdin: 'ignore' },
    );

  /** What doctor says of the user's rights for debug pods: it must agree with what happens. */
  const statusBy = async (user: string) => {
    const words = ['gkeprof', 'doctor', '--as', user, '--image', world().images.tools, '-o', 'json'];
    const run = await execa('kubectl', words, {
      env: environment(world().admin),
      extendEnv: false,
      reject: false,
    });
    const { checks } = JSON.parse(run.stdout) as { checks: ReadonlyArray<{ check: string; status: string }> };
    return checks.find(({ check }) => check === 'rights-debug-pods')?.status;
  };

  it.each([
    ['create', 'pods'],
    ['delete', 'pods'],
    ['get', 'pods/log'],
    ['create', 'pods/exec'],
  ])('%s %s: said before anything is created, exit 3', async (verb, resource) => {
    const run = await pcap(userWithout(verb, resource), ['-v']);
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toContain(`error: you may not ${verb} ${resource} in namespace "gkeprof"`);
    expect(run.stderr).toMatch(/^hint: .*kubectl gkeprof manifests/m);
    expect(run.stderr).not.toContain('CREATE pods');
    expect(await statusBy(userWithout(verb, resource))).toBe('problem');
  });

  // The words of events while it waits, and one of the two ways of an exec can be done without.
  it.each([
    ['list', 'events'],
    ['get', 'pods/exec'],
  ])('%s %s: done without', async (verb, resource) => {
    const run = await pcap(userWithout(verb, resource));
    expect([run.exitCode, run.stderr]).toEqual([0, expect.stringContaining('packets captured')]);
    expect(await statusBy(userWithout(verb, resource))).toBe('warning');
  });

  it('get pods where the target is, in the words of the API server', async () => {
    const run = await pcap('gkeprof-e2e-nobody');
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toMatch(/^error: Error from server \(Forbidden\): pods "redis-0" is forbidden: User/m);
    expect(run.stderr).toMatch(/^hint: /m);
  });
});
