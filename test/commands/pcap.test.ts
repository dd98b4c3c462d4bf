import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { countLines } from '../../src/commands/pcap.ts';
import type { SessionResult } from '../../src/session/result.ts';
import { fakeCluster, lines, result, status } from '../fake-cluster.ts';
import { faults } from '../schemas.ts';
import { DATA, giveRedis, SHA } from '../session/scene.ts';
import { runOn } from './on-cluster.ts';

const last = (counts: object) => ({ event: 'progress', ...counts }) as SessionResult['last'];

it('says how many packets were captured, and how many the kernel dropped', () => {
  expect(countLines({ ended: 'time', last: last({ packets: 5, dropped: 0 }) })).toEqual([
    '5 packets captured',
    '0 packets dropped by the kernel',
  ]);
  expect(countLines({ ended: 'time', last: last({ packets: 5, dropped: 2, buffer: 2048 }) })).toEqual([
    '5 packets captured',
    '2 packets dropped by the kernel: the capture has holes',
    '  narrow the filter, or use a larger buffer than 2.0 MiB: -- -B 8192',
  ]);
});

it('does not take the packets for all there were, or for none, if the container died before it counted them', () => {
  expect(countLines({ ended: 'lost', last: last({ packets: 5, dropped: 0 }) })).toEqual([
    'at least 5 packets captured: the capture container died before it had counted all of them',
  ]);
  expect(countLines({ ended: 'lost', last: undefined })).toEqual([
    'the packets are not counted, because the capture container died: kubectl gkeprof analyze counts them',
  ]);
});

it.each([
  [{ packets: 3, dropped: 1 }, { capturedAtLeast: 3, droppedByKernelAtLeast: 1 }, 'at least 3 packets'],
  [{}, { capturedAtLeast: 0, droppedByKernelAtLeast: 0 }, 'not counted: the capture container died'],
])('gives programs, the receipt and Markdown only lower bounds then: %o', async (counts, bounds, words) => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-pcap-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const run = async (...form: string[]) => {
    const cluster = fakeCluster({
      exec: async (_ref, argv) =>
        argv.includes('salvage') ? result(`${DATA.length}\n${SHA}  -\n`) : result(),
      copy: async (_ref, _path, directory, name) => {
        writeFileSync(join(directory, name), DATA);
        return result();
      },
    });
    giveRedis(cluster, ({ event }) =>
      lines([event('hello'), event('capturing'), event('progress', { bytes: 24, ...counts })]),
    );
    const create = cluster.createPod;
    cluster.createPod = async (...args) => {
      const pod = await create(...args);
      const state = { terminated: { reason: 'OOMKilled', exitCode: 137 } };
      cluster.pods.get(pod.metadata!.name!)!.status!.containerStatuses = [status('capture', state)] as never;
      return pod;
    };
    const ran = await runOn(cluster, ['pcap', 'pod/redis-0', '--output-dir', folder, ...form]);
    expect(ran.code, ran.stderr).toBe(5);
    return ran.stdout;
  };
  const data = JSON.parse(await run('-o', 'json'));
  expect(faults('pcap', data)).toEqual([]);
  expect(data).toMatchObject({ ended: 'lost', packets: bounds });
  const path = data.files.find(({ role }: { role: string }) => role === 'receipt').path;
  const receipt = JSON.parse(readFileSync(path, 'utf8'));
  expect(faults('receipt', receipt)).toEqual([]);
  expect(receipt.capture.packets).toEqual(bounds);
  expect(await run('--markdown')).toContain(words);
});
