import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultProxy, throughProxy } from './fault-proxy.ts';
import {
  captureProcesses,
  debugPods,
  environment,
  eventually,
  gkeprof,
  kubectl,
  NAMESPACE,
  outputFolder,
  start,
  world,
} from './world.ts';

/**
 * One capture for each stage and fault, through a proxy that makes the fault when the capture is in that stage. Of each
 * must hold: a verified file, or one true sentence why there is none and the command that still gets it; nothing partial
 * under a final name; no debug pod left; the exit code of the documentation.
 */
type Stage = 'create' | 'start' | 'capturing' | 'copy' | 'delete';
const STAGES: readonly Stage[] = ['create', 'start', 'capturing', 'copy', 'delete'];

const FAULTS: Readonly<Record<string, (proxy: FaultProxy) => unknown>> = {
  'a reset': (proxy) => proxy.reset(),
  'an API server away for 10 s': (proxy) => proxy.away(10_000),
};

interface Cell {
  readonly proxy: FaultProxy;
  readonly run: ReturnType<typeof start>;
  readonly folder: string;
  readonly said: () => string;
}

/** Starts a capture through a proxy of its own. */
async function begin(folder: string, words: readonly string[] = ['--duration', '4s']): Promise<Cell> {
  mkdirSync(folder);
  const kubeconfig = `${folder}.kubeconfig`;
  const proxy = await throughProxy(world().sre, kubeconfig);
  const run = start(
    ['pcap', 'redis-0', '-n', NAMESPACE, '--port', '6379', '--output-dir', folder, ...words],
    { kubeconfig },
  );
  let text = '';
  run.stderr!.on('data', (chunk) => {
    text += chunk;
  });
  return { proxy, run, folder, said: () => text };
}

/** The name of the debug pod that is being created. */
const podOf = ({ said }: Cell): string | undefined =>
  /creating the debug pod gkeprof\/(\S+)/.exec(said())?.[1];

const finals = (folder: string) => readdirSync(folder).filter((name) => !name.startsWith('.'));

class MissedStage extends Error {}

/** Does something in a stage of a capture. The last ones may be over between two looks on a busy machine: then there is another capture. */
async function inStage<T>(stage: Stage, folder: string, act: (cell: Cell) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const cell = await begin(`${folder}-${tries}`);
    try {
      await reaches(stage, cell);
      return await act(cell);
    } catch (error) {
      if (tries === 4 || !(error instanceof MissedStage)) throw error;
    } finally {
      await cell.proxy.close();
    }
  }
}

/** Slow enough that a copy is met, however busy this process is. */
const SLOW_COPY = 20_000;

/** Until a capture is in a stage, by what it says and by what an administrator sees. */
async function reaches(stage: Stage, cell: Cell): Promise<void> {
  const { said, folder, run } = cell;
  let isOver = false;
  void run.then(() => {
    isOver = true;
  });
  const isReached: Record<Stage, () => boolean | Promise<boolean>> = {
    create: () => podOf(cell) !== undefined,
    start: async () => {
      const name = podOf(cell);
      return name !== undefined && (await isThere(name)) !== '';
    },
    capturing: () => said().includes('capturing for'),
    copy: () => said().includes('copying and verifying'),
    delete: () => finals(folder).some((name) => name.endsWith('.pcap.gz')),
  };
  while (!isOver && !(await isReached[stage]())) {
    if (stage === 'copy' && isReached.capturing()) cell.proxy.bytesPerSecond = SLOW_COPY;
    await delay(5);
  }
  if (isOver) throw new MissedStage(`over before ${stage}: ${said()}`);
}

/** The one packet file of a folder, after its SHA-256 was compared with the receipt, and nothing beside it is unfinished. */
function verified(folder: string): string {
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  const receipt = finals(folder).find((name) => name.endsWith('.receipt.json'))!;
  const { artifact } = JSON.parse(readFileSync(join(folder, receipt), 'utf8'));
  const sum = createHash('sha256')
    .update(readFileSync(join(folder, artifact.file)))
    .digest('hex');
  expect(sum).toBe(artifact.sha256);
  return artifact.file;
}

describe('faults between the client and the API server', () => {
  const output = outputFolder();
  const slowFolder = mkdtempSync(join(tmpdir(), 'gkeprof-e2e-slow-'));
  let slow: Promise<Cell>;
  // It takes more than a minute, so it goes on beside the others and is judged as the last one.
  beforeAll(() => {
    slow = slowCopy(join(slowFolder, 'slow'));
    slow.catch(() => {});
  });
  afterAll(() => rmSync(slowFolder, { recursive: true, force: true }));

  it.each(Object.keys(FAULTS))('%s in each stage: the file is here and verified, exit 0', async (fault) => {
    const outcomes = await Promise.all(
      STAGES.map((stage) =>
        inStage(stage, join(output.path(), stage), async (cell) => {
          await FAULTS[fault]!(cell.proxy);
          cell.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
          const { exitCode } = await cell.run;
          return { stage, exitCode, cell };
        }),
      ),
    );
    for (const { stage, exitCode, cell } of outcomes) {
      expect(exitCode, `${fault} at ${stage}:\n${cell.said()}`).toBe(0);
      expect(verified(cell.folder)).toMatch(/\.pcap\.gz$/);
      expect(cell.said().match(/is tried again/g)?.length ?? 0, cell.said()).toBeLessThanOrEqual(1);
      await podIsGone(cell);
    }
  });

  it('a black hole, and Ctrl-C: the prompt is back in seconds, with the command that deletes the pod', async () => {
    const cell = await begin(join(output.path(), 'hole'));
    try {
      await reaches('start', cell);
      cell.proxy.hole();
      await delay(1000);
      cell.run.kill('SIGINT');
      // Whatever waits for the API server waits for as long as the hole is there, which is until the end of this test. The client
      // waits for seconds; a minute is what a busy machine may make of them.
      const ended = await Promise.race([cell.run, delay(60_000)]);
      expect(ended?.exitCode, cell.said()).toBe(130);
      expect(cell.said()).toMatch(
        /the debug pod was not removed \(.*\)\. gkeprof\/\S+ may still be there, and ends by itself within \S+; this deletes it now: kubectl /,
      );
      expect(readdirSync(cell.folder)).toEqual([]);
      cell.proxy.fill();
      await typed(/this deletes it now: (kubectl .*)$/m, cell);
      await podIsGone(cell);
    } finally {
      await cell.proxy.close();
    }
  });

  it('a black hole of 20 s while it copies, and one while it deletes: the file is here and verified', async () => {
    const cells = await Promise.all(
      (['copy', 'delete'] as const).map((stage) =>
        inStage(stage, join(output.path(), `hole-${stage}`), async (cell) => {
          cell.proxy.hole();
          await delay(20_000);
          cell.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
          cell.proxy.fill();
          const { exitCode } = await cell.run;
          return { stage, exitCode, cell };
        }),
      ),
    );
    for (const { stage, exitCode, cell } of cells) {
      expect(exitCode, `${stage}:\n${cell.said()}`).toBe(0);
      verified(cell.folder);
      await podIsGone(cell);
    }
  });

  it('a debug pod that somebody deletes while it copies: exit 3, and no promise that cannot be kept', async () => {
    const cell = await begin(join(output.path(), 'deleted'));
    try {
      await reaches('copy', cell);
      cell.proxy.hole();
      await kubectl(['delete', 'pod', '-n', 'gkeprof', podOf(cell)!, '--force', '--grace-period=0']);
      cell.proxy.fill();
      cell.proxy.reset();
      const { exitCode } = await cell.run;
      expect(cell.said()).toMatch(
        /^error: .*the debug pod gkeprof\/\S+ is gone \(somebody deleted it\), and with it the file$/m,
      );
      expect(cell.said()).not.toMatch(/keeps the file|still gets/);
      expect(exitCode).toBe(3);
      expect(readdirSync(cell.folder)).toEqual([]);
    } finally {
      await cell.proxy.close();
    }
  });

  it('kill -9 while it copies: the next command that writes into the folder removes what is left there', async () => {
    const cell = await begin(join(output.path(), 'killed'));
    try {
      await reaches('copy', cell);
      cell.proxy.hole();
      const left = () => readdirSync(cell.folder).filter((name) => name.startsWith('.gkeprof-'));
      await eventually(
        async () => left(),
        (names) => names.length === 1,
      );
      cell.run.kill('SIGKILL');
      await cell.run;
      const [name] = left();
      expect(name).toBeDefined();
      writeFileSync(join(cell.folder, 'x.folded'), 'a;b 1\n');
      const next = await gkeprof(['render', join(cell.folder, 'x.folded'), '--output-dir', cell.folder]);
      expect(next.stderr).toContain(
        `removed 1 folder that killed commands left in ${cell.folder}: ${name}\n`,
      );
      expect(readdirSync(cell.folder).sort()).toEqual(['x.flamegraph.svg', 'x.folded']);
    } finally {
      await deleteAsAdministrator(cell);
    }
  });

  it('a copy at 900 B/s: given up after a minute, exit 5, and the printed command gets the file', async () => {
    const cell = await slow;
    try {
      const { exitCode } = await cell.run;
      expect(cell.said()).toMatch(/error: .* could not be copied: the copy is too slow: /);
      expect(cell.said()).toMatch(/keeps the file for 10m, then it stops by itself$/m);
      expect(exitCode).toBe(5);
      expect(readdirSync(cell.folder)).toEqual([]);
      cell.proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
      const { stdout } = await typed(/still gets the file: (.*)$/m, cell);
      expect(stdout).toMatch(/\.pcap\.gz: OK$/m);
      expect(finals(cell.folder)).toHaveLength(1);
    } finally {
      await deleteAsAdministrator(cell);
    }
    expect(await eventually(debugPods, (pods) => pods.length === 0)).toEqual([]);
    expect(await eventually(captureProcesses, (found) => found.length === 0)).toEqual([]);
  });
});

/**
 * A capture whose copy brings 900 B in a second. Its megabytes cannot fit through that, and are few enough for one stream: several
 * streams would share the speed, and each would wait for minutes until kubectl has read the debug pod.
 */
async function slowCopy(folder: string): Promise<Cell> {
  const cell = await begin(folder, ['--duration', '8s']);
  await reaches('capturing', cell);
  cell.proxy.bytesPerSecond = 900;
  return cell;
}

const isThere = (name: string) =>
  kubectl(['get', 'pod', '-n', 'gkeprof', name, '--ignore-not-found', '-o', 'name']);

/** A pod may take its grace period to go. */
async function podIsGone(cell: Cell): Promise<void> {
  const name = podOf(cell)!;
  expect(
    await eventually(
      () => isThere(name),
      (found) => found === '',
    ),
  ).toBe('');
}

/** Ends a cell whose pod keeps a file, as it should. */
async function deleteAsAdministrator(cell: Cell): Promise<void> {
  await cell.proxy.close();
  await kubectl(['delete', 'pod', '-n', 'gkeprof', podOf(cell) ?? 'none', '--ignore-not-found']);
}

/** Types a command that the client printed, in the folder of its files. */
async function typed(pattern: RegExp, { said, folder }: Cell) {
  const command = pattern.exec(said())?.[1];
  expect(command, said()).toBeDefined();
  return execa('sh', ['-c', command!], {
    cwd: folder,
    env: environment(`${folder}.kubeconfig`),
    extendEnv: false,
  });
}
