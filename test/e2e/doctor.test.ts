import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import type { Check } from '../../src/doctor/check.ts';
import { faults } from '../schemas.ts';
import {
  debugPods,
  environment,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  pluginDir,
  type RunOptions,
  start,
  world,
} from './world.ts';

/** The checks by their names, and the exit code. */
async function doctor(words: readonly string[], options: RunOptions = {}) {
  const run = await gkeprof(['doctor', ...words, '-o', 'json'], { kubeconfig: world().sreShell, ...options });
  const data = JSON.parse(run.stdout) as { readonly checks: readonly Check[] };
  expect(faults('doctor', data)).toEqual([]);
  expect(run.stderr).not.toMatch(/\n {4}at /);
  // A start that takes longer than four seconds is reported.
  if (run.code === 0)
    expect(run.stderr.replace(/^(?:creating|waiting for) the debug pod .*\n?/gm, '')).toBe('');
  return {
    code: run.code,
    checks: new Map(data.checks.map((each) => [each.check, each])),
    notOk: data.checks.filter(({ status }) => status !== 'ok'),
  };
}

const sysctl = (name: string): string => readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trim();

describe('a cluster in which nothing is wrong', () => {
  leavesNothing();

  it('is all ok, as kubectl says too, and no pod is created', async () => {
    const { code, checks, notOk } = await doctor([]);
    expect(notOk).toEqual([]);
    expect(code).toBe(0);
    const version = JSON.parse(await kubectl(['version', '--client', '-o', 'json']));
    expect(checks.get('kubectl')!.found).toBe(version.clientVersion.gitVersion);
    expect(checks.get('identity')!.found).toBe('sre-shell');
    const runtime = await kubectl(['get', 'nodes', '-o', 'jsonpath={..containerRuntimeVersion}']);
    expect(runtime.split(' ')).toContain(checks.get('runtime')!.found.replace('2 nodes: ', ''));
    expect(await debugPods()).toEqual([]);
  });

  it('is all ok for a pod and its node, whose kernel is that of this machine', async () => {
    const { code, checks, notOk } = await doctor(['pod/redis-0', '-n', NAMESPACE]);
    expect(notOk).toEqual([]);
    expect(code).toBe(0);
    expect(checks.get('debug-pod')!.found).toContain('answered');
    expect(checks.get('kptr-restrict')!.found).toBe(sysctl('kptr_restrict'));
    expect(checks.get('perf-event-paranoid')!.found).toMatch(`${sysctl('perf_event_paranoid')}, which`);
  });

  it('is ok for a cordoned node, also with least privilege', async () => {
    const [, node] = world().nodes;
    await kubectl(['cordon', node]);
    try {
      const { code, checks } = await doctor([`node/${node}`, '--least-privilege']);
      expect(code).toBe(0);
      expect(checks.get('node')!.found).toBe('ready, cordoned (debug pods start there nevertheless)');
      expect(checks.get('debug-pod')!.status).toBe('ok');
      expect(checks.get('kptr-restrict')!.found).toBe(sysctl('kptr_restrict'));
    } finally {
      await kubectl(['uncordon', node]);
    }
  });
});

describe('a problem', () => {
  leavesNothing();
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-e2e-doctor-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is a right that is missing, until its fix is typed', async () => {
    const user = 'gkeprof-e2e-doctor';
    const asUser = ['--as', user];
    const admin = { kubeconfig: world().admin };
    try {
      const before = await doctor(asUser, admin);
      expect(before.code).toBe(3);
      for (const name of ['rights-targets', 'rights-debug-pods']) {
        const { status, fix = '' } = before.checks.get(name)!;
        expect(status).toBe('problem');
        await execa('sh', ['-c', fix], { env: environment(world().admin), extendEnv: false });
      }
      expect(before.checks.get('admission-pcap')!.status).toBe('unknown');
      // The API server hears of new rights a moment later.
      const after = await eventually(
        () => doctor(asUser, admin),
        ({ code }) => code === 0,
      );
      expect(after.notOk.map(({ check }) => check)).toEqual(['rights-terminals']);
      expect(after.code).toBe(0);
    } finally {
      await kubectl(['delete', 'clusterrolebinding', `gkeprof-targets-${user}`, '--ignore-not-found']);
      const binding = `gkeprof-debug-pods-${user}`;
      await kubectl(['delete', 'rolebinding', '-n', 'gkeprof', binding, '--ignore-not-found']);
    }
  });

  it('is a namespace with the wrong level of Pod Security, or none of this name', async () => {
    const admin = { kubeconfig: world().admin };
    const baseline = await doctor(['--debug-namespace', 'gkeprof-e2e-baseline'], admin);
    expect(baseline.code).toBe(3);
    expect(baseline.checks.get('pod-security')).toMatchObject({
      status: 'problem',
      found: 'enforces "baseline", but debug pods need "privileged"',
    });
    expect(baseline.checks.get('admission-flamegraph')!.found).toContain('violates PodSecurity "baseline');
    const missing = await doctor(['--debug-namespace', 'gkeprof-e2e-none'], admin);
    expect([missing.code, missing.checks.get('namespace')!.status]).toEqual([3, 'problem']);
  });

  it('is an image that the admission policy does not allow', async () => {
    const { code, checks } = await doctor(['--image', 'registry.example/other:1']);
    expect(code).toBe(3);
    expect(checks.get('admission-pcap')).toMatchObject({
      status: 'problem',
      found: expect.stringMatching(/denied|policy/i),
    });
  });

  it('is a target that does not exist, and everything else is known nevertheless', async () => {
    const { code, checks, notOk } = await doctor(['pod/redis-9', '-n', NAMESPACE]);
    expect(code).toBe(3);
    expect(checks.get('target')).toMatchObject({
      status: 'problem',
      fix: expect.stringContaining('redis-0'),
    });
    expect(checks.get('rights-debug-pods')!.status).toBe('ok');
    expect(notOk.filter(({ status }) => status === 'problem')).toHaveLength(1);
  });

  it('is a kubectl that is too old', async () => {
    const script = `#!/bin/sh
[ "$1" != version ] || { echo '{"clientVersion":{"gitVersion":"v1.22.17"}}'; exit; }
exec ${world().kubectl} "$@"
`;
    writeFileSync(join(folder, 'kubectl'), script, { mode: 0o755 });
    const env = environment(world().sreShell);
    const run = await execa(join(pluginDir, 'kubectl-gkeprof'), ['doctor', '--image', world().images.tools], {
      env: { ...env, PATH: [folder, env.PATH].join(delimiter) },
      extendEnv: false,
      reject: false,
    });
    expect(run.exitCode).toBe(3);
    expect(run.stdout).toMatch(/^kubectl +problem +v1\.22\.17 is older than 1\.23 +Install kubectl 1\.23/m);
    expect(run.stderr).toContain('error: 1 of 19 checks found a problem');
  });
});

describe('the process', () => {
  leavesNothing();

  it('deletes the debug pod at Ctrl-C', async () => {
    const run = start(['doctor', 'pod/redis-0', '-n', NAMESPACE]);
    let said = '';
    run.stderr!.on('data', (text) => {
      said += text;
    });
    expect(
      await eventually(
        async () => said,
        (text) => text.includes('creating the debug pod'),
      ),
    ).toContain('creating the debug pod');
    run.kill('SIGINT');
    const { exitCode, stdout } = await run;
    expect([exitCode, stdout]).toEqual([130, '']);
  });

  it('prints plain lines into a pipe, and ends quietly when nobody reads them', async () => {
    const sh = (line: string) =>
      execa('sh', ['-c', line], {
        env: { ...environment(world().sreShell), GKEPROF_IMAGE: world().images.tools },
        extendEnv: false,
        reject: false,
      });
    const all = await sh('kubectl gkeprof doctor | cat');
    expect(all.stdout).not.toContain('\u001b');
    expect(all.stdout.split('\n')).toHaveLength(20);
    const first = await sh('kubectl gkeprof doctor --quiet | head -n 1');
    expect([first.stdout.split(/ +/), first.stderr]).toEqual([['CHECK', 'STATUS', 'FOUND', 'FIX'], '']);
  });
});
