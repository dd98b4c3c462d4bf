import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AssetName, asset } from '../../src/assets.ts';
import type { NodeWork } from '../../src/collectors/collector.ts';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { capturePrograms, captureScript } from '../../src/collectors/script.ts';
import { type NodeEvent, parseEvent } from '../../src/node/events.ts';
import { scriptIn } from './shell.ts';

let folder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-recorders-'));
  child = undefined;
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const nonce = (recorder: number): string => String(recorder).padStart(22, '0');

/** The arguments of a pod with these recorders, each of which has these words besides its nonce. */
const several = (lists: ReadonlyArray<readonly string[]>): string[] => [
  `recorders=${lists.length}`,
  ...lists.flatMap((words, at) => [`recorder=${words.length + 1}`, `nonce=${nonce(at + 1)}`, ...words]),
];

/** The node's script while it runs, and what it left. */
interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<{
    readonly status: number | null;
    readonly lines: readonly string[];
    readonly stderr: string;
  }>;
  /** The events of a recorder so far. */
  events(recorder: number): NodeEvent[];
}

function run(argv: readonly string[], { before = '', text = captureScript(), path = '' } = {}): Run {
  const started = spawn(
    'bash',
    ['-c', scriptIn(folder, before, text), 'test', ...capturePrograms(), ...argv],
    {
      env: { ...process.env, PATH: `${path}:${process.env.PATH}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  child = started;
  let stdout = '';
  let stderr = '';
  started.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  started.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const lines = () => stdout.split('\n').filter(Boolean);
  return {
    child: started,
    ended: new Promise((resolve) =>
      started.on('close', (status) => resolve({ status, lines: lines(), stderr })),
    ),
    events: (recorder) => lines().flatMap((line) => parseEvent(line, nonce(recorder)) ?? []),
  };
}

const names = (events: readonly NodeEvent[]) => events.map(({ event }) => event);
const find = (events: readonly NodeEvent[], name: string) => events.find(({ event }) => event === name);
const out = (...path: string[]) => join(folder, 'out', ...path);

/** The words of a recorder for packets to a port of the loopback interface. */
const packets = (filter: readonly string[], durationMs = 3000): string[] => [
  ...['collector=tcpdump', 'scope=node', `duration_ms=${durationMs}`, 'max_bytes=1000000000'],
  ...['min_free_percent=0', 'install=0', 'host_network=1', 'interface=lo', 'count=0', '--', '--', ...filter],
];

/** Sends a packet to each port, again and again until it is told to stop. */
function talk(...ports: number[]): () => void {
  const socket = createSocket('udp4');
  const timer = setInterval(() => {
    for (const port of ports) socket.send(`for ${port}`, port, '127.0.0.1', () => {});
  }, 50);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}

describe('several recorders in one pod', () => {
  it('record each its own target at the same time, and one that is refused ends only itself', async () => {
    const silence = talk(40_001, 40_002);
    const lists = [
      packets(['udp', 'port', '40001']),
      packets(['no', 'filter']),
      packets(['udp', 'port', '40002']),
    ];
    const { ended, events } = run(several(lists));
    const { status, lines, stderr } = await ended;
    silence();
    expect([status, stderr]).toEqual([0, '']);
    expect(lines.filter((line) => ![1, 2, 3].some((each) => parseEvent(line, nonce(each))))).toEqual([]);
    for (const [recorder, port, other] of [
      [1, '40001', '40002'],
      [3, '40002', '40001'],
    ] as const) {
      const own = events(recorder);
      expect(names(own).filter((name) => name !== 'progress')).toEqual([
        ...['hello', 'capturing', 'tool', 'stopping', 'artifact', 'end'],
      ]);
      expect(own.map(({ seq }) => seq)).toEqual(own.map((_, at) => at + 1));
      expect(find(own, 'end')).toMatchObject({ reason: 'time', status: 0, dropped: 0 });
      const bytes = readFileSync(out(String(recorder), 'capture.pcap.gz'));
      expect(find(own, 'artifact')).toMatchObject({ file: 'capture.pcap.gz', bytes: bytes.length });
      expect(gunzipSync(bytes).includes(`for ${port}`)).toBe(true);
      expect(gunzipSync(bytes).includes(`for ${other}`)).toBe(false);
      const file = readFileSync(out(String(recorder), 'events.jsonl'), 'utf8')
        .trimEnd()
        .split('\n');
      expect(file.map((line) => parseEvent(line, nonce(recorder)))).toEqual(own);
    }
    expect(find(events(2), 'refused')).toMatchObject({ code: 'filter-rejected', log: 'tcpdump.log' });
    expect(readFileSync(out('2', 'tcpdump.log'), 'utf8')).toMatch(/syntax error|can't parse/);
    for (const [one, other] of [
      [1, 3],
      [3, 1],
    ] as const)
      expect(find(events(one), 'end')!.t).toBeGreaterThan(find(events(other), 'capturing')!.t);
    expect(readdirSync(out()).sort()).toEqual(['1', '2', '3', 'done']);
  });

  it('fail together only if all of them were refused', async () => {
    const { ended, events } = run(several([packets(['no', 'filter']), packets(['nor', 'this'])]));
    expect((await ended).status).toBe(1);
    for (const recorder of [1, 2])
      expect(find(events(recorder), 'refused')).toMatchObject({ code: 'filter-rejected' });
    expect(existsSync(out('done'))).toBe(true);
  });

  it.each([
    ['a request to stop', () => writeFileSync(join(folder, 'ctl', 'stop'), ''), 'requested'],
    ['a signal to the script, as when the pod is deleted', () => child!.kill('SIGTERM'), 'terminated'],
  ] as const)('all end after %s', async (_, ask, reason) => {
    const { ended, events } = run(several([1, 2, 3].map((at) => packets(['port', String(at)], 60_000))));
    await expect.poll(() => [1, 2, 3].every((each) => find(events(each), 'tool'))).toBe(true);
    ask();
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    for (const recorder of [1, 2, 3]) {
      expect(find(events(recorder), 'end')).toMatchObject({ reason });
      expect(existsSync(out(String(recorder), 'capture.pcap.gz'))).toBe(true);
    }
    expect(existsSync(out('done'))).toBe(true);
  });

  it('sample with perf at the same time', async () => {
    const words = [
      ...['collector=perf', 'scope=node', 'duration_ms=1000', 'max_bytes=1000000000', 'min_free_percent=0'],
      ...['install=0', 'host_network=1', 'frequency=99', 'stacks=fp', 'stack_bytes=16384', '--'],
    ];
    const { ended, events } = run(several([words, words]));
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    for (const recorder of [1, 2]) {
      expect(find(events(recorder), 'end')).toMatchObject({ reason: 'time', status: 0 });
      const text = gunzipSync(readFileSync(out(String(recorder), 'perf-script.txt.gz'))).toString();
      expect(text).toMatch(/^# cmdline : .*perf record/m);
      expect(text).toMatch(/^\S.*cycles|cpu-clock/m);
    }
  });
});

describe('arguments of several recorders', () => {
  const [first, second] = [packets(['port', '1']), packets(['port', '2'])];
  const good = several([first, second]);
  const from = good.findLastIndex((word) => word.startsWith('recorder='));
  const replaced = (at: number, word: string) => good.with(at, word);
  const snapshot = [
    ...['collector=inspect', 'scope=node', 'duration_ms=1000', 'max_bytes=0', 'min_free_percent=0'],
    ...['install=0', 'host_network=1', 'parts=probe', 'linger_ms=0', '--'],
  ];

  it.each<[string, string[]]>([
    ['no number of recorders', replaced(0, 'recorders=')],
    ['one recorder', several([first])],
    ['no recorder', ['recorders=0']],
    ['a number of recorders that is none', replaced(0, 'recorders=a[$(touch /tmp/gkeprof-pwned)]')],
    ['a number of recorders with a zero before it', replaced(0, 'recorders=02')],
    ['a recorder more than there are', replaced(0, 'recorders=3')],
    ['a recorder less than there are', several([first, second, first]).with(0, 'recorders=2')],
    ['nothing but their number', ['recorders=2']],
    ['a list that is longer than it says', replaced(1, `recorder=${first.length}`)],
    ['a list that is shorter than it says', replaced(1, `recorder=${first.length + 2}`)],
    ['a last list that is longer than it says', [...good, 'x']],
    ['a last list that is shorter than it says', good.slice(0, -1)],
    ['a number of words that is none', replaced(from, 'recorder=1+1')],
    ['no words', [...good.slice(0, from), 'recorder=0']],
    ['words before the first list', good.toSpliced(1, 0, 'x')],
    ['words between the lists', good.toSpliced(from, 0, 'x')],
    ['another collector in the second list', replaced(from + 2, 'collector=perf')],
    ['the collector at another place', good.with(from + 2, good[from + 3]!).with(from + 3, good[from + 2]!)],
    // The admission policy would take it for a list of its own.
    ['a word of a filter that looks like a list', several([packets(['recorder=5']), second])],
    ['snapshots, which are for one target', several([snapshot, snapshot])],
    [
      'a collector that nobody knows',
      several([
        ['collector=x', '--'],
        ['collector=x', '--'],
      ]),
    ],
    [
      'a function as a collector',
      several([
        ['collector=perf_ebpf', '--'],
        ['collector=perf_ebpf', '--'],
      ]),
    ],
  ])('are refused as a whole if they have %s', async (_, argv) => {
    const { ended } = run(argv);
    const { status, lines } = await ended;
    expect(lines).toEqual([expect.stringContaining('"event":"refused","code":"bad-argument"')]);
    expect(status).toBe(1);
    expect(existsSync(out('done'))).toBe(true);
    expect(existsSync(out('1'))).toBe(false);
  });

  it('are refused for one recorder alone if its own list is wrong', async () => {
    const { ended, events } = run(several([first.with(3, 'max_bytes=x'), packets(['port', '2'], 300)]));
    expect((await ended).status).toBe(0);
    expect(events(1)).toMatchObject([{ event: 'refused', code: 'bad-argument' }]);
    expect(find(events(2), 'end')).toMatchObject({ reason: 'time' });
  });
});

// A collector that writes down when it finishes, waits there for another one if there is a file `meets`, and needs a tool that is not there.
const SLOW_SH = `
COLLECTOR_ARGUMENTS[slow]=''
COLLECTOR_SCOPES[slow]='node'
COLLECTOR_WORDS[slow]=''
slow_run() { capture_until_end; }
slow_needs() { tools=(gkeprof-slow-tool) packages=(slow); }
slow_version() { :; }
slow_prepare() { :; }
slow_start() { sleep 60 & tool_pid=$!; }
slow_bytes() { bytes=0; }
slow_counts() { counts=(); }
slow_stop() { kill "$tool_pid"; wait "$tool_pid"; tool_status=0; }
slow_finish() {
  echo begins >>"$SHARED/order"
  mkdir "$SHARED/finishing" 2>/dev/null || : >"$SHARED/overlap"
  sleep 0.3
  if [[ -e $SHARED/../meets ]]; then
    for ((tries = 0; tries < 600; tries += 1)); do [[ ! -e $SHARED/overlap ]] || break; sleep 0.1; done
  fi
  echo ends >>"$SHARED/order"
  [[ \${arg[nonce]} != *1 || ! -e $SHARED/../dies ]] || kill -KILL "$BASHPID"
  rmdir "$SHARED/finishing" 2>/dev/null
  [[ \${arg[nonce]} != *2 || ! -e $SHARED/../refuses ]] || refuse slow-failed
}
`;
const slow: NodeWork = {
  name: 'slow',
  scripts: ['collectors/slow/slow.sh' as AssetName],
  samples: [],
  describe: () => 'slow',
  nodeArguments: () => ({ keys: [], words: [] }),
};
const text = captureScript([...COLLECTORS, slow], (name) =>
  slow.scripts.includes(name) ? SLOW_SH : asset(name),
);
const words = (install: 0 | 1, durationMs = 200) => [
  ...['collector=slow', 'scope=node', `duration_ms=${durationMs}`, 'max_bytes=1000', 'min_free_percent=0'],
  ...[`install=${install}`, 'host_network=1', '--'],
];

/** A folder for PATH in which these programs are. */
function programs(of: Readonly<Record<string, string>>): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const [name, script] of Object.entries(of))
    writeFileSync(join(bin, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  return bin;
}

describe('the turns of recorders that finish', () => {
  const ONE_CPU = 'echo 1';
  const tool = ':';

  it('are as many at once as there are CPUs', async () => {
    const path = programs({ getconf: ONE_CPU, 'gkeprof-slow-tool': tool });
    writeFileSync(join(folder, 'refuses'), '');
    const { ended, events } = run(several([words(0), words(0), words(0)]), { text, path });
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(existsSync(join(folder, 'work', 'overlap'))).toBe(false);
    const ends = [1, 2, 3].map((each) => events(each).at(-1)!);
    expect(ends.map(({ event }) => event)).toEqual(['end', 'refused', 'end']);
    expect(readFileSync(join(folder, 'work', 'order'), 'utf8')).toBe('begins\nends\n'.repeat(3));
  });

  it('are more on a node with more CPUs', async () => {
    const path = programs({ getconf: 'echo 8', 'gkeprof-slow-tool': tool });
    writeFileSync(join(folder, 'meets'), '');
    const { ended } = run(several([words(0), words(0)]), { text, path });
    expect((await ended).status).toBe(0);
    expect(existsSync(join(folder, 'work', 'overlap'))).toBe(true);
  });

  it('are not waited for any more if a recorder dies in its turn and time is up', async () => {
    const path = programs({ getconf: ONE_CPU, 'gkeprof-slow-tool': tool });
    writeFileSync(join(folder, 'dies'), '');
    const hasty = text.replace('30000 *', '900 *');
    expect(hasty).not.toBe(text);
    // The first one finishes first.
    const { ended, events } = run(several([words(0, 100), words(0, 400)]), { text: hasty, path });
    const { status } = await ended;
    expect(status).toBe(0);
    expect(find(events(1), 'end')).toBeUndefined();
    expect(find(events(2), 'end')).toMatchObject({ reason: 'time' });
    expect(existsSync(out('done'))).toBe(true);
  });

  it('are not waited for when the pod is being deleted', async () => {
    const path = programs({ getconf: ONE_CPU, 'gkeprof-slow-tool': tool });
    writeFileSync(join(folder, 'meets'), '');
    const {
      ended,
      events,
      child: script,
    } = run(several([1, 2, 3, 4].map(() => words(0, 60_000))), { text, path });
    await expect.poll(() => [1, 2, 3, 4].every((each) => find(events(each), 'capturing'))).toBe(true);
    script.kill('SIGTERM');
    expect((await ended).status).toBe(0);
    expect(existsSync(join(folder, 'work', 'overlap'))).toBe(true);
    for (const each of [1, 2, 3, 4])
      expect(find(events(each), 'end')).toMatchObject({ reason: 'terminated' });
  });
});

describe('tools that are missing', () => {
  it('are installed by one recorder for all', async () => {
    const apt = `echo "$1" >>${folder}/apt; [[ $1 != install ]] || { sleep 0.5; printf '#!/bin/sh\\n' >${folder}/bin/gkeprof-slow-tool; chmod +x ${folder}/bin/gkeprof-slow-tool; }`;
    const path = programs({ 'apt-get': apt });
    const { ended, events } = run(several([words(1), words(1), words(1)]), { text, path });
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(readFileSync(join(folder, 'apt'), 'utf8')).toBe('update\ninstall\n');
    for (const each of [1, 2, 3])
      expect(names(events(each)).slice(0, 4)).toEqual(['hello', 'installing', 'installed', 'capturing']);
  });

  it('are not tried to be installed again after one recorder could not', async () => {
    const path = programs({ 'apt-get': `echo "$1" >>${folder}/apt; echo no network >&2; exit 100` });
    const { ended, events } = run(several([words(1), words(1), words(1)]), { text, path });
    expect((await ended).status).toBe(1);
    expect(readFileSync(join(folder, 'apt'), 'utf8')).toBe('update\n');
    for (const each of [1, 2, 3]) {
      expect(find(events(each), 'refused')).toMatchObject({ code: 'install-failed', log: 'install.log' });
      expect(readFileSync(out(String(each), 'install.log'), 'utf8')).toBe('no network\n');
    }
  });
});
