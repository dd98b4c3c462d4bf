// Faults while three pods on two nodes are recorded by one command. `npm run test:faults` makes all of them, `npm test` the quick ones.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type FaultProxy, throughProxy } from './fault-proxy.ts';
import { finalFiles, remainsIn } from './final-files.ts';
import { debugPods, eventually, gkeprof, kubectl, NAMESPACE, outputFolder, start, world } from './world.ts';

/** Two pods on the first node, and one on the second (pods.yaml, redis.yaml). */
const TARGETS = ['pod/redis-0', 'pod/idle', 'pod/redis-stock'];
type Run = ReturnType<typeof start>;

interface Session {
  readonly run: Run;
  readonly proxy: FaultProxy;
  readonly folder: string;
  isOver: boolean;
}

const hasLogged = async (event: string): Promise<boolean> => {
  const pods = await debugPods();
  const logs = await Promise.all(
    pods.map((pod) => kubectl(['logs', '-n', 'gkeprof', pod, '-c', 'capture']).catch(() => '')),
  );
  return pods.length === 2 && logs.every((log) => log.includes(`"event":"${event}"`));
};

/** When a stage is reached. */
const STAGES = {
  start: async () => (await debugPods()).length === 2,
  capture: () => hasLogged('capturing'),
  copy: async ({ folder }: Session) => readdirSync(folder).some((name) => name.startsWith('.gkeprof-')),
} satisfies Record<string, (session: Session) => Promise<boolean>>;

async function reaches(stage: keyof typeof STAGES, session: Session): Promise<void> {
  while (!(await STAGES[stage](session))) {
    if (session.isOver) throw new Error(`over before ${stage}`);
    await delay(10);
  }
}

/** The debug pods that have not ended. */
const running = async (): Promise<string[]> => {
  const fields = ['--field-selector', 'status.phase!=Succeeded,status.phase!=Failed', '-o', 'name'];
  const labels = ['-l', 'app.kubernetes.io/managed-by=kubectl-gkeprof'];
  return (await kubectl(['get', 'pods', '-n', 'gkeprof', ...labels, ...fields])).split('\n').filter(Boolean);
};

const signal = (name: NodeJS.Signals) => (session: Session) => session.run.kill(name);

const FAULTS: Readonly<Record<string, (session: Session) => unknown>> = {
  'connections reset': ({ proxy }) => proxy.reset(),
  'black hole for 20 s': async ({ proxy }) => {
    proxy.hole();
    await delay(20_000);
    proxy.fill();
  },
  'API server away for 10 s': ({ proxy }) => proxy.away(10_000),
  'Ctrl-C': signal('SIGINT'),
  'kill -9': signal('SIGKILL'),
  'debug pod of one node deleted': async () => {
    const [pod] = await debugPods();
    await kubectl(['delete', pod!, '-n', 'gkeprof', '--grace-period=1', '--wait=false']);
  },
};

/** The exit codes that are documented for it, and how many of the three raw files are there in the end, verified. */
interface Cell {
  readonly fault: string;
  readonly stage: keyof typeof STAGES;
  readonly codes: readonly number[];
  readonly files: readonly number[];
  readonly isQuick?: true;
}

const CELLS: readonly Cell[] = [
  { fault: 'connections reset', stage: 'start', codes: [0], files: [3] },
  { fault: 'connections reset', stage: 'copy', codes: [0], files: [3], isQuick: true },
  { fault: 'black hole for 20 s', stage: 'start', codes: [0], files: [3] },
  { fault: 'black hole for 20 s', stage: 'copy', codes: [0], files: [3] },
  { fault: 'API server away for 10 s', stage: 'capture', codes: [0], files: [3] },
  { fault: 'API server away for 10 s', stage: 'copy', codes: [0], files: [3] },
  { fault: 'Ctrl-C', stage: 'start', codes: [0, 130], files: [0, 3] },
  // A node that records already, and has not told the client yet, is interrupted like one that has not begun.
  { fault: 'Ctrl-C', stage: 'capture', codes: [0, 5], files: [1, 2, 3] },
  { fault: 'Ctrl-C', stage: 'copy', codes: [0], files: [3] },
  { fault: 'kill -9', stage: 'capture', codes: [137], files: [0] },
  { fault: 'kill -9', stage: 'copy', codes: [137], files: [0, 1, 2, 3] },
  { fault: 'debug pod of one node deleted', stage: 'start', codes: [5], files: [1, 2] },
  { fault: 'debug pod of one node deleted', stage: 'capture', codes: [5], files: [1, 2], isQuick: true },
  { fault: 'debug pod of one node deleted', stage: 'copy', codes: [0, 5], files: [1, 2, 3] },
];

describe('three pods on two nodes', () => {
  const output = outputFolder();

  it.each(CELLS.filter(({ isQuick }) => isQuick || process.env.GKEPROF_TEST_FAULTS))(
    '$fault at $stage: what could be recorded is verified, the rest is named, and nothing is left',
    async ({ fault, stage, codes, files }) => {
      const folder = join(output.path(), `${fault} ${stage}`.replaceAll(/\W+/g, '-'));
      mkdirSync(folder);
      const kubeconfig = `${folder}.kubeconfig`;
      const proxy = await throughProxy(world().sre, kubeconfig);
      const words = ['flamegraph', ...TARGETS, '-n', NAMESPACE, '--call-graph', 'fp', '--split'];
      // The logs of two pods are read to see that both record, and a busy machine takes seconds for that.
      const limits = [
        '--duration',
        stage === 'capture' ? '12s' : '4s',
        '--keep',
        fault === 'kill -9' ? '8s' : '90s',
      ];
      const run = start([...words, ...limits, '--output-dir', folder], { kubeconfig });
      const session: Session = { run, proxy, folder, isOver: false };
      void run.then(() => {
        session.isOver = true;
      });
      try {
        await reaches(stage, session);
        await FAULTS[fault]!(session);
        const { exitCode, stderr, signal: ended } = await run;
        const code = ended === 'SIGKILL' ? 137 : exitCode;
        expect(codes, stderr).toContain(code);
        if (ended === 'SIGKILL') {
          writeFileSync(`${folder}.folded`, 'a;b 1\n');
          await gkeprof(['render', `${folder}.folded`, '--output-dir', folder]);
        }
        const found = finalFiles(folder);
        expect(found.filter(({ state }) => state === 'broken')).toEqual([]);
        expect(remainsIn(folder)).toEqual([]);
        expect(files, stderr).toContain(found.filter(({ state }) => state === 'same').length);
        // What is missing has a reason.
        if (code === 5) expect(stderr).toMatch(/^(?:warning|error): .*(?:redis-0|idle|redis-stock).*/m);
        // A pod that nobody follows ends by itself, and its object is removed by the next command.
        expect(await eventually(running, (pods) => pods.length === 0, 120), stderr).toEqual([]);
      } finally {
        run.kill('SIGKILL');
        for (const pod of await debugPods())
          await kubectl(['delete', pod, '-n', 'gkeprof', '--ignore-not-found', '--now']);
        await proxy.close();
      }
    },
  );
});
