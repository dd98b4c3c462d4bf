import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { own, crictl as runtime } from './runtime.ts';
import {
  environment,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  type Run,
  world,
} from './world.ts';

const on = (target: string, ...words: string[]) =>
  gkeprof(['crictl', target, '-n', NAMESPACE, '--', ...words]);
const node = () => `node/${world().nodes[0]}`;
const redis = async (name = 'redis') =>
  (
    await kubectl([
      'get',
      'pod',
      '-n',
      NAMESPACE,
      'redis-0',
      '-o',
      `jsonpath={.status.containerStatuses[?(@.name=="${name}")].containerID}`,
    ])
  ).replace('containerd://', '');
/** With the container of redis-0 named. */
const inRedis = (...words: string[]) =>
  gkeprof(['crictl', 'redis-0', '-n', NAMESPACE, '-c', 'redis', '--', ...words]);

const HEADER = /^CONTAINER +IMAGE +CREATED +STATE +NAME +ATTEMPT +POD ID/;
/** The sandbox of redis-0. One that ended may be there still, until the kubelet removes it. */
const podId = () =>
  runtime(
    world().nodes[0],
    ...['pods', '--quiet', '--no-trunc', '--state', 'ready', '--namespace', NAMESPACE, '--name', 'redis-0'],
  );
const rows = ({ stdout }: Run) => stdout.trim().split('\n').slice(1);

/** The runbook's quick reference, line by line, and `crictl ps --id` of its demo: run, and judged. */
const LINES: Readonly<Record<string, () => Promise<void>>> = {
  'crictl ps': async () => {
    const run = await on(node(), 'ps');
    expect(run.stdout).toMatch(HEADER);
    expect(run.stdout).toContain(own(await redis()));
    expect(run.stderr).toMatch(/node-a: \/home\/kubernetes\/bin\/crictl .* ps$/m);
  },
  'crictl ps --pod $POD_ID': async () => {
    const [inserted, typed] = await Promise.all([
      on('redis-0', 'ps'),
      on(node(), 'ps', '--pod', own(await podId())),
    ]);
    expect(rows(inserted).length).toBe(2);
    expect(inserted.stderr).toMatch(/ ps --pod [0-9a-f]{64}/);
    expect(rows(typed).map((row) => own(row))).toEqual(rows(inserted).map((row) => own(row)));
  },
  'crictl pods': async () => expect((await on(node(), 'pods')).stdout).toMatch(/^POD ID .* redis-0 /s),
  'crictl pods --namespace redis': async () => {
    const named = await on(node(), 'pods', '--namespace', NAMESPACE);
    expect(named.stdout).toContain('redis-0');
    expect(named.stdout).not.toContain('gkeprof-crictl');
  },
  'crictl pods --label app=redis': async () => {
    const labelled = await on(node(), 'pods', '--label', 'app=redis');
    expect(labelled.stdout).toContain(' redis-0 ');
    expect(rows(labelled).filter((row) => !/ redis-0 /.test(row))).toEqual([]);
    // Sandboxes of pods that were deleted are there until the kubelet removes them.
    const ready = rows(labelled).filter((row) => / Ready /.test(row));
    expect(ready.map((row) => own(row))).toEqual([own(await podId())]);
  },
  'POD_ID=$( crictl pods --latest --quiet --namespace redis )': async () =>
    expect((await on(node(), 'pods', '--latest', '--quiet', '--namespace', NAMESPACE)).stdout).toMatch(
      /^[0-9a-f]{64}$/,
    ),
  'CONTAINER_ID=$( crictl ps --latest --quiet --name redis )': async () =>
    expect((await on(node(), 'ps', '--latest', '--quiet', '--name', 'redis')).stdout).toBe(await redis()),
  'crictl inspectp $POD_ID': async () => {
    const [inserted, typed] = await Promise.all([
      on('redis-0', 'inspectp'),
      on(node(), 'inspectp', await podId()),
    ]);
    expect(JSON.parse(inserted.stdout).status.metadata.name).toBe('redis-0');
    expect(JSON.parse(typed.stdout).status.id).toBe(JSON.parse(inserted.stdout).status.id);
  },
  'crictl inspect $CONTAINER_ID': async () => {
    const id = await redis();
    const runs = await Promise.all([inRedis('inspect'), on(node(), 'inspect', own(id))]);
    expect(runs.map(({ stdout }) => JSON.parse(stdout).status.id)).toEqual([id, id]);
  },
  'crictl inspecti $IMAGE_ID': async () => {
    const image = JSON.parse((await inRedis('inspect')).stdout).status.imageRef as string;
    expect(JSON.parse((await on(node(), 'inspecti', image)).stdout).status.id).toBe(image);
  },
  'crictl exec -it $CONTAINER_ID ps -ef': async () => {
    const run = await on(node(), 'exec', '-it', await redis(), 'ps', '-ef');
    // Where the image has no ps, crictl says so: that is its answer, and its status.
    if (run.code === 0) expect(run.stdout).toMatch(/redis-server \*:6379/);
    else expect(run.stderr).toMatch(/ps\W+: executable file not found/);
    expect(run.stderr).toContain('-t: there is no terminal here, so crictl runs without one');
  },
  'crictl exec -it $CONTAINER_ID which redis-cli': async () => {
    const [typed, inserted] = await Promise.all([
      on(node(), 'exec', '-it', await redis(), 'which', 'redis-cli'),
      inRedis('exec', 'which', 'redis-cli'),
    ]);
    expect(typed.stdout).toMatch(/redis-cli\r?$/);
    expect(inserted.stdout).toMatch(/redis-cli$/);
  },
  'crictl --help': async () => expect((await on(node(), '--help')).stdout).toContain('client for CRI'),
  'crictl ps --help': async () => expect((await on('redis-0', 'ps', '--help')).stdout).toContain('--latest'),
  'crictl ps --id $CONTAINER_ID': async () => {
    const id = own(await redis());
    const runs = await Promise.all([on(node(), 'ps', '--id', id), inRedis('ps')]);
    expect(runs.map((run) => rows(run).map((row) => own(row)))).toEqual([[id], [id]]);
  },
};

describe('the quick reference of the runbook', () => {
  leavesNothing();
  it.each(Object.entries(LINES))('%s', (_line, check) => check());
});

describe('crictl', () => {
  leavesNothing();

  it('passes the status of a command on, and words as they are', async () => {
    const [run, other, missing] = await Promise.all([
      inRedis('exec', 'sh', '-c', 'printf %s "$1"; exit 9', 'sh', '$(id) `id` "x\ny" \u001b[1m'),
      inRedis('exec', '-s', 'sh', '-c', 'exit 17'),
      on(node(), 'inspect', 'ffffffffffff'),
    ]);
    expect([run.code, run.stdout]).toEqual([9, '$(id) `id` "x\ny" \u001b[1m']);
    expect(run.stderr).not.toContain('\u001b');
    expect([other.code, missing.code]).toEqual([17, 1]);
  });

  it('shows the log of a container, and help about what it may not do', async () => {
    const runs = await Promise.all([inRedis('logs'), inRedis('exec', '--help'), on(node(), 'rm', '-h')]);
    const [log, exec, rm] = runs.map(({ stdout }) => stdout);
    expect(log).toContain('Ready to accept connections');
    expect(exec).toContain('crictl exec');
    expect(rm).toContain('crictl rm');
  });

  it('uses the image’s crictl where the node has none', async () => {
    const run = await on(`node/${world().nodes[1]}`, 'version');
    expect(run.stdout).toContain('RuntimeName:  containerd');
    expect(run.stderr).toContain('/usr/local/bin/crictl');
  });

  it('hands input on, and every byte of the output', async () => {
    const data = Buffer.alloc(3_000_000, 'gkeprof ');
    const result = await execa(
      'kubectl',
      [
        'gkeprof',
        'crictl',
        'redis-0',
        '-n',
        NAMESPACE,
        '-c',
        'redis',
        '--image',
        world().images.tools,
        '--',
        'exec',
        '-i',
        'cat',
      ],
      {
        env: environment(world().sreShell),
        extendEnv: false,
        input: data,
        encoding: 'buffer',
        stripFinalNewline: false,
        reject: false,
        maxBuffer: 1e8,
      },
    );
    expect(Buffer.from(result.stderr).toString()).not.toContain('error');
    expect(Buffer.from(result.stdout).equals(data)).toBe(true);
    expect(result.exitCode).toBe(0);
  });

  it('reads with nothing but the role of `manifests`', async () => {
    const run = await gkeprof(['crictl', node(), '--', 'ps', '-q'], { kubeconfig: world().sre });
    expect([run.code, run.stdout.split('\n')]).toEqual([0, expect.arrayContaining([await redis()])]);
  });

  it('changes nothing, and enters no pod that its user may not', async () => {
    const [rm, refused, nobodys] = await Promise.all([
      on(node(), 'rm', 'x'),
      gkeprof(['crictl', node(), '--', 'exec', await redis(), 'true'], { kubeconfig: world().sreNoTarget }),
      on(node(), 'exec', 'abcdef123456', 'true'),
    ]);
    expect([rm.code, rm.stderr]).toEqual([125, expect.stringContaining('--dangerous')]);
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining('you may not create pods/exec for pod "redis-0"'),
    ]);
    expect([nobodys.code, nobodys.stderr]).toEqual([
      125,
      expect.stringContaining('is not the id of a container'),
    ]);
  });

  it('with --dangerous changes the node, and still enters no pod that its user may not', async () => {
    const [rmi, refused] = await Promise.all([
      gkeprof(['crictl', node(), '--dangerous', '--', 'rmi', 'localhost/no-such-image:1']),
      gkeprof(['crictl', node(), '--dangerous', '--', 'exec', await redis(), 'true'], {
        kubeconfig: world().sreNoTarget,
      }),
    ]);
    expect([rmi.code, rmi.stderr]).toEqual([1, expect.stringMatching(/no such image|not found/)]);
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining('you may not create pods/exec for pod "redis-0"'),
    ]);
  });

  it('is not outwitted on the node: a pod made by hand with other rights', async () => {
    const run = await gkeprof(['crictl', node(), '--dry-run', 'client', '--', 'ps']);
    // Where no policy refuses it.
    const text = run.stdout
      .replace(/- ps\n/, '- rmi\n        - --all\n')
      .replace(/gkeprof-crictl-[\w-]+/, 'gkeprof-by-hand')
      .replace('namespace: gkeprof\n', `namespace: ${NAMESPACE}\n`);
    await kubectl(['create', '-f', '-'], text);
    try {
      const log = () =>
        kubectl(['logs', '-n', NAMESPACE, 'gkeprof-by-hand', '-c', 'capture']).catch(() => '');
      expect(await eventually(log, (said) => said.includes('refused'))).toContain('"code":"bad-argument"');
    } finally {
      await kubectl(['delete', 'pod', '-n', NAMESPACE, 'gkeprof-by-hand']);
    }
  });
});
