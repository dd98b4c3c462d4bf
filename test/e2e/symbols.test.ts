import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  captures,
  createNamespace,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  outputFolder,
  start,
  world,
} from './world.ts';

const SOURCE = fileURLToPath(new URL('../collectors/perf/program.c', import.meta.url));
const PODS = 'gkeprof-e2e-symbols';

let builds: string;

/** Two builds of one program, whose functions use 60, 30 and 10 % of its CPU time. */
const build = (name: string) => {
  const path = join(builds, name);
  const names = ['60', '30', '10'].map((share) => `-DNAME_${share}=${name}_${share}`);
  execFileSync('gcc', ['-O1', '-fno-omit-frame-pointer', '-static', ...names, '-o', path, SOURCE]);
  return readFileSync(path).toString('base64');
};

const inPod = (pod: string, script: string, input?: string) =>
  kubectl(['exec', '-i', '-n', PODS, pod, '--', 'sh', '-c', script], input ?? '');

/** A pod that starts `/server WORDS` as soon as it is there, with `/app` for it to run. */
async function runPod(pod: string, node: string, words: string, programs: Readonly<Record<string, string>>) {
  const command = ['sh', '-c', `until [ -e /ready ]; do sleep 0.1; done; exec /server ${words}`];
  const spec = {
    nodeName: node,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        ...{ name: 'program', image: world().images.debian, imagePullPolicy: 'IfNotPresent', command },
        // Without a request, it gets next to nothing on a busy machine.
        resources: { requests: { cpu: '250m' } },
      },
    ],
  };
  await kubectl(
    ['apply', '-n', PODS, '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: pod }, spec }),
  );
  await kubectl(['wait', '-n', PODS, '--for=condition=Ready', `pod/${pod}`, '--timeout=240s']);
  for (const [path, text] of Object.entries(programs))
    await inPod(pod, `base64 -d >${path} && chmod +x ${path}`, text);
  await inPod(pod, 'touch /ready');
}

/** The innermost functions of the samples that are in the pod's programs. */
function topsOf(
  folder: string,
  files: readonly string[],
): { names: string[]; text: string; receipt: Receipt } {
  const file = (ending: string) => readFileSync(join(folder, files.find((name) => name.endsWith(ending))!));
  const text = gunzipSync(file('.perf-script.txt.gz')).toString('utf8');
  const names = [
    ...text.matchAll(/^\S.*:\s*\n\s+[0-9a-f]+ (.*) \(\/(?:app|server)(?: \(deleted\))?\)$/gm),
  ].map(([, name]) => name!.replace(/\+0x[0-9a-f]+$/, ''));
  return { names, text, receipt: JSON.parse(file('.receipt.json').toString('utf8')) };
}
interface Receipt {
  readonly capture: { readonly symbolFiles?: { readonly copied: number; readonly bytes: number } };
}

const shareOf = (names: readonly string[], wanted: RegExp) =>
  names.filter((name) => wanted.test(name)).length / names.length;

const expectShares = (names: readonly string[], of: string) => {
  expect(names.length).toBeGreaterThan(1000);
  expect(shareOf(names, /unknown/)).toBe(0);
  for (const share of [60, 30, 10]) {
    const wanted = share / 100;
    // Five points, and of few samples five standard errors.
    const most = Math.max(0.05, 5 * Math.sqrt((wanted * (1 - wanted)) / names.length));
    expect(Math.abs(shareOf(names, new RegExp(`^${of}_${share}$`)) - wanted)).toBeLessThan(most);
  }
};

describe('the names of functions', () => {
  leavesNothing();
  const output = outputFolder();
  let first: string;
  let second: string;

  beforeAll(async () => {
    builds = mkdtempSync(join(tmpdir(), 'gkeprof-builds-'));
    [first, second] = [build('first'), build('second')];
    await createNamespace(PODS);
  });
  afterAll(async () => {
    rmSync(builds, { recursive: true });
    await kubectl(['delete', 'namespace', PODS, '--wait=false']);
  });

  const words = (pod: string) => [
    // What perf cannot name by itself: the eBPF unwinder reads the files while they are there.
    ...[
      'flamegraph',
      `pod/${pod}`,
      '-n',
      PODS,
      '--duration',
      '15s',
      '--frequency',
      '997',
      '--call-graph',
      'fp',
    ],
    ...['--output-dir', output.path()],
  ];

  it('of a server that starts a program for each request are there, with their shares', async () => {
    await runPod('requests', world().nodes[0], 'serve 5', { '/server': second, '/app': first });
    const run = await gkeprof(words('requests'));
    expect(run.code, run.stderr).toBe(0);
    const { names, receipt } = topsOf(output.path(), output.files());
    expectShares(names, 'first');
    expect(receipt.capture.symbolFiles!.copied).toBeGreaterThan(0);
    await kubectl(['delete', 'pod', '-n', PODS, 'requests']);
  });

  it('of a program that is replaced meanwhile are its own, and never those of the other', async () => {
    await runPod('replaced', world().nodes[0], 'run 10000000', { '/server': first, '/app': first });
    const run = start(words('replaced'));
    await captures(run);
    await inPod('replaced', 'base64 -d >/new && chmod +x /new && mv /new /app', second);
    expect((await run).exitCode).toBe(0);
    await eventually(
      async () => output.files().length,
      (count) => count === 3,
    );
    const { names, text } = topsOf(output.path(), output.files());
    expectShares(names, 'first');
    expect(text).not.toMatch(/\bsecond_/);
    await kubectl(['delete', 'pod', '-n', PODS, 'replaced']);
  });
});
