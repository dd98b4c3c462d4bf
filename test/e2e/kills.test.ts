// Short sessions, each ended at a random moment by a signal, or left alone. `npm run test:kills` does this a thousand times, or
// as often as GKEPROF_TEST_KILLS says; SEED draws other moments.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type EndedSession, type KillPlan, killPlans, killProblems, statusOf } from '../faults/kills.ts';
import { finalFiles, remainsIn } from './final-files.ts';
import {
  captureProcesses,
  debugPods,
  eventually,
  gkeprof,
  kubectl,
  NAMESPACE,
  outputFolder,
  start,
} from './world.ts';

const SESSIONS = Number(process.env.GKEPROF_TEST_KILLS ?? 40);
const SEED = Number(process.env.SEED ?? 1);
const BATCH = 20;
const AT_ONCE = 3;
/** A file waits for its client for so long: after SIGKILL the debug pod ends that soon after its recording. */
const KEEP_SECONDS = 10;
/**
 * A pod that nobody deletes ends within so many seconds: its start, a second of recording, --keep, and a kubelet that may be a
 * minute late on a busy machine.
 */
const ENDS_WITHIN = 180;

const COMMANDS: ReadonlyArray<readonly string[]> = [
  ['flamegraph', 'redis-0'],
  ['flamegraph', 'redis-0', '--call-graph', 'ebpf'],
  ['pcap', 'redis-0'],
  ['pcap', 'redis-0', '--port', '6379'],
];

/** Marks the processes of the suite: kubectl inherits it from the plugin, and both from here. */
const MARK = `GKEPROF_TEST_KILLS_RUN=${process.pid}-${SEED}`;

const folderOfSuite = outputFolder();

/** The longest time that a session took that nobody interrupted, in milliseconds. */
let lifeMs = 8000;

interface Session extends EndedSession {
  readonly plan: KillPlan;
  readonly folder: string;
  /** The name of its debug pod, if it came to that. */
  readonly pod: string | undefined;
  readonly problems: readonly string[];
}

async function session(plan: KillPlan, folder: string): Promise<Session> {
  mkdirSync(folder);
  const { ending, moment, pauseMs } = plan;
  const [name, value] = MARK.split('=') as [string, string];
  const began = Date.now();
  const run = start(
    [
      ...COMMANDS[plan.command]!,
      ...['-n', NAMESPACE, '--duration', '1s', '--keep', `${KEEP_SECONDS}s`, '--output-dir', folder],
    ],
    { env: { [name]: value } },
  );
  let isOver = false;
  void run.then(() => {
    isOver = true;
  });
  const hit = (signal: NodeJS.Signals): boolean => !isOver && run.kill(signal);
  let wasHit = false;
  if (ending !== 'none') {
    await delay(moment * lifeMs);
    wasHit = hit(ending === 'SIGINT twice' ? 'SIGINT' : ending);
    if (ending === 'SIGINT twice') {
      await delay(pauseMs);
      hit('SIGINT');
    }
  }
  const { exitCode: code, signal, stderr } = await run;
  if (!wasHit) lifeMs = Math.max(lifeMs * 0.9, Date.now() - began);
  const ended: EndedSession = {
    ending,
    wasHit,
    code,
    signal,
    stderr: String(stderr),
    files: finalFiles(folder),
    remains: remainsIn(folder),
  };
  const pod = /gkeprof\/(gkeprof-(?:perf|tcpdump)-[0-9a-f]{10}[\w-]*)/.exec(ended.stderr)?.[1];
  return { ...ended, plan, folder, pod, problems: killProblems(ended) };
}

/** The command lines of processes that a session started, and that still run. */
async function ownProcesses(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const environ = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      if (!environ.split('\0').includes(MARK)) return '';
      return `${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')}`;
    }),
  );
  return lines.filter(Boolean);
}

/** The debug pods that still run, without those that are being deleted. */
async function runningPods(): Promise<Set<string>> {
  const list = JSON.parse(await kubectl(['get', 'pods', '-n', 'gkeprof', '-o', 'json']));
  return new Set(
    (
      list.items as Array<{
        metadata: { name: string; deletionTimestamp?: string };
        status: { phase: string };
      }>
    )
      .filter(
        ({ metadata, status }) => !metadata.deletionTimestamp && !/^(?:Succeeded|Failed)$/.test(status.phase),
      )
      .map(({ metadata }) => metadata.name),
  );
}

/** What a batch did wrong that shows only when its sessions are over, one phrase each. */
async function batchProblems(batch: readonly Session[]): Promise<string[]> {
  const problems: string[] = [];
  // Whoever was not killed has deleted its pod, and the API server has accepted that.
  const deleted = batch.filter(({ pod, signal }) => pod !== undefined && signal !== 'SIGKILL');
  const running = await runningPods();
  for (const { pod, plan } of deleted)
    if (running.has(pod!)) problems.push(`session ${plan.number}: its debug pod ${pod} is still there`);
  for (const { folder, plan, remains } of batch) {
    if (remains.length) {
      writeFileSync(join(folder, 'x.folded'), 'a;b 1\n');
      const next = await gkeprof(['render', join(folder, 'x.folded'), '--output-dir', folder]);
      const left = remainsIn(folder);
      if (next.code !== 0 || left.length)
        problems.push(`session ${plan.number}: ${left.join(', ')} stays for ever`);
    }
  }
  const receipts = batch.flatMap(({ folder, files }) =>
    files
      .filter(({ name, state }) => name.endsWith('.receipt.json') && state !== 'broken')
      .map(({ name }) => join(folder, name)),
  );
  if (receipts.length) {
    const verified = await gkeprof(['verify', ...receipts]);
    if (verified.code !== 0) problems.push(`verify: ${verified.stdout}${verified.stderr}`);
  }
  return problems;
}

/** All of a batch, a few at a time. */
async function runBatch(plans: readonly KillPlan[], folder: string): Promise<Session[]> {
  const waiting = [...plans];
  const sessions: Session[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let plan = waiting.shift(); plan; plan = waiting.shift())
        sessions.push(await session(plan, join(folder, String(plan.number))));
    }),
  );
  return sessions;
}

const described = ({ plan, problems, wasHit, stderr, folder }: Session): string =>
  `session ${plan.number} (${COMMANDS[plan.command]!.join(' ')}; ${plan.ending}${wasHit ? '' : ', too late'} at ${plan.moment.toFixed(3)}): ${problems.join('; ')}; ${readdirSync(folder).join(' ')}\n${stderr.replaceAll(/^/gm, '  | ')}`;

it(`${SESSIONS} sessions that end at random moments leave nothing, and no file that was not verified`, {
  timeout: 120_000 + SESSIONS * 15_000,
}, async () => {
  const began = Date.now();
  const output = folderOfSuite.path();
  const plans = killPlans(SEED, SESSIONS, COMMANDS.length);
  const statuses = new Map<string, number>();
  const problems: string[] = [];
  let [late, whole, unreceipted, swept] = [0, 0, 0, 0];
  for (let at = 0; at < plans.length; at += BATCH) {
    const batch = await runBatch(plans.slice(at, at + BATCH), output);
    problems.push(...batch.filter((each) => each.problems.length).map(described));
    problems.push(...(await batchProblems(batch)));
    for (const each of batch) {
      const status = String(statusOf(each));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (each.plan.ending !== 'none' && !each.wasHit) late += 1;
      whole += each.files.filter(({ state }) => state === 'same').length;
      unreceipted += each.files.filter(({ state }) => state === 'unreceipted').length;
      swept += each.remains.length;
      rmSync(each.folder, { recursive: true, force: true });
    }
  }
  // What SIGKILL left ends by itself; then the next command removes the object.
  const alive = await eventually(runningPods, (pods) => pods.size === 0, ENDS_WITHIN);
  if (alive.size) problems.push(`debug pods that do not end: ${[...alive].join(', ')}`);
  const left = await eventually(ownProcesses, (lines) => lines.length === 0, ENDS_WITHIN);
  const recorders = await eventually(captureProcesses, (lines) => lines.length === 0, ENDS_WITHIN);
  problems.push(...[...left, ...recorders].map((line) => `still runs: ${line}`));
  await delay(11_000); // A pod that has just ended may still be of use to its own client: src/session/sweep.ts.
  const next = await gkeprof(['pcap', 'redis-0', '-n', NAMESPACE, '--count', '1', '--output-dir', output]);
  if (next.code !== 0) problems.push(`the next command: ${next.stderr}`);
  const pods = await eventually(debugPods, (names) => names.length === 0);
  if (pods.length) problems.push(`debug pods that are left: ${pods.join(', ')}`);
  const codes = [...statuses].sort().map(([status, count]) => `${count} × ${status}`);
  process.stdout.write(
    `kills: ${SESSIONS} sessions, seed ${SEED}, ${Math.round((Date.now() - began) / 1000)} s; exit codes ${codes.join(', ')}; ${late} signals came too late; ${whole} files verified, ${unreceipted} whole without a receipt, ${swept} temporary folders swept; ${pods.length + alive.size} debug pods and ${left.length + recorders.length} processes left; ${problems.length} problems\n`,
  );
  expect(problems.join('\n')).toBe('');
});
