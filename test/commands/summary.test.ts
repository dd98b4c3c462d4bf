import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recorded } from './recorded.ts';

const SAMPLE =
  'a  1/1  [000]  1.000000:  10101010 cycles: \n\t     55d0 f+0x1 (/bin/a)\n\t     0 g (/bin/a)\n\n';
const STACKS = gzipSync(`# cmdline : perf record\n${SAMPLE.repeat(60)}`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-summary-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What stands on the screen, without the folder, which is as long as it is. */
const shown = (text: string) => text.replaceAll(`${folder}/`, '').split('\n').filter(Boolean);
const file = (ending: string) => readdirSync(folder).find((name) => name.endsWith(ending))!;

describe('the summary of a recording', () => {
  it('lists every file of flamegraph, the receipt too', async () => {
    const run = await recorded(folder, 'flamegraph', 'perf-script.txt.gz', STACKS, {});
    expect(shown(run.stdout)).toEqual([
      `Flamegraph:       ${file('.svg')}`,
      `Raw stack traces: ${file('.gz')}`,
      `Receipt:          ${file('.receipt.json')}`,
    ]);
    expect(run.code).toBe(0);
  });

  it('lists every file of pcap, the receipt too', async () => {
    const run = await recorded(folder, 'pcap', 'capture.pcap', Buffer.from('packets'), { packets: 1 });
    expect(shown(run.stdout)).toEqual([`Packets: ${file('.pcap')}`, `Receipt: ${file('.receipt.json')}`]);
    expect(run.stderr).toMatch(/^stopped after \S+ \(--duration\)$/m);
  });

  it.each([
    ['flamegraph', 'perf-script.txt.gz', STACKS, {}, []],
    ['pcap', 'capture.pcap', Buffer.from('packets'), { packets: 1, dropped: 5 }, ['--count', '9']],
    ['pcap', 'capture.pcap', Buffer.from('packets'), { packets: 0 }, ['--port', '6379']],
  ] as const)('fits 80 columns: %s', async (verb, name, data, more, words) => {
    const run = await recorded(folder, verb, name, data, more, ...words);
    const lines = shown(run.stdout + run.stderr);
    expect(lines.length).toBeGreaterThan(9);
    // Paths, the names of debug pods and a command line to copy are as long as they are.
    for (const line of lines.filter((each) => !/node-a\.|gkeprof\/gkeprof-|^hint: /.test(each)))
      expect(line.length, line).toBeLessThanOrEqual(80);
  });
});
