import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectAsTshark } from '../packets/judge.ts';
import {
  environment,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  pluginDir,
  says,
  start,
  world,
} from './world.ts';

const PORT = '7777';
const NO_DROPS = '\n0 packets dropped by the kernel';
const NOTHING = { bytes: 0, lostThread: 0, commandsWithoutReply: 0, repliesWithoutCommand: 0 };

/** A shell line in the Redis pod. */
const inPod = (line: string) =>
  kubectl(['exec', '-n', NAMESPACE, 'redis-0', '-c', 'load', '--', 'sh', '-ec', line]);

describe('analyze, of real traffic', () => {
  leavesNothing();
  const output = outputFolder();
  const file = () => join(output.path(), output.files().find((name) => name.endsWith('.pcap.gz'))!);
  const capture = (words: readonly string[]) =>
    start(['pcap', '-n', NAMESPACE, '--output-dir', output.path(), ...words]);
  /** Captures until a shell line in the pod has ended, and not longer; what the line printed, and what the capture said. */
  const captureOf = async (words: readonly string[], line: string) => {
    const running = capture(['pod/redis-0', '--duration', '60s', ...words]);
    await says(running, 'capturing for');
    const printed = await inPod(line);
    running.kill('SIGINT');
    const ended = await running;
    expect(ended.exitCode).toBe(0);
    return { printed, said: ended.stderr };
  };

  beforeAll(async () => {
    await inPod(
      `redis-server --port ${PORT} --bind 0.0.0.0 ::1 --protected-mode no --save '' --daemonize yes >/dev/null; until redis-cli -p ${PORT} ping; do sleep 0.1; done`,
    );
  });
  afterAll(() => inPod(`redis-cli -p ${PORT} shutdown nosave || true`));

  it('counts exactly the commands that Redis and its client counted', async () => {
    const cli = `redis-cli -p ${PORT}`;
    await inPod(`${cli} flushall; ${cli} config resetstat`);
    const { said } = await captureOf(
      ['--port', PORT],
      [
        `redis-benchmark -p ${PORT} -q -c 5 -n 3000 -t set,get,lpush,lrange_100 -r 1000`,
        `redis-benchmark -p ${PORT} -q -c 5 -n 2000 -P 8 -t incr,mset`,
        `redis-benchmark -p ${PORT} -q -c 5 -k 0 -n 300 -t get`,
        `${cli} set user:12 x`,
        `${cli} lpush user:12 y || true`,
        `printf 'MULTI\\nSET a 1\\nINCR a\\nEXEC\\nMULTI\\nSET a 2\\nDISCARD\\n' | ${cli}`,
        `${cli} -3 hgetall nothing`,
        `${cli} eval 'return redis.call("get", KEYS[1])' 1 user:12`,
        `${cli} publish news hello`,
        `${cli} auth wrong || true`,
        `${cli} blpop empty 0.2`,
      ].join('\n'),
    );
    expect(said).toContain(NO_DROPS);
    const stats = await inPod(`${cli} info commandstats`);
    const run = await gkeprof(['analyze', file(), '-o', 'json', '--show', 'redis,health']);
    expect(run.code).toBe(0);
    const { redis, tcpHealth } = JSON.parse(run.stdout);
    const theirs = Object.fromEntries(
      [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+),.*?rejected_calls=(\d+),failed_calls=(\d+)/gm)].map(
        ([, name, calls, rejected]) => [name!.toUpperCase(), Number(calls) + Number(rejected)],
      ),
    );
    const ours = Object.fromEntries(
      redis.commands.map(({ command, calls }: { command: string; calls: number }) => [command, calls]),
    );
    // What a script calls is counted by Redis and never on the wire.
    expect(theirs.EVAL).toBe(1);
    theirs.GET! -= 1;
    delete theirs['CONFIG|RESETSTAT'];
    // In the table of commands those that were refused stand as well: AUTH without a password is an error.
    expect(ours).toEqual(theirs);
    expect(redis.missing).toEqual(NOTHING);
    expect(redis.errors).toMatchObject({ WRONGTYPE: 1, ERR: 1 });
    expect(redis.transactions).toEqual({ executed: 1, discarded: 1, aborted: 0, commands: 2 });
    expect(redis.connections.deepestPipeline).toBe(8);
    expect(redis.blocking).toMatchObject({ count: 1 });
    expect(redis.blocking.maxSeconds).toBeGreaterThan(0.19);
    expect(redis.keys.map(({ key }: { key: string }) => key)).toEqual(
      expect.arrayContaining(['key:$NUMBER', 'user:$NUMBER', 'mylist']),
    );
    expect(tcpHealth.connections.opened).toBeGreaterThan(300);
    expect(tcpHealth.connections).toMatchObject({ refused: 0, unanswered: 0 });
  });

  it.each([
    ['one at a time', 1],
    ['eight at a time', 8],
  ])('loses nothing but what is missing of a capture with holes: %s', async (_, each) => {
    const { said } = await captureOf(
      ['--port', PORT],
      `redis-benchmark -p ${PORT} -q -c 4 -n 4000 -P ${each} -d 300 -t set,get`,
    );
    expect(said).toContain(NO_DROPS);
    const fields = ['frame.number', 'tcp.len', 'tcp.dstport', 'tcp.stream'].flatMap((field) => ['-e', field]);
    const listed = await execa('tshark', [
      '-n',
      '-r',
      file(),
      '-Y',
      'tcp.len > 0',
      '-T',
      'fields',
      ...fields,
    ]);
    // Of the requests every 97th packet, and of the replies, behind the first commands of each connection: how its client asks shows
    // in those.
    const seen = new Map<number, number>();
    const kept = { requests: 0, replies: 0 };
    const lost = listed.stdout
      .split('\n')
      .map((line) => line.split('\t').map(Number) as [number, number, number, number])
      .filter(([, , , stream]) => {
        seen.set(stream, (seen.get(stream) ?? 0) + 1);
        return seen.get(stream)! > 6;
      })
      .filter(([, , port]) => {
        const way = String(port) === PORT ? 'requests' : 'replies';
        kept[way] += 1;
        return kept[way] % 97 === 0;
      });
    const cut = join(output.path(), 'cut.pcap');
    await execa('editcap', [file(), cut, ...lost.map(([number]) => String(number))]);
    const facts = async (path: string) => {
      const run = await gkeprof(['analyze', path, '-o', 'json', '--show', 'redis']);
      expect(run.code).toBe(0);
      return JSON.parse(run.stdout).redis;
    };
    const count = (redis: { commands: { calls: number; latency: { count: number } }[] }, timed: boolean) =>
      redis.commands.reduce((sum, { calls, latency }) => sum + (timed ? latency.count : calls), 0);
    const [whole, rest] = [await facts(file()), await facts(cut)];
    expect(whole.missing).toEqual(NOTHING);
    expect(rest.missing.bytes).toBe(lost.reduce((sum, [, length]) => sum + length, 0));
    const asked = lost.filter(([, , port]) => String(port) === PORT).length;
    expect(asked).toBeGreaterThan(5);
    expect(lost.length - asked).toBeGreaterThan(5);
    // A request costs itself, a reply the time of its own; each with those that were sent together with it.
    expect(count(whole, false) - count(rest, false)).toBeLessThanOrEqual(asked * each);
    expect(count(whole, true) - count(rest, true)).toBeLessThanOrEqual((asked + lost.length) * each);
    expect(rest.latency.maxSeconds).toBeLessThanOrEqual(whole.latency.maxSeconds);
  });

  it('counts what Redis counted where of each packet only the first 96 bytes were captured', async () => {
    await inPod(`redis-cli -p ${PORT} config resetstat`);
    const { said } = await captureOf(
      ['--port', PORT, '--', '-s', '96'],
      `redis-benchmark -p ${PORT} -q -c 4 -n 2000 -d 5000 -t set,get,lpush,lrange_100`,
    );
    expect(said).toContain(NO_DROPS);
    const stats = await inPod(`redis-cli -p ${PORT} info commandstats`);
    const run = await gkeprof(['analyze', file(), '-o', 'json', '--show', 'redis']);
    const { redis } = JSON.parse(run.stdout);
    for (const name of ['SET', 'GET', 'LPUSH', 'LRANGE']) {
      const theirs = new RegExp(`^cmdstat_${name.toLowerCase()}:calls=(\\d+)`, 'm').exec(stats)![1];
      const ours = redis.commands.find(({ command }: { command: string }) => command === name);
      expect([name, ours?.calls, ours?.latency.count]).toEqual([name, Number(theirs), Number(theirs)]);
    }
  });

  it('counts the redirects of a Redis Cluster as its nodes and its clients counted them', async () => {
    const ports = ['7801', '7802', '7803'];
    const each = (line: string) => inPod(`for port in ${ports.join(' ')}; do ${line}; done`);
    await each(
      'redis-server --port $port --cluster-enabled yes --cluster-config-file /tmp/$port.conf --save "" --daemonize yes >/dev/null; until redis-cli -p $port ping >/dev/null; do sleep 0.1; done',
    );
    try {
      await inPod(
        [
          `redis-cli --cluster create ${ports.map((port) => `127.0.0.1:${port}`).join(' ')} --cluster-yes >/dev/null`,
          ...ports.map(
            (port) =>
              `until redis-cli -p ${port} cluster info | grep -q cluster_state:ok; do sleep 0.1; done`,
          ),
        ].join('\n'),
      );
      // Slot 12182 is that of foo, on the third node: it is on its way to the first one.
      const id = async (port: string) => (await inPod(`redis-cli -p ${port} cluster myid`)).trim();
      const [first, third] = [await id('7801'), await id('7803')];
      await inPod(
        `redis-cli -p 7801 cluster setslot 12182 importing ${third}; redis-cli -p 7803 cluster setslot 12182 migrating ${first}`,
      );
      await each('redis-cli -p $port config resetstat');
      const { printed: clients, said } = await captureOf(
        ['--', '-i', 'lo', 'tcp', 'portrange', '7801-7803'],
        [
          'for i in 1 2 3 4 5 6 7 8 9; do redis-cli -p 7801 set key:$i x; done',
          'for i in 1 2 3 4 5 6 7 8 9; do redis-cli -c -p 7802 set key:$i x; done',
          'for i in 1 2 3; do redis-cli -p 7803 get foo; done',
          'redis-cli -c -p 7803 get foo',
          'redis-cli -3 -p 7803 get foo',
          'redis-cli -p 7803 mget foo bar',
        ].join('\n'),
      );
      expect(said).toContain(NO_DROPS);
      const errors = await each('redis-cli -p $port info errorstats');
      const run = await gkeprof(['analyze', file(), '-o', 'json', '--show', 'redis']);
      expect(run.code).toBe(0);
      const { redis } = JSON.parse(run.stdout);
      const theirs: Record<string, number> = {};
      for (const [, kind, count] of errors.matchAll(/^errorstat_(\w+):count=(\d+)/gm))
        theirs[kind!] = (theirs[kind!] ?? 0) + Number(count);
      expect(redis.errors).toEqual(theirs);
      expect(theirs).toMatchObject({ ASK: 5, CROSSSLOT: 1 });
      // A client with -c follows without a word.
      expect(theirs.MOVED).toBeGreaterThan(clients.match(/^MOVED /gm)!.length);
      expect(redis.missing).toEqual(NOTHING);
    } finally {
      await each('redis-cli -p $port shutdown nosave || true; rm -f /tmp/$port.conf');
    }
  });

  it.each([
    [
      'loopback',
      ['-i', 'lo'],
      `redis-benchmark -p ${PORT} -q -c 10 -k 0 -n 500 -t get; redis-benchmark -h ::1 -p ${PORT} -q -c 3 -n 500 -t set`,
    ],
    [
      'any',
      ['-i', 'any'],
      `redis-benchmark -p ${PORT} -q -c 3 -n 2000 -t set,get; redis-benchmark -h "$(hostname -i)" -p ${PORT} -q -c 3 -k 0 -n 200 -t get`,
    ],
  ])('is what tshark and capinfos print, on %s', async (_, flags, traffic) => {
    await captureOf(['--port', PORT, '--', ...flags], traffic);
    await expectAsTshark(file(), 'Europe/Berlin');
  });

  it('is what tshark and capinfos print, on the node’s end of the pod’s interface', async () => {
    expect((await capture(['pod/redis-0', '--scope', 'iface', '--duration', '2s'])).exitCode).toBe(0);
    await expectAsTshark(file());
  });

  it('pcap --analyze prints it when the file has arrived, with the pod’s name', async () => {
    const run = await capture([
      'pod/redis-0',
      '--port',
      '6379',
      '--duration',
      '4s',
      '--analyze',
      '--show',
      'summary,tcp,redis',
      '--all',
    ]);
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toMatch(/^Packets: .*\.pcap\.gz\nReceipt: .*\.receipt\.json\n\nPackets +\d+ /);
    expect(run.stdout).toContain('redis-0 (');
    expect(run.stdout).toMatch(/^GET +\d+/m);
    const again = await gkeprof(['analyze', '@last', '--show', 'summary,tcp,redis', '--all'], {
      cwd: output.path(),
    });
    expect(run.stdout).toContain(again.stdout.trimEnd());
  });

  it('counts a packet once that a node’s any sees on several interfaces', async () => {
    // Until there are enough of them, for a busy machine makes few in a given time.
    const run = await capture([
      `node/${world().nodes[0]}`,
      ...['--duration', '120s', '--count', '3000'],
      '--',
      '-i',
      'any',
      'port',
      '6379',
    ]);
    expect(run.exitCode).toBe(0);
    const { summary, tcpHealth } = JSON.parse((await gkeprof(['analyze', file(), '-o', 'json'])).stdout);
    expect(summary.repeats).toBeGreaterThan(100);
    // Repeats would be taken for retransmissions: there are next to none in this cluster.
    const { retransmissions, spuriousRetransmissions, outOfOrder } = tcpHealth.totals;
    expect(retransmissions + spuriousRetransmissions + outOfOrder).toBeLessThan(summary.repeats / 20);
  });

  it('ends quietly when its reader has gone', async () => {
    expect((await capture(['pod/redis-0', '--port', '6379', '--duration', '1s'])).exitCode).toBe(0);
    const run = await execa(
      'bash',
      [
        '-c',
        'set -o pipefail; kubectl gkeprof analyze "$1" --all -o json | head -c 100 >/dev/null',
        'bash',
        file(),
      ],
      {
        env: environment(world().sre, pluginDir),
        extendEnv: false,
        reject: false,
      },
    );
    expect(run.stderr).toBe('');
    expect(run.exitCode).toBe(0);
    expect(readFileSync(file()).length).toBeGreaterThan(0);
  });
});
