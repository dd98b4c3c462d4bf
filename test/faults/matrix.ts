/** Which fault is made in which stage of a recording, and how a recording may end after it. Pure: test/e2e/fault-matrix.test.ts makes them. */

export const STAGES = [
  'create',
  'pull',
  'start',
  'capture',
  'stop',
  'finish',
  'copy',
  'verify',
  'delete',
] as const;
export type Stage = (typeof STAGES)[number];

export const STAGE_MEANING: Readonly<Record<Stage, string>> = {
  create: 'the debug pod is being created',
  pull: 'the node pulls the image',
  start: 'the debug pod exists and does not record yet',
  capture: 'it records',
  stop: 'the node is being asked to stop, after Ctrl-C',
  finish: 'the node finishes the file',
  copy: 'the file is being copied',
  verify: 'every byte is here and is being compared',
  delete: 'the verified file has its name, and the debug pod is being deleted',
};

export const CLASSES = ['client', 'connection', 'API server', 'node', 'target', 'hostile'] as const;
export type FaultClass = (typeof CLASSES)[number];

export interface FaultRow {
  readonly name: string;
  readonly group: FaultClass;
  /** The exit codes that the documentation allows after this fault, for each stage in which it is made. */
  readonly stages: Readonly<Partial<Record<Stage, readonly number[]>>>;
  /** The stages in which `npm test` makes it, too. */
  readonly quick?: readonly Stage[];
  /** It disturbs whatever else runs on the node, so nothing else runs meanwhile. */
  readonly isAlone?: boolean;
  /** How long the node keeps the file, in seconds, if not KEEP_SECONDS. */
  readonly keepSeconds?: number;
}

/** Long enough for most faults that pass. */
export const KEEP_SECONDS = 90;

const DONE = [0];
/** The file is kept on the node, and the printed command gets it. */
const KEPT = [5];
const GONE = [3];

export const FAULTS: readonly FaultRow[] = [
  {
    name: 'Ctrl-C once (SIGINT)',
    group: 'client',
    stages: {
      create: [130],
      pull: [130],
      start: [130],
      capture: DONE,
      finish: DONE,
      copy: DONE,
      verify: [0, 5],
      delete: [0, 5],
    },
    quick: ['create', 'finish'],
  },
  {
    name: 'Ctrl-C twice',
    group: 'client',
    stages: { create: [130], start: [130], stop: [130], finish: [130], copy: [130], delete: [0, 5] },
    quick: ['copy'],
  },
  { name: 'SIGTERM', group: 'client', stages: { start: [143], capture: DONE, stop: [130], copy: DONE } },
  { name: 'SIGHUP', group: 'client', stages: { create: [129], finish: DONE, verify: [0, 5] } },
  {
    name: 'kill -9 (SIGKILL)',
    group: 'client',
    keepSeconds: 8, // The debug pod ends by itself, and should not be waited for long.
    stages: {
      create: [137],
      pull: [137],
      start: [137],
      capture: [137],
      stop: [137],
      finish: [137],
      copy: [137],
      verify: [137, 0],
      delete: [137, 0],
    },
    quick: ['start'],
  },
  {
    name: 'stopped for 20 s (SIGSTOP, SIGCONT)',
    group: 'client',
    stages: { create: DONE, capture: DONE, copy: DONE, delete: DONE },
    quick: ['capture'],
  },
  {
    name: 'disk full in the output folder',
    group: 'client',
    stages: { capture: KEPT, copy: KEPT, verify: [0, 5] },
    quick: ['capture'],
  },
  {
    name: 'output folder removed',
    group: 'client',
    stages: { start: KEPT, capture: KEPT, copy: KEPT },
    quick: ['capture'],
  },
  {
    name: 'connections reset',
    group: 'connection',
    stages: {
      create: DONE,
      pull: DONE,
      start: DONE,
      capture: DONE,
      stop: DONE,
      finish: DONE,
      copy: DONE,
      verify: DONE,
      delete: DONE,
    },
    quick: ['stop'],
  },
  {
    name: 'black hole for 5 s',
    group: 'connection',
    stages: { create: DONE, start: DONE, stop: DONE, verify: DONE },
    quick: ['stop'],
  },
  {
    name: 'black hole for 30 s',
    group: 'connection',
    stages: { pull: DONE, capture: DONE, finish: DONE, copy: DONE, delete: DONE },
  },
  {
    name: 'black hole for 120 s',
    group: 'connection',
    keepSeconds: 600, // The default of --keep: a node that keeps a file for 90 s has nothing left after this.
    stages: { start: [0, 3], capture: DONE, copy: [0, 5], delete: [0, 5] },
  },
  { name: '1 kB/s', group: 'connection', stages: { start: [0, 3, 5], copy: [0, 5] } },
  {
    name: '3 s to open a connection',
    group: 'connection',
    stages: { create: DONE, stop: DONE, copy: DONE, delete: DONE },
  },
  {
    name: 'a stream cut short that ends well',
    group: 'connection',
    stages: { capture: DONE, finish: DONE, copy: DONE },
    quick: ['copy'],
  },
  {
    name: 'away for 10 s',
    group: 'API server',
    stages: { create: DONE, start: DONE, capture: DONE, stop: DONE, verify: DONE, delete: DONE },
  },
  {
    name: 'killed and started again (SIGKILL)',
    group: 'API server',
    isAlone: true,
    stages: { create: DONE, start: DONE, capture: DONE, stop: DONE, finish: DONE, copy: DONE, delete: DONE },
    quick: ['copy'],
  },
  {
    name: '429 with Retry-After for 5 s',
    group: 'API server',
    stages: { create: DONE, pull: DONE, start: DONE, stop: DONE, copy: DONE, delete: DONE },
    quick: ['create', 'copy'],
  },
  {
    name: '500 for 5 s',
    group: 'API server',
    stages: { create: DONE, start: DONE, capture: DONE, finish: DONE, copy: DONE, delete: DONE },
    quick: ['finish'],
  },
  {
    name: '401 from now on (expired token)',
    group: 'API server',
    stages: { create: GONE, start: GONE, capture: [3, 5], copy: KEPT, delete: KEPT },
    quick: ['copy'],
  },
  {
    name: 'containers of the debug pod killed (capture)',
    group: 'node',
    stages: { start: [3, 4], capture: KEPT, finish: KEPT, copy: DONE },
  },
  { name: 'perf or tcpdump killed', group: 'node', stages: { capture: KEPT } },
  {
    name: 'containers of the debug pod killed (files)',
    group: 'node',
    stages: { capture: GONE, copy: [0, 3] },
    quick: ['copy'],
  },
  {
    name: 'debug pod deleted by somebody else',
    group: 'node',
    stages: {
      create: GONE,
      pull: GONE,
      start: GONE,
      capture: [0, 3],
      stop: [0, 3],
      finish: [0, 3],
      copy: [0, 3],
      verify: DONE,
      delete: DONE,
    },
    quick: ['start'],
  },
  { name: 'debug pod evicted', group: 'node', stages: { start: GONE, capture: [0, 3], copy: [0, 3] } },
  {
    name: 'no more room for its file (RLIMIT_FSIZE)',
    group: 'node',
    stages: { capture: KEPT, finish: [0, 4, 5] },
  },
  {
    name: 'kubelet restarted',
    group: 'node',
    isAlone: true,
    stages: { start: DONE, capture: DONE, copy: DONE },
  },
  { name: 'containerd restarted', group: 'node', isAlone: true, stages: { capture: DONE, copy: DONE } },
  {
    name: "the node's disk full",
    group: 'node',
    isAlone: true,
    stages: { pull: [4], capture: KEPT },
  },
  { name: 'twenty sessions on one node', group: 'node', isAlone: true, stages: { create: DONE } },
  {
    name: 'node drained (kubectl drain)',
    group: 'node',
    isAlone: true,
    stages: { start: GONE, capture: [0, 3], copy: [0, 3] },
  },
  {
    name: 'node NotReady for a while (no kubelet)',
    group: 'node',
    isAlone: true,
    stages: { start: DONE, capture: DONE, copy: DONE },
  },
  {
    name: 'target deleted',
    group: 'target',
    stages: { create: [3, 4, 5], start: [3, 4, 5], capture: KEPT, finish: [0, 5], copy: [0, 5] },
    quick: ['start'],
  },
  {
    name: 'a container of the target restarted',
    group: 'target',
    stages: { start: [0, 3, 4, 5], capture: [0, 5], stop: [0, 5], copy: [0, 5] },
  },
  {
    name: 'artifact replaced on the node',
    group: 'hostile',
    stages: { copy: [0, 5], verify: DONE },
    quick: ['copy'],
  },
  {
    name: 'lines in the log that are not ours',
    group: 'hostile',
    stages: { capture: DONE, finish: DONE },
    quick: ['capture'],
  },
];

/** Stages in which a class of faults has no cell, each with the reason. */
export const WITHOUT: Readonly<Record<FaultClass, Partial<Record<Stage, string>>>> = {
  client: {},
  connection: {},
  'API server': {},
  node: {},
  target: {
    pull: 'as at `start`: the target is looked for when the script starts',
    verify: 'the recording has ended, as at `copy`',
    delete: 'the file is here, and the target was looked at for the last time',
  },
  hostile: {
    create: 'nothing on the node is read yet',
    pull: 'nothing on the node is read yet',
    start: 'as at `capture`: the log is read from its first line',
    stop: 'as at `capture`',
    delete: 'nothing on the node is read any more',
  },
};

/** How a cell ended. */
export interface Outcome {
  readonly fault: string;
  readonly stage: Stage;
  readonly status: number | undefined;
  readonly stderr: string;
  /** An artifact that has the size and SHA-256 of its receipt is there. */
  readonly isVerified: boolean;
  /** Final names of files that are not what a receipt or their format says. */
  readonly broken: readonly string[];
  /** Temporary folders that are left, also after the next command that writes there. */
  readonly remains: readonly string[];
  /** What the printed command did, typed after the fault was over. */
  readonly command?: 'got the file' | 'refused a changed file' | 'failed';
  /** Where the debug pod was a minute later: whether it still ran. */
  readonly isPodLeft: boolean;
}

/** What is wrong with an outcome, one phrase each. */
export function outcomeProblems(outcome: Outcome, allowed: readonly number[]): string[] {
  const { status, stderr, isVerified, broken, remains, command, isPodLeft } = outcome;
  const problems = broken.map((name) => `${name} is not whole`);
  if (status === undefined || !allowed.includes(status))
    problems.push(`status ${status}, and not ${allowed.join(' or ')}`);
  if (remains.length) problems.push(`${remains.join(', ')} stays for ever`);
  if (isPodLeft) problems.push('its debug pod is left');
  if (/this is a bug/.test(stderr)) problems.push('it calls itself a bug');
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(stderr)) problems.push('it prints control characters');
  const errors = stderr.match(/^error: .*$/gm) ?? [];
  if (status === 137) return problems;
  if (status === 0) {
    if (!isVerified) problems.push('status 0 without a verified file');
    if (errors.length) problems.push('status 0 with an error');
    return problems;
  }
  // Nothing was seen, which is no error: the empty recording is here, and a warning says why it is empty.
  if (status === 4 && errors.length === 0 && /^warning: .*(?:0 samples|no packet)/m.test(stderr))
    return problems;
  // A file that is here and incomplete needs no error: the warnings say what is missing.
  if (errors.length !== 1 && !(status === 5 && isVerified))
    problems.push(`${errors.length} errors, and not one`);
  if (status === 5 && isVerified && saidOf(outcome) === '') problems.push('it does not say what is missing');
  if (status === 5 && !isVerified && command !== 'got the file' && command !== 'refused a changed file')
    problems.push(`status 5 without a file, and its command ${command ?? 'is missing'}`);
  if (status !== 5 && isVerified) problems.push(`status ${status}, but there is a file`);
  return problems;
}

/** A cell of the table: the exit code and what there is to show for it. */
export function outcomeText({ status, isVerified, command }: Outcome): string {
  const what = isVerified
    ? 'file'
    : command === undefined
      ? ''
      : command === 'got the file'
        ? 'command'
        : command;
  return what ? `${status}, ${what}` : String(status);
}

/** The sentence that was said, without what differs from run to run; undefined where the recording was whole. */
export function saidOf({ status, stderr }: Outcome): string | undefined {
  if (status === undefined || status === 0 || status > 128) return undefined;
  const line =
    /^error: (.*)$/m.exec(stderr)?.[1] ??
    [...stderr.matchAll(/^(?:warning: )?(.*)$/gm)]
      .filter(([whole, text]) => whole !== text || /^stopped after .*: /.test(whole))
      .map(([, text]) => text)
      .join('; ');
  return line
    .replaceAll(/gkeprof-(?:perf|tcpdump)-[0-9a-f]{10}[\w-]*/g, 'POD')
    .replaceAll(/\/[^\s']+\/[^\s']+\.(?:(?:pcap|txt)\.gz|perf\.data|pcap)\b/g, 'FILE')
    .replaceAll(/'?\/[^\s']*\/files\b'?/g, 'FOLDER')
    .replaceAll(/\b\d+(?:\.\d+)? (?:[KM]i)?B\b/g, 'N bytes')
    .replaceAll(/\b\d+(?:\.\d+)?s\b/g, 'N seconds')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'SUM')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'SERVER')
    .replaceAll(/victim-\d+/g, 'TARGET')
    .replaceAll(/kubectl --?\S.*$/g, 'kubectl …');
}

/** What a page says of one cell. */
export interface ShownCell {
  readonly text: string;
  readonly said?: string;
}

/** `FAULT at STAGE`: the name of a cell. */
export const cellName = (fault: string, stage: Stage): string => `${fault} at ${stage}`;

/** The cells of a class by their names, out of what `tableOf` wrote. */
export function cellsIn(section: string): Map<string, ShownCell> {
  const said = new Map(
    [...section.matchAll(/^- (.*? at \w+): (.*)$/gm)].map(([, name, text]) => [name!, text!] as const),
  );
  const rows = section.split('\n').filter((line) => /^\| (?!---|fault \|)/.test(line));
  return new Map(
    rows.flatMap((row) => {
      const [fault, ...texts] = row
        .slice(2)
        .split('|')
        .map((text) => text.trim());
      return STAGES.flatMap((stage, at) => {
        const name = cellName(fault!, stage);
        const text = texts[at] ?? '';
        const words = said.get(name);
        return text ? [[name, { text, ...(words !== undefined && { said: words }) }] as const] : [];
      });
    }),
  );
}

/** The cell of an outcome. */
export function shown(outcome: Outcome): ShownCell {
  const said = saidOf(outcome);
  return { text: outcomeText(outcome), ...(said !== undefined && { said }) };
}

/** The table of a class: a row for each fault, a column for each stage, and below it what was said. */
export function tableOf(group: FaultClass, cells: ReadonlyMap<string, ShownCell>): string {
  const rows = FAULTS.filter((fault) => fault.group === group);
  const said = rows.flatMap(({ name }) =>
    STAGES.flatMap((stage) => {
      const words = cells.get(cellName(name, stage))?.said;
      return words === undefined ? [] : [`- ${cellName(name, stage)}: ${words}`];
    }),
  );
  return [
    `| fault | ${STAGES.join(' | ')} |`,
    `| --- |${' --- |'.repeat(STAGES.length)}`,
    ...rows.map(
      ({ name }) =>
        `| ${name} | ${STAGES.map((stage) => cells.get(cellName(name, stage))?.text ?? '').join(' | ')} |`,
    ),
    ...(said.length ? ['', ...said] : []),
  ].join('\n');
}
