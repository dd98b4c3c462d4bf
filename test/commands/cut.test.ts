import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { faults } from '../schemas.ts';
import { recorded } from './recorded.ts';

const STACKS = gzipSync(
  '# cmdline : perf record\na  1/1  [000]  1.000000:  10101010 cycles: \n\t     55d0 f+0x1 (/bin/a)\n\n',
);
const SAMPLES = Buffer.from('PERFILE2 and the rest');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-cut-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = (verb: 'flamegraph' | 'pcap', file: string, data: Buffer, more: Record<string, unknown>) =>
  recorded(folder, verb, file, data, more, '-o', 'json');
const profile = (file: string, data: Buffer, more: Record<string, unknown>) =>
  record('flamegraph', file, data, more);

describe('pcap', () => {
  it('keeps packets that the node could not compress, under their own name', async () => {
    const run = await record('pcap', 'capture.pcap', Buffer.from('packets'), { packets: 1 });
    expect(run.code).toBe(0);
    expect(run.receipt.artifact.file).toMatch(/\.netns_default_redis-0\.pcap$/);
    expect(readFileSync(join(folder, run.receipt.artifact.file), 'utf8')).toBe('packets');
  });
});

describe('pcap of a node whose disk was full', () => {
  it('says that the packets are not all here, in a line, in the receipt, in the result and by exit code 5', async () => {
    const run = await record('pcap', 'capture.pcap', Buffer.from('packets'), { packets: 1, cut: 'space' });
    expect(run.stderr).toContain(
      'warning: the recording is incomplete, only its beginning was kept: there was no space left for its file on the node\n',
    );
    expect(run.code).toBe(5);
    expect(run.receipt.capture.cut).toBe('space');
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ cut: 'space', packets: { captured: 1 } });
    expect(faults('pcap', JSON.parse(run.stdout))).toEqual([]);
  });

  it('does not say that nothing happened, where no packet is in the file', async () => {
    const run = await record('pcap', 'capture.pcap', Buffer.from('packets'), { packets: 0, cut: 'space' });
    expect(run.stderr).not.toMatch(/no packet/);
    expect(run.code).toBe(5);
  });
});

describe('flamegraph', () => {
  it('says that the recording is cut, in a line, in the receipt, in the result and by exit code 5', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { cut: 'time' });
    expect(run.stderr).toMatch(
      /warning: the recording is incomplete, .*perf script ran out of time on the node\n/,
    );
    expect(run.code).toBe(5);
    expect(run.receipt.capture.cut).toBe('time');
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ cut: 'time', profile: { samples: 1 } });
    expect(faults('flamegraph', JSON.parse(run.stdout))).toEqual([]);
  });

  it('keeps the samples, where perf script made nothing of them', async () => {
    const run = await profile('perf.data', SAMPLES, { cut: 'failed' });
    expect(run.stderr).toMatch(
      /error: no flame graph, because perf script failed or was killed on the node, and only the node knows the names of functions; its raw samples are kept: \S+\.perf\.data\n/,
    );
    expect(run.code).toBe(5);
    expect(run.receipt).toMatchObject({ capture: { cut: 'failed' }, artifact: { bytes: SAMPLES.length } });
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.perf.data'))).toHaveLength(1);
  });

  it('warns of the memory of programs in the samples that it keeps', async () => {
    const run = await profile('perf.data', SAMPLES, { cut: 'failed', began: { stacks: 'dwarf' } });
    expect(run.stderr).toMatch(/\.perf\.data, with copies of the programs’ stacks: .* it may hold secrets\n/);
    expect(run.receipt.capture.stacks).toEqual({ way: 'dwarf', bytes: 16_384 });
  });

  it('says how many processes have no names, and is whole', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { unnamed: 2 });
    expect(run.stderr).toMatch(/warning: perf did not read the files of 2 processes, .*\n/);
    expect(run.code).toBe(0);
    expect(run.receipt.capture.unnamedProcesses).toBe(2);
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ unnamedProcesses: 2 });
  });

  it('says how many files were too large to copy, and is whole', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, {
      ...{ harvested: 3, harvested_bytes: 4096, unharvested: 1, unharvested_why: 'large' },
    });
    expect(run.stderr).toMatch(
      /warning: 1 file of programs that ended or were replaced during the recording, or with functions that a program has compiled, was not copied, because a file is larger than 256 MiB, or has more than 500,000 functions: .*\n/,
    );
    expect(run.code).toBe(0);
    const symbolFiles = { copied: 3, bytes: 4096, missed: 1, why: 'large' };
    expect(run.receipt.capture.symbolFiles).toEqual(symbolFiles);
    expect(faults('receipt', run.receipt)).toEqual([]);
    expect(JSON.parse(run.stdout)).toMatchObject({ symbolFiles });
    expect(faults('flamegraph', JSON.parse(run.stdout))).toEqual([]);
  });

  it('says that the image cannot copy any', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { unharvested: 0, unharvested_why: 'tools' });
    expect(run.stderr).toMatch(/warning: .* may have no names: the image has no perl/);
    expect(faults('receipt', run.receipt)).toEqual([]);
  });

  it('says nothing of files that were copied', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, { harvested: 3, harvested_bytes: 4096 });
    expect(run.stderr).toBe('');
    expect(run.receipt.capture.symbolFiles).toEqual({ copied: 3, bytes: 4096 });
  });

  it('says nothing of it where there is nothing to say', async () => {
    const run = await profile('perf-script.txt.gz', STACKS, {});
    expect(run.stderr).toBe('');
    expect(run.code).toBe(0);
    expect(Object.keys(run.receipt.capture)).not.toContain('cut');
    expect(Object.keys(run.receipt.capture)).not.toContain('unnamedProcesses');
  });
});
