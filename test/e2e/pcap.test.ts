import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { captures, gkeprof, kubectl, leavesNothing, NAMESPACE, outputFolder, start, world } from './world.ts';

/** tshark as the judge: the values of one field over the packets that a display filter leaves. */
async function tshark(file: string, field: string, filter = 'frame'): Promise<string[]> {
  const result = await execa('tshark', ['-n', '-r', file, '-Y', filter, '-T', 'fields', '-e', field]);
  return result.stdout.split('\n').filter(Boolean);
}

const figure = (stderr: string, words: string): number =>
  Number(new RegExp(`^(\\d+) ${words}`, 'm').exec(stderr)?.[1] ?? -1);

const receiptOf = (file: string): { bufferKiB: number } =>
  JSON.parse(readFileSync(file.replace('.pcap.gz', '.receipt.json'), 'utf8')).capture.packets;

/** The buffers of the tcpdumps that run with this filter: the nodes are on this machine. */
const buffersOf = (filter: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // It is gone.
      }
    })
    .filter((line) => line.startsWith('tcpdump ') && line.includes(filter))
    .map((line) => Number(/ -B (\d+) /.exec(line)?.[1]));

describe('pcap', () => {
  leavesNothing();
  const output = outputFolder();
  const pcapFile = () => join(output.path(), output.files().find((file) => file.endsWith('.pcap.gz'))!);
  const capture = (words: readonly string[]) =>
    gkeprof(['pcap', '-n', NAMESPACE, '--output-dir', output.path(), ...words]);

  it('captures one port in the network namespace, loopback included, and tshark agrees with its counts', async () => {
    // Long enough for the client on the other node, which asks a few times a second.
    const run = await capture(['pod/redis-0', '--port', '6379', '--duration', '6s']);
    expect(run.stderr).toContain('Results:');
    expect(run.code).toBe(0);
    const ip = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.status.podIP}']);
    const opening = run.stderr.split('\n').slice(0, 3).join('\n');
    for (const word of [ip, 'netns', 'port 6379', '6s', '1.0 GiB', 'Ctrl-C']) expect(opening).toContain(word);
    expect(output.files().find((file) => file.endsWith('.pcap.gz'))).toMatch(
      new RegExp(`^${world().nodes[0]}\\.\\d{8}_\\d{6}_UTC\\.netns_${NAMESPACE}_redis-0\\.pcap\\.gz$`),
    );
    const receiptFile = pcapFile().replace('.pcap.gz', '.receipt.json');
    expect(run.stdout).toBe(`Packets: ${pcapFile()}\nReceipt: ${receiptFile}`);
    const ports = await tshark(pcapFile(), 'frame.number', 'not tcp.port == 6379');
    expect(ports).toEqual([]);
    const frames = await tshark(pcapFile(), 'frame.number');
    expect(frames.length).toBeGreaterThan(100);
    expect(figure(run.stderr, 'packets captured')).toBe(frames.length);
    expect(figure(run.stderr, 'packets dropped by the kernel')).toBeGreaterThanOrEqual(0);
    expect((await tshark(pcapFile(), 'frame.number', 'ip.addr == 127.0.0.1')).length).toBeGreaterThan(0);
    expect(
      (await tshark(pcapFile(), 'frame.number', `ip.addr == ${ip} and not ip.addr == 127.0.0.1`)).length,
    ).toBeGreaterThan(0);
    expect(run.stderr).toMatch(/contains payload, delete it after the analysis\n/);
    expect(run.stderr).toMatch(/^delete it: rm /m);
    const receipt = JSON.parse(readFileSync(receiptFile, 'utf8'));
    expect(receipt.capture.packets.captured).toBe(frames.length);
    const sum = await execa('sha256sum', [pcapFile()]);
    expect(sum.stdout.split(' ')[0]).toBe(receipt.artifact.sha256);
    // The times in the file lie within the capture, by the node's clock, which is this machine's.
    const times = (await tshark(pcapFile(), 'frame.time_epoch')).map(Number);
    const [earliest, latest] = times.reduce(
      ([low, high], at) => [Math.min(low, at), Math.max(high, at)] as const,
      [Number.POSITIVE_INFINITY, 0] as readonly [number, number],
    );
    expect(earliest * 1000).toBeGreaterThan(Date.parse(receipt.capture.startedAt) - 20_000);
    expect(latest * 1000).toBeLessThan(Date.parse(receipt.capture.stoppedAt) + 20_000);
  });

  it('has what came right before its end', async () => {
    const running = start([
      'pcap',
      '-n',
      NAMESPACE,
      '--output-dir',
      output.path(),
      'redis-stock',
      '--port',
      '6379',
    ]);
    await captures(running);
    const buffers = buffersOf('port 6379');
    await kubectl(['exec', '-n', NAMESPACE, 'redis-stock', '--', 'redis-cli', 'echo', 'the-last-word']);
    running.kill('SIGINT');
    const ended = await running;
    expect(ended.stderr).toMatch(/^[1-9]\d* packets captured/m);
    expect(ended.exitCode).toBe(0);
    expect(gunzipSync(readFileSync(pcapFile())).toString('latin1')).toContain('$13\r\nthe-last-word\r\n');
    // What tcpdump was given is what the receipt says.
    const { bufferKiB } = receiptOf(pcapFile());
    expect(buffers).toContain(bufferKiB);
    expect(bufferKiB).toBeGreaterThanOrEqual(2048);
    expect(bufferKiB).toBeLessThanOrEqual(65_536);
  });

  it('takes the buffer that -B says', async () => {
    const run = await capture(['redis-0', '--port', '6379', '--duration', '1s', '--', '-B', '4096']);
    expect(run.code).toBe(0);
    expect(receiptOf(pcapFile()).bufferKiB).toBe(4096);
  });

  it('is analyzed when Ctrl-C ended it', async () => {
    const running = start([
      ...['pcap', '-n', NAMESPACE, '--output-dir', output.path(), 'redis-stock', '--port', '6379'],
      ...['--analyze', '--show', 'summary'],
    ]);
    await captures(running);
    await kubectl(['exec', '-n', NAMESPACE, 'redis-stock', '--', 'redis-cli', 'echo', 'the-last-word']);
    running.kill('SIGINT');
    const ended = await running;
    expect(ended.stderr).toMatch(/^[1-9]\d* packets captured/m);
    expect(ended.stderr).not.toMatch(/analysis failed/);
    expect(ended.stdout).toMatch(/^Packets {5}[1-9]\d* \(/m);
    expect(ended.exitCode).toBe(0);
  });

  it("captures the node's end of the pod's interface: Ethernet, both directions, no loopback", async () => {
    const words = ['--count', '100', '--duration', '120s', '--port', '6379'];
    const run = await capture(['redis-0', '--scope', 'iface', ...words]);
    expect(run.code).toBe(0);
    const ip = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.status.podIP}']);
    expect(await tshark(pcapFile(), 'frame.number', 'ip.addr == 127.0.0.1')).toEqual([]);
    expect((await tshark(pcapFile(), 'frame.number', `eth and ip.src == ${ip}`)).length).toBeGreaterThan(0);
    expect((await tshark(pcapFile(), 'frame.number', `eth and ip.dst == ${ip}`)).length).toBeGreaterThan(0);
  });

  it('captures on the other node, by count, with filter words behind --', async () => {
    const run = await capture([
      'redis-stock',
      '--count',
      '50',
      '--duration',
      '120s',
      '--',
      '-s',
      '96',
      'dst',
      'port',
      '6379',
    ]);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/^stopped after \S+ \(--count\)$/m);
    expect(pcapFile()).toContain(`${world().nodes[1]}.`);
    expect((await tshark(pcapFile(), 'tcp.dstport')).every((port) => port === '6379')).toBe(true);
    expect(await tshark(pcapFile(), 'frame.number')).toHaveLength(50);
    expect(Math.max(...(await tshark(pcapFile(), 'frame.cap_len')).map(Number))).toBeLessThanOrEqual(96);
  });

  it('ends at the size, and says so', async () => {
    const run = await capture(['redis-0', '--max-size', '200k', '--duration', '30s']);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('the recording reached its size limit');
    expect(gunzipSync(readFileSync(pcapFile())).length).toBeGreaterThanOrEqual(200_000);
  });

  it('captures a whole node, on every interface and on its main one', async () => {
    const enough = ['--count', '20', '--duration', '120s'];
    const every = await capture([`node/${world().nodes[0]}`, ...enough, '--port', '6379']);
    expect([every.code, every.stderr]).toEqual([0, expect.stringMatching(/^20 packets captured$/m)]);
    expect(pcapFile()).toContain('.node.pcap.gz');
    const main = await capture([`node/${world().nodes[0]}`, ...enough, '--', '-i', 'default']);
    expect([main.code, main.stderr]).toEqual([0, expect.stringMatching(/^20 packets captured$/m)]);
  });

  it("says that a hostNetwork pod's network namespace is the node's, and that it has no interface", async () => {
    const run = await capture(['host-network', '--duration', '2s']);
    expect(run.stderr).toContain('the pod has hostNetwork, so the capture contains the traffic of the node');
    const iface = await capture(['host-network', '--scope', 'iface', '--duration', '2s']);
    expect(iface.code).toBe(3);
    expect(iface.stderr).toMatch(/no interface of its own\nhint: /);
  });

  it('explains an empty capture: exit 4, the file kept', async () => {
    const run = await capture(['idle', '--port', '1', '--duration', '1s']);
    expect(run.code).toBe(4);
    expect(run.stderr).toMatch(/^0 packets captured$/m);
    expect(run.stderr).toMatch(/no packet matched/);
    expect(await tshark(pcapFile(), 'frame.number')).toEqual([]);
  });

  it('refuses a filter that tcpdump refuses, in its words, before anything is captured', async () => {
    const run = await capture(['redis-0', '--filter', 'port six', '--duration', '2s']);
    expect(run.code).toBe(4);
    expect(run.stderr).toMatch(/^error: tcpdump rejects the filter "port six": .*\nhint: .*pcap-filter/m);
    expect(output.files()).toEqual([]);
    const ether = await capture(['redis-0', '--filter', 'ether host 00:11:22:33:44:55', '--duration', '2s']);
    expect(ether.code).toBe(4);
  });

  it.each([
    ['$(touch /tmp/gkeprof-pwned)'],
    ['port 6379; touch /tmp/gkeprof-pwned'],
    ['`touch /tmp/gkeprof-pwned`'],
    ["port 6379' -w /tmp/gkeprof-pwned '"],
    ['port\n6379 && \x1b[31m"'],
  ])('keeps the filter %j text', async (filter) => {
    const run = await capture(['redis-0', '--filter', filter, '--duration', '1s', '--reason', filter]);
    expect([0, 4]).toContain(run.code);
    expect(run.stderr).not.toContain('\x1b[31m');
    const exists = await execa('ls', ['/tmp/gkeprof-pwned'], { reject: false });
    expect(exists.exitCode).not.toBe(0);
  });
});
