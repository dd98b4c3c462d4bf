import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { captureSubject } from '../../src/workflow/capture-subject.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-subject-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const receipt = (name: string, content: unknown) =>
  writeFileSync(
    join(folder, `${name}.receipt.json`),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
const subject = (...names: string[]) =>
  captureSubject(names.map((name) => (name === '-' ? name : join(folder, name))));
const pod = (name: string, container?: string) => ({
  kind: 'pod',
  namespace: 'redis',
  name,
  ...(container && { container: { name: container } }),
});
const made = (target: object) => ({ receiptVersion: 1, plan: { node: 'node-b', targets: [target] } });

it('is the pod or the node of the receipt, and else the name of the file', async () => {
  receipt('a', made(pod('redis-0')));
  receipt('b', made(pod('redis-1', 'redis')));
  receipt('c', made({ kind: 'node', node: 'node-b' }));
  expect(await subject('a.pcap')).toBe('pod redis/redis-0 on node-b');
  expect(await subject('b.pcap.gz')).toBe('pod redis/redis-1, container redis, on node-b');
  expect(await subject('c.pcap')).toBe('node node-b');
  expect(await subject('d.pcap')).toBe('d.pcap');
  expect(await subject('-')).toBe('stdin');
  expect(await subject('a.pcap', 'd.pcap', 'a.pcap.gz')).toBe('pod redis/redis-0 on node-b, d.pcap');
});

it('takes nothing from what is not a receipt of ours', async () => {
  for (const content of ['', '{', 'null', { receiptVersion: 2, plan: {} }, { receiptVersion: 1 }]) {
    receipt('other', content);
    expect(await subject('other.pcap')).toBe('other.pcap');
  }
});
