import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { randomFrom } from '../random.ts';
import { faults } from '../schemas.ts';
import { cycle, synthetic } from '../waits/synthetic.ts';

const RECORDING = synthetic({
  durationUs: 5e6,
  rateHz: 50,
  random: randomFrom(3),
  header: ['cgroup 1 scope 20000 100000 /pod', 'sock 0 1 tcp out 10.0.0.5:4000 10.0.0.9:5432'],
  threads: [
    {
      tid: 100,
      comm: 'worker',
      next: cycle([
        { does: 'run', us: 10_000 },
        { does: 'wait', us: 90_000, object: 's:1' },
      ]),
    },
  ],
}).text;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-waits-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function recording(bytes: string | Uint8Array = gzipSync(RECORDING)): string {
  const path = join(folder, 'a.waits.txt.gz');
  writeFileSync(path, bytes);
  return path;
}
const render = (path: string, ...words: string[]) =>
  gkeprof(['render', path, '--output-dir', folder, ...words]);

describe('the command line of waits', () => {
  it.each([
    [[], 'missing target'],
    [['node/a'], 'waits cannot be recorded of a whole node'],
    [['pod/a', '--split'], 'unknown flag: --split'],
    [['pod/a', '--duration', 'x'], '--duration: "x" is not a duration'],
    [['pod/a', '--detach', '--open'], '--detach and --open cannot be used together'],
    [['pod/a', '-o', 'table'], '-o: unknown format "table"'],
  ])('%j: one clear line and a hint', async (words, message) => {
    const { code, stdout, stderr } = await gkeprof(['waits', ...words]);
    expect([code, stdout.length]).toEqual([2, 0]);
    expect(stderr).toContain(`error: ${message}`);
    expect(stderr).toMatch(/^hint: \S/m);
  });
  it('is what somebody means who types off-cpu', async () =>
    expect((await gkeprof(['offcpu'])).stderr).toContain('did you mean waits?'));
});

describe('render of a recording of waits', () => {
  it('prints the tables, and writes the page', async () => {
    const { code, stdout, stderr } = await render(recording());
    expect(code, stderr).toBe(0);
    expect(String(stdout)).toMatch(
      /^PROCESS +THREADS +COUNT +RUNNING +NETWORK\nprogram +worker +1 +\d+\.\d % +\d+\.\d %\n/,
    );
    expect(String(stdout)).toContain('waiting for 10.0.0.9:5432 (network)');
    expect(readdirSync(folder)).toContain('a.waits.html');
  });

  it('is what its schema says, and Markdown', async () => {
    const { stdout } = await render(recording(), '-o', 'json');
    const data = JSON.parse(String(stdout));
    expect(faults('render', data)).toEqual([]);
    expect(data.waits.groups[0].waits[0].peer).toEqual({
      address: '10.0.0.9',
      port: 5432,
      protocol: 'tcp',
      direction: 'out',
    });
    const block = String((await render(recording(), '--markdown')).stdout);
    expect(block).toMatch(/^### Waits: a\.waits\.txt\.gz\n\nWhat stands out: the thread worker spent/);
    expect(block).toMatch(/\| `worker` \| network \| \d+\.\d % \| `to 10\.0\.0\.9:5432` \|/);
  });

  it('reads what is there of a file that is cut, and says so', async () => {
    const whole = gzipSync(RECORDING, { level: 1 });
    const { code, stdout, stderr } = await render(recording(whole.subarray(0, whole.length / 2)));
    expect(code).toBe(0);
    expect(String(stdout)).toContain('worker');
    expect(stderr).toContain('warning: the end of the recording is missing: what is there was read');
  });

  it('ends with exit code 4 if no thread was seen', async () => {
    const empty = recording(gzipSync('waits 1 x86_64\nstart 0 50 2 100\nend 0 time\n'));
    const { code, stdout, stderr } = await render(empty);
    expect([code, String(stdout)]).toEqual([4, '']);
    expect(stderr).toContain('warning: no thread was seen for long enough to be measured');
  });

  it.each([
    ['what is no recording', 'redis;main 5\n', [], 1, 'is not a recording of waits'],
    ['a flag of profiles', undefined, ['--format', 'top'], 2, '--format cannot be used with a recording'],
    ['a name for the page', undefined, ['--output', 'x.html'], 2, '--output cannot name the page'],
    ['another file beside it', undefined, ['b.folded'], 2, 'a recording of waits is read alone'],
  ] as const)('refuses %s', async (_name, bytes, words, code, message) => {
    const { code: found, stderr } = await render(recording(bytes), ...words);
    expect(found).toBe(code);
    expect(stderr).toMatch(new RegExp(`^error: .*${message}`));
    expect(stderr).toMatch(/^hint: /m);
  });

  it('says what such a file is when it has another name', async () => {
    const path = join(folder, 'renamed.txt');
    writeFileSync(path, RECORDING);
    const { code, stderr } = await render(path);
    expect([code, stderr.split('\n')[0]]).toEqual([1, 'error: this is a recording of waits, not a profile']);
    expect(readFileSync(path, 'utf8')).toBe(RECORDING);
  });
});
