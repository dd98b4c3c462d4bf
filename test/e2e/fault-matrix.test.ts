// Faults × stages: test/faults/matrix.ts has the cells. `npm test` runs a few of them, `npm run test:faults` all; GKEPROF_TEST_FAULTS
// chooses classes (client,node) or cells (SIGTERM at start). BLESS=1 writes what was made into the tables of docs/faults.md.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { until } from '../cluster/waiting.ts';
import {
  CLASSES,
  cellName,
  cellsIn,
  FAULTS,
  type FaultClass,
  type FaultRow,
  KEEP_SECONDS,
  type Outcome,
  outcomeProblems,
  outcomeText,
  type ShownCell,
  type Stage,
  saidOf,
  shown,
  tableOf,
} from '../faults/matrix.ts';
import {
  fillUp,
  holdPull,
  processesOf,
  type Recording,
  reaches,
  record,
  type SlowPull,
  wordsFor,
} from './fault-cell.ts';
import {
  drainNode,
  giveSmallDisk,
  loseNode,
  nineteenOthers,
  restartApiServer,
  restartContainerd,
  restartKubelet,
} from './fault-node.ts';
import type { Refusal } from './fault-server.ts';
import { finalFiles, remainsIn } from './final-files.ts';
import { environment, eventually, gkeprof, kubectl, NAMESPACE, outputFolder, world } from './world.ts';

const CHOSEN = process.env.GKEPROF_TEST_FAULTS?.split(',').filter(Boolean);
const AT_ONCE = 4;
/** A debug pod that nobody deletes has ended so many seconds after its bound: a kubelet may be a minute late on a busy machine. */
const GRACE_SECONDS = 180;
const DOC = fileURLToPath(new URL('../../docs/faults.md', import.meta.url));

interface Cell {
  readonly fault: FaultRow;
  readonly stage: Stage;
}

const nameOf = ({ fault, stage }: Cell): string => cellName(fault.name, stage);

const cells: Cell[] = FAULTS.flatMap((fault) =>
  (Object.keys(fault.stages) as Stage[]).map((stage) => ({ fault, stage })),
).filter((cell) => {
  if (!CHOSEN) return cell.fault.quick?.includes(cell.stage);
  return CHOSEN.some((word) => word === 'all' || word === cell.fault.group || nameOf(cell).includes(word));
});

const signal = (name: NodeJS.Signals) => (recording: Recording) => recording.run.kill(name);

/** For so many milliseconds, unless the recording is over before. */
async function forMs(ms: number, recording: Recording, end: () => void): Promise<void> {
  recording.restore.push(end);
  await Promise.race([delay(ms), recording.run]);
  end();
}

const hole = (ms: number) => (recording: Recording) => {
  recording.proxy.hole();
  return forMs(ms, recording, () => recording.proxy.fill());
};

const refuses = (refusal: Refusal, ms?: number) => async (recording: Recording) => {
  const { server } = recording;
  server.refusal = refusal;
  const end = () => {
    server.refusal = undefined;
  };
  if (ms === undefined) recording.restore.push(end);
  else await forMs(ms, recording, end);
};

type Process = ReturnType<typeof processesOf>[number];

async function killIn(recording: Recording, is: (process: Process) => boolean) {
  const uid = await recording.uid();
  const found = await until('the processes of the debug pod', 30, async () => {
    const matching = processesOf(uid).filter(is);
    return matching.length || recording.isOver ? matching : undefined;
  });
  for (const { pid } of found) process.kill(pid, 'SIGKILL');
}

const isScript = ({ words }: Process): boolean => words.includes('gkeprof-capture ');

/** The shells that record in a debug pod. */
const scriptsOf = (uid: string): Process[] => processesOf(uid).filter(isScript);

const deletePod = (namespace: string, name: string) =>
  kubectl(['delete', 'pod', '-n', namespace, name, '--grace-period=1', '--wait=false']);

const filler = (folder: string): string => join(folder, 'filler');

/** What makes each fault. */
const MAKE: Readonly<Record<string, (recording: Recording, cell: Cell, pull?: SlowPull) => unknown>> = {
  'Ctrl-C once (SIGINT)': signal('SIGINT'),
  'Ctrl-C twice': async (recording, { stage }) => {
    if (stage !== 'stop') {
      recording.run.kill('SIGINT');
      await delay(300);
    }
    recording.run.kill('SIGINT');
  },
  SIGTERM: signal('SIGTERM'),
  SIGHUP: signal('SIGHUP'),
  'kill -9 (SIGKILL)': signal('SIGKILL'),
  'stopped for 20 s (SIGSTOP, SIGCONT)': async ({ run }) => {
    run.kill('SIGSTOP');
    await delay(20_000);
    run.kill('SIGCONT');
  },
  'disk full in the output folder': ({ folder }) => fillUp(filler(folder)),
  'output folder removed': ({ folder }) => rmSync(folder, { recursive: true }),
  'connections reset': ({ proxy }) => proxy.reset(),
  'black hole for 5 s': hole(5000),
  'black hole for 30 s': hole(30_000),
  'black hole for 120 s': hole(120_000),
  '1 kB/s': ({ proxy, restore }) => {
    proxy.bytesPerSecond = 1000;
    restore.push(() => {
      proxy.bytesPerSecond = Number.POSITIVE_INFINITY;
    });
  },
  '3 s to open a connection': ({ proxy, restore }) => {
    proxy.reset(); // Connections that are open would be used again.
    proxy.openAfterMs = 3000;
    restore.push(() => {
      proxy.openAfterMs = 0;
    });
  },
  'a stream cut short that ends well': ({ server }, { stage }) => {
    if (stage === 'copy') server.failFile({ after: 10_000, becomes: 'ended well' });
    else server.endStreams();
  },
  'away for 10 s': ({ proxy }) => proxy.away(10_000),
  'killed and started again (SIGKILL)': restartApiServer,
  '429 with Retry-After for 5 s': refuses(
    { status: 429, reason: 'Too Many Requests', headers: { 'retry-after': '2' } },
    5000,
  ),
  '500 for 5 s': refuses({ status: 500, reason: 'Internal Server Error' }, 5000),
  '401 from now on (expired token)': refuses({ status: 401, reason: 'Unauthorized' }),
  'containers of the debug pod killed (capture)': (recording) => killIn(recording, isScript),
  'containers of the debug pod killed (files)': (recording) =>
    killIn(recording, ({ words }) => words.includes('gkeprof-files')),
  'perf or tcpdump killed': (recording) => killIn(recording, ({ name }) => /^(?:perf|tcpdump)$/.test(name)),
  'debug pod deleted by somebody else': async (recording) => {
    await recording.uid();
    await deletePod('gkeprof', recording.pod!);
  },
  'debug pod evicted': async (recording) => {
    await recording.uid();
    const name = recording.pod!;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'gkeprof' } };
    const path = `/api/v1/namespaces/gkeprof/pods/${name}/eviction`;
    await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  },
  'no more room for its file (RLIMIT_FSIZE)': async (recording, { stage }) => {
    // Less than the finished file has, and more than the events.
    const bytes = stage === 'finish' ? 4096 : 16_384;
    for (const { pid, words } of processesOf(await recording.uid()))
      if (!words.includes('gkeprof-files'))
        await execa('prlimit', ['--pid', String(pid), `--fsize=${bytes}`], { reject: false });
  },
  "the node's disk full": async (recording, { stage }, pull) => {
    const disk = await giveSmallDisk(recording);
    if (stage === 'pull') return fillUp(filler(disk));
    pull!.goOn();
    await reaches(stage, recording);
    // The script would end the recording in time if it looked at the disk while that is being filled.
    const scripts = scriptsOf(await recording.uid());
    for (const { pid } of scripts) process.kill(pid, 'SIGSTOP');
    try {
      fillUp(filler(disk));
      await delay(500); // Packets come all the time.
    } finally {
      for (const { pid } of scripts) process.kill(pid, 'SIGCONT');
    }
  },
  'twenty sessions on one node': nineteenOthers,
  'kubelet restarted': restartKubelet,
  'containerd restarted': restartContainerd,
  'node drained (kubectl drain)': drainNode,
  'node NotReady for a while (no kubelet)': loseNode,
  'target deleted': ({ target }) => deletePod(NAMESPACE, target),
  'a container of the target restarted': async ({ target }) => {
    const uid = await kubectl(['get', 'pod', '-n', NAMESPACE, target, '-o', 'jsonpath={.metadata.uid}']);
    for (const { pid, name } of processesOf(uid)) if (name !== 'pause') process.kill(pid, 'SIGKILL');
  },
  'artifact replaced on the node': async (recording) => {
    const folder = await recording.scratch();
    const name = readdirSync(folder).find((each) => each.endsWith('.gz'))!;
    const path = join(folder, name);
    const { uid, gid, mode, size } = statSync(path);
    rmSync(path);
    writeFileSync(path, Buffer.alloc(size, 'x'), { mode });
    await execa('chown', [`${uid}:${gid}`, path]);
  },
  'lines in the log that are not ours': async (recording) => {
    const [script] = scriptsOf(await recording.uid());
    const nonce = /"nonce":"(\w+)"/.exec(
      readFileSync(join(await recording.scratch(), 'events.jsonl'), 'utf8'),
    )![1];
    const lines = [
      'tcpdump: pcap_loop: The interface disappeared',
      '{"gkeprof":1,"seq":900,"nonce":"00","t":1,"event":"end","reason":"time"}',
      `{"gkeprof":1,"seq":900,"nonce":"${nonce}","t":1,"event":"toString","reason":"time"}`,
      `{"gkeprof":1,"nonce":"${nonce}"`,
      '\u001b[31mred\u001b[0m\u0007',
      'x'.repeat(100_000),
      '[]',
    ];
    writeFileSync(`/proc/${script!.pid}/fd/1`, `${lines.join('\n')}\n`);
  },
};

/** Some faults need a server that reads the requests, others one that cannot. */
const doorOf = ({ fault }: Cell): 'proxy' | 'server' =>
  fault.name === 'a stream cut short that ends well' || /^\d{3} /.test(fault.name) ? 'server' : 'proxy';

let victims = 0;

/** A pod that does a little, to be deleted or restarted. */
async function victim(): Promise<string> {
  victims += 1;
  const name = `victim-${victims}`;
  const container = {
    name: 'busy',
    image: world().images.debian,
    imagePullPolicy: 'IfNotPresent',
    command: ['dd', 'if=/dev/zero', 'of=/dev/null'],
    resources: { limits: { cpu: '200m' } },
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: { nodeName: world().nodes[0], terminationGracePeriodSeconds: 0, containers: [container] },
  };
  await kubectl(['apply', '-f', '-'], JSON.stringify(pod));
  await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', `pod/${name}`, '--timeout=60s']);
  return name;
}

/** Runs one cell. The stages that are over within milliseconds may be missed: then it is tried again. */
async function runCell(cell: Cell, folder: string): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await tryCell(cell, join(folder, String(tries)));
    } catch (error) {
      if (
        tries === 4 ||
        !/^missed |^over before (?:finish|copy|verify|delete)/.test((error as Error).message)
      )
        throw error;
    }
  }
}

async function tryCell(cell: Cell, folder: string): Promise<Outcome> {
  const { fault, stage } = cell;
  mkdirSync(folder, { recursive: true });
  const isKilled = fault.name === 'kill -9 (SIGKILL)';
  const isFull = fault.name === 'disk full in the output folder';
  const ends: Array<() => unknown> = [];
  let recording: Recording | undefined;
  let pull: SlowPull | undefined;
  try {
    if (isFull) {
      mkdirSync(join(folder, 'files'));
      await execa('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', join(folder, 'files')]);
      ends.push(() => execa('umount', ['--lazy', join(folder, 'files')]));
    }
    const target = fault.group === 'target' ? await victim() : 'redis-0';
    if (target !== 'redis-0')
      ends.push(() =>
        kubectl(['delete', 'pod', '-n', NAMESPACE, target, '--ignore-not-found', '--wait=false']),
      );
    // A debug pod gets a disk of its own while its image is pulled.
    const from = fault.name === "the node's disk full" ? 'pull' : stage;
    if (from === 'pull') {
      pull = await holdPull(folder);
      ends.push(() => pull!.close());
    }
    const words = wordsFor(from, fault.keepSeconds ?? KEEP_SECONDS, from !== stage);
    const own =
      fault.group === 'target'
        ? [
            'flamegraph',
            '--call-graph',
            'fp',
            ...words.slice(1).filter((word) => !/^(?:--port|6379)$/.test(word)),
          ]
        : words;
    recording = await record(join(folder, 'files'), doorOf(cell), target, own);
    await reaches(from, recording, pull);
    const made = MAKE[fault.name];
    if (!made) throw new Error(`nothing makes the fault "${fault.name}"`);
    await made(recording, cell, pull);
    recording.speedUp();
    if (pull) {
      await Promise.race([delay(2000), recording.run]);
      pull.goOn();
    }
    await recording.run;
    return await judge(cell, recording, folder);
  } finally {
    recording?.run.kill('SIGKILL');
    for (let end = recording?.restore.pop(); end; end = recording?.restore.pop()) await end();
    const pod = recording?.pod;
    if (pod && recording && !isKilled)
      await kubectl([
        'delete',
        'pod',
        '-n',
        'gkeprof',
        pod,
        '--ignore-not-found',
        '--wait=false',
        '--grace-period=1',
      ]);
    await recording?.close();
    for (const end of ends.reverse()) await end();
  }
}

/** What became of a recording: its files, its debug pod, and what the printed commands do now that the fault is over. */
async function judge(cell: Cell, recording: Recording, folder: string): Promise<Outcome> {
  const { run, said, restore } = recording;
  for (let end = restore.pop(); end; end = restore.pop()) await end();
  const { exitCode, signal: ended } = await run;
  const files = join(folder, 'files');
  const isThere = statSync(files, { throwIfNoEntry: false }) !== undefined;
  rmSync(filler(files), { force: true });
  if (isThere && remainsIn(files).length) {
    writeFileSync(join(folder, 'x.folded'), 'a;b 1\n');
    await gkeprof([
      'render',
      join(folder, 'x.folded'),
      '--output-dir',
      files,
      '--output',
      join(folder, 'x.svg'),
    ]);
    await gkeprof(['render', join(folder, 'x.folded'), '--output-dir', files]);
    rmSync(join(files, 'x.flamegraph.svg'), { force: true });
  }
  const found = isThere ? finalFiles(files) : [];
  const typed = await typeCommands(said, recording, folder);
  const isKept = typed === 'got the file' || typed === 'refused a changed file';
  return {
    fault: cell.fault.name,
    stage: cell.stage,
    status:
      exitCode ?? (ended === 'SIGKILL' ? 137 : ended === 'SIGTERM' ? 143 : ended === 'SIGHUP' ? 129 : 130),
    stderr: said,
    isVerified: found.some(
      ({ name, state }) =>
        state === 'same' || (state === 'unreceipted' && said.includes(`${name} was recorded and verified`)),
    ),
    broken: found.filter(({ state }) => state === 'broken').map(({ name }) => name),
    remains: isThere ? remainsIn(files) : [],
    ...(typed && { command: typed }),
    isPodLeft: !isKept && (await isPodLeft(recording)),
  };
}

async function isPodLeft({ pod }: Recording): Promise<boolean> {
  if (!pod) return false;
  const words = ['get', 'pod', '-n', 'gkeprof', pod, '--ignore-not-found'];
  const state = () => kubectl([...words, '-o', 'jsonpath={.metadata.deletionTimestamp}/{.status.phase}']);
  const isOver = (text: string) => text === '' || /^.+\/|\/(?:Succeeded|Failed)$/.test(text);
  return !isOver(await eventually(state, isOver, GRACE_SECONDS));
}

/** Types the commands that were printed: one that gets the file, and one that deletes the debug pod. */
async function typeCommands(
  said: string,
  { kubeconfig }: Recording,
  folder: string,
): Promise<Outcome['command']> {
  const type = async (command: string) =>
    execa('sh', ['-c', command], {
      cwd: folder,
      env: environment(kubeconfig),
      extendEnv: false,
      reject: false,
      timeout: 120_000,
    });
  const deletes = /this deletes it now: (kubectl .*)$/m.exec(said)?.[1];
  const gets = /still gets the file: (.*)$/m.exec(said)?.[1];
  const got = gets ? await type(gets) : undefined;
  if (deletes) await type(deletes);
  if (!got) return undefined;
  if (/: FAILED$/m.test(got.stdout)) return 'refused a changed file';
  return got.exitCode === 0 && /: OK$/m.test(got.stdout) ? 'got the file' : 'failed';
}

const problemsOf = (cell: Cell, outcome: Outcome): string[] =>
  outcomeProblems(outcome, cell.fault.stages[cell.stage]!).map(
    (problem) => `${nameOf(cell)}: ${problem}\n${outcome.stderr.replaceAll(/^/gm, '  | ')}`,
  );

describe('faults in each stage', () => {
  const output = outputFolder();
  const outcomes: Outcome[] = [];

  afterAll(() => {
    for (const group of CLASSES) {
      const own = outcomes.filter((each) =>
        FAULTS.some((fault) => fault.name === each.fault && fault.group === group),
      );
      if (own.length === 0) continue;
      const cells = new Map(own.map((each) => [cellName(each.fault, each.stage), shown(each)]));
      process.stdout.write(`\n${group}\n\n${tableOf(group, cells)}\n`);
      if (process.env.BLESS) bless(group, cells);
    }
  });

  it.each(CLASSES.filter((group) => cells.some(({ fault }) => fault.group === group)))(
    '%s: a verified file, or one true sentence and the command that still gets it; nothing is left',
    { timeout: 1_800_000 },
    async (group) => {
      const problems: string[] = [];
      const run = async (cell: Cell) => {
        const folder = join(output.path(), nameOf(cell).replaceAll(/\W+/g, '-'));
        try {
          const outcome = await runCell(cell, folder);
          outcomes.push(outcome);
          problems.push(...problemsOf(cell, outcome));
          process.stdout.write(`${nameOf(cell)}: ${outcomeText(outcome)} ${saidOf(outcome) ?? ''}\n`);
        } catch (error) {
          problems.push(`${nameOf(cell)}: ${(error as Error).message}`);
        }
      };
      const own = cells.filter(({ fault }) => fault.group === group);
      // Only one pull is held at a time, and what disturbs a node comes last.
      const side = own.filter(({ fault }) => !fault.isAlone);
      const waiting = side.filter(({ stage }) => stage !== 'pull');
      await Promise.all([
        ...Array.from({ length: AT_ONCE }, async () => {
          for (let cell = waiting.shift(); cell; cell = waiting.shift()) await run(cell);
        }),
        (async () => {
          for (const cell of side.filter(({ stage }) => stage === 'pull')) await run(cell);
        })(),
      ]);
      for (const cell of own.filter(({ fault }) => fault.isAlone)) await run(cell);
      expect(problems.join('\n')).toBe('');
    },
  );
});

/** Writes cells into the table of their class in the documentation; those that were not made now stay as they are. */
function bless(group: FaultClass, cells: ReadonlyMap<string, ShownCell>): void {
  const text = readFileSync(DOC, 'utf8');
  const begin = `<!-- faults: ${group} -->\n`;
  const at = text.indexOf(begin) + begin.length;
  const end = text.indexOf('<!-- end -->', at);
  if (at < begin.length || end < 0) throw new Error(`docs/faults.md has no place for ${group}`);
  const table = tableOf(group, new Map([...cellsIn(text.slice(at, end)), ...cells]));
  writeFileSync(DOC, `${text.slice(0, at)}\n${table}\n\n${text.slice(end)}`);
}
