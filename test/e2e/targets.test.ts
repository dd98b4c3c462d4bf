import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCluster } from '../../src/cluster/api.ts';
import { parseTargets } from '../../src/plan/target.ts';
import { changedSet, findTargetSet } from '../../src/workflow/find-targets.ts';
import { environment, eventually, gkeprof, kubectl, world } from './world.ts';

const OWN = 'gkeprof-e2e-targets';

const objects = () => {
  const template = (name: string) => ({
    metadata: { labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: world().images.debian,
          imagePullPolicy: 'IfNotPresent',
          command: ['sleep', 'inf'],
        },
      ],
    },
  });
  const metadata = (name: string) => ({ name, namespace: OWN, labels: { team: name } });
  const workload = (kind: string, name: string, replicas: number) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: metadata(name),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: template(name),
      ...(kind === 'StatefulSet' && { serviceName: name }),
    },
  });
  const job = (name: string) => {
    const { metadata: labels, spec } = template(name);
    return { template: { metadata: labels, spec: { ...spec, restartPolicy: 'Never' } } };
  };
  const service = (name: string, spec: object) => ({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: metadata(name) },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: OWN } },
    workload('Deployment', 'web', 2),
    workload('Deployment', 'idle', 0),
    workload('StatefulSet', 'db', 1),
    service('web', { selector: { app: 'web' } }),
    service('headless', { selector: { app: 'web' }, clusterIP: 'None' }),
    service('outside', {}),
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: metadata('tidy'),
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: job('tidy') } },
    },
  ];
};

const cluster = (kubeconfig = world().sre) =>
  openCluster({ kubeconfig, namespace: OWN }, { env: environment(kubeconfig), windows: false });

const PODS = 4;
const podNames = async (...words: string[]) =>
  (await kubectl(['get', 'pods', '-n', OWN, '-o', 'name', ...words])).split('\n').filter(Boolean).toSorted();

beforeAll(async () => {
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects() }));
  await kubectl(['create', 'job', '-n', OWN, '--from=cronjob/tidy', 'tidy-1']);
  const running = () => podNames('--field-selector', 'status.phase=Running');
  expect(await eventually(running, (names) => names.length === PODS)).toHaveLength(PODS);
}, 600_000);
afterAll(() => kubectl(['delete', 'namespace', OWN, '--wait=false']));

/** What the same words stand for here, for a user who has only what `manifests` grants. */
async function found(line: string, flags = {}): Promise<string[]> {
  const door = await cluster();
  try {
    const { targets } = await findTargetSet(
      parseTargets(line ? line.split(' ') : [], flags),
      undefined,
      door,
    );
    return targets.map((each) => (each.kind === 'pod' ? `pod/${each.name}` : each.node));
  } finally {
    await door.close();
  }
}

describe('targets', () => {
  it.each<[string, object, string[]]>([
    ['deploy/web', {}, ['-l', 'app=web']],
    ['deployments.v1.apps/web statefulset.apps/db', {}, ['-l', 'app in (web,db)']],
    ['deploy', {}, ['-l', 'app=web']],
    ['deploy,sts', { selector: 'team=db' }, ['-l', 'app=db']],
    ['svc/web', {}, ['-l', 'app=web']],
    ['svc/headless', {}, ['-l', 'app=web']],
    ['svc', {}, ['-l', 'app=web']],
    ['cj/tidy', {}, ['-l', 'app=tidy']],
    ['job/tidy-1', {}, ['-l', 'app=tidy']],
    ['cronjobs', { selector: 'team=tidy' }, ['-l', 'app=tidy']],
    ['pods', {}, []],
    ['', { selector: 'app notin (web)' }, ['-l', 'app notin (web)']],
  ])('%s %o are the pods of kubectl get pods', async (line, flags, words) =>
    expect(await found(line, flags)).toEqual(await podNames(...words)),
  );

  it('in all namespaces are those of kubectl', async () => {
    const all = await kubectl(['get', 'pods', '-A', '-l', 'app in (web,db)', '-o', 'name']);
    expect((await found('pods', { selector: 'app in (web,db)', allNamespaces: true })).toSorted()).toEqual(
      all.split('\n').toSorted(),
    );
  });

  it.each([
    ['deploy/wbe', 'deployment "wbe" not found', 'did you mean web?'],
    ['deploy/idle', 'deployment "idle" has no running pod', 'kubectl get deployments,pods'],
    ['cronjob/tide', 'cronjob "tide" not found', 'did you mean tidy?'],
    ['svc/wbe', 'service "wbe" not found', 'did you mean web?'],
    ['svc/outside', 'has no selector', 'kubectl get endpointslices'],
  ])('%s is refused with a hint', async (target, reason, hint) => {
    const run = await gkeprof(['ps', target, '-n', OWN]);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(new RegExp(`error: .*${reason}.*\nhint: .*${hint}`));
  });

  it.each(['pod x/y', 'pod/x y pod', 'pod x -A', 'pod/x -A', 'pod x -l a=b', 'deploy,sts x -A', 'pod/x pod'])(
    'kubectl’s words for what is wrong: %s',
    async (line) => {
      const words = line.split(' ');
      const theirs = await execa(world().kubectl, ['get', ...words], {
        env: { KUBECONFIG: world().admin },
        reject: false,
      });
      const own = await gkeprof(['ps', ...words]);
      expect([own.code, theirs.exitCode]).toEqual([2, 1]);
      const [, reason] = /^error: (.*?)(?: \(e\.g\. .*)?$/m.exec(theirs.stderr)!;
      expect(own.stderr).toContain(`error: ${reason}\n`);
    },
  );

  it.each([
    'deploy/x',
    'Deployments x',
    'deployments.v1.apps/x',
    'pods./x',
    'Service/x',
    'cj.batch x',
    'rc/x',
    'foo/x',
    'deployment.foo/x',
    'deployments.v2.apps/x',
    'pod.apps/x',
    'jobs.v1beta1.batch x',
  ])('is a kind here where it is one for kubectl: %s', async (line) => {
    const words = line.split(' ');
    const theirs = await execa(world().kubectl, ['get', ...words], {
      env: { KUBECONFIG: world().admin },
      reject: false,
    });
    const isKind = () => {
      try {
        return parseTargets(words).refs.length > 0;
      } catch {
        return false;
      }
    };
    expect(isKind()).toBe(theirs.stderr.includes('(NotFound)'));
  });

  it('tells which pod has appeared', async () => {
    const door = await cluster();
    const refs = parseTargets(['deploy/web', 'cj/tidy']);
    const before = await findTargetSet(refs, undefined, door);
    expect(await changedSet(before, refs, door)).toEqual({ changes: [] });
    const names = await podNames();
    await kubectl(['scale', '-n', OWN, 'deploy/web', '--replicas=3']);
    const [fresh] = (await eventually(podNames, (now) => now.length > names.length)).filter(
      (name) => !names.includes(name),
    );
    expect(await changedSet(before, refs, door)).toEqual({
      changes: [`pod ${fresh!.slice('pod/'.length)} appeared during the capture`],
    });
    await door.close();
  });

  it('ps shows the processes of all pods of a service', async () => {
    const pending = () => podNames('--field-selector', 'status.phase!=Running');
    expect(await eventually(pending, (names) => names.length === 0)).toEqual([]);
    const run = await gkeprof(['ps', 'svc/web', 'cj/tidy', '-n', OWN, '--sort=pid']);
    expect([run.code, run.stderr]).toEqual([0, expect.not.stringContaining('left out')]);
    for (const name of [...(await podNames('-l', 'app=web')), ...(await podNames('-l', 'app=tidy'))])
      expect(run.stdout).toContain(` ${name.slice('pod/'.length)} `);
  });
});
