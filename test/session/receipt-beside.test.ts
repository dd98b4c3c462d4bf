import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiptBeside } from '../../src/session/receipt.ts';
import { needing } from '../needing.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-receipts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const RECEIPT = { receiptVersion: 1, plan: { targets: [{ kind: 'node', node: 'n' }] } };

describe('receiptBeside', () => {
  it.each(['a.pcap.gz', 'a.pcap', 'a.perf-script.txt.gz'])('finds the receipt of %s', async (name) => {
    writeFileSync(at('a.receipt.json'), JSON.stringify(RECEIPT));
    expect(await receiptBeside(at(name))).toEqual(RECEIPT);
  });
  it.each(['a.folded', 'a', '-', 'none.pcap'])('finds none for %s', async (name) =>
    expect(await receiptBeside(at(name))).toBeUndefined(),
  );
  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"receiptVersion":2,"plan":{"targets":[]}}',
    '{"receiptVersion":1}',
    '{"receiptVersion":1,"plan":{"targets":"x"}}',
    `${JSON.stringify(RECEIPT)}${' '.repeat(1 << 20)}`,
  ])('does not take %.40s for a receipt', async (text) => {
    writeFileSync(at('b.receipt.json'), text);
    expect(await receiptBeside(at('b.pcap'))).toBeUndefined();
  });
  it('does not read a folder', async () => {
    mkdirSync(at('d.receipt.json'));
    expect(await receiptBeside(at('d.pcap'))).toBeUndefined();
  });
  needing('mkfifo')('does not wait for a FIFO', async () => {
    execFileSync('mkfifo', [at('c.receipt.json')]);
    expect(await receiptBeside(at('c.pcap'))).toBeUndefined();
  });
});
