import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { otherFormat } from '../../../src/packets/file/other-formats.ts';
import { gkeprof } from '../../command-line.ts';
import { framed, pcap, records, tcp } from '../packets.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-formats-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
writeFileSync(
  at('a.pcap'),
  pcap('ethernet', records([framed('ethernet', tcp()), framed('ethernet', tcp())])),
);

/** What editcap writes that is pcap or pcapng, and read. */
const READ: ReadonlySet<string> = new Set(['pcap', 'pcapng', 'nsecpcap', 'nokiapcap', 'rh6_1pcap']);

/** All kinds of captures that the editcap of this machine can make of packets on Ethernet. */
function written(): string[] {
  const { error, stdout, stderr } = spawnSync('editcap', ['-F'], { encoding: 'utf8' });
  if (error) throw new Error('this test needs editcap of Wireshark', { cause: error });
  const names = [...`${stdout}${stderr}`.matchAll(/^ {4}(\S+) - /gm)].map(([, name]) => name!);
  return names.filter((name) => {
    const { status } = spawnSync('editcap', ['-F', name, at('a.pcap'), at(name)]);
    return status === 0 && !READ.has(name);
  });
}

const WRITTEN = written();

describe('captures of other kinds', () => {
  it('are made here by editcap', () => {
    expect(WRITTEN).toEqual(expect.arrayContaining(['snoop', 'netmon2', 'nettl', 'ngsniffer', 'observer']));
  });

  it.each(WRITTEN)('%s: is named, with the line that makes pcap of it', async (name) => {
    const run = await gkeprof(['analyze', at(name)]);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/: it is a (?:capture|trace) of .*, neither pcap nor pcapng\n/);
    expect(run.stderr).toContain(
      `hint: convert it with Wireshark's editcap: editcap -F pcap ${at(name)} OUT.pcap\n`,
    );
  });

  it.each(['snoop', 'netmon1', 'netmon2', 'ngsniffer', 'ngwsniffer_2_0', 'lanalyzer', '5views', 'visual'])(
    '%s: what the line makes of it is read',
    async (name) => {
      execFileSync('bash', ['-c', `editcap -F pcap ${at(name)} OUT.pcap`], { cwd: folder });
      const run = await gkeprof(['analyze', at('OUT.pcap'), '--show', 'summary']);
      expect(run.code, run.stderr).toBe(0);
    },
  );

  it.each([
    ['iptrace of AIX', Buffer.from('iptrace 2.0\0\0\0\0\0\0'), 'iptrace (AIX)'],
    ['btsnoop', Buffer.from('btsnoop\0\0\0\0\x01\0\0\x03\xea', 'latin1'), 'Bluetooth'],
    ['OmniPeek', Buffer.from('\x7fver\0\0\0\x10', 'latin1'), 'OmniPeek'],
    ['ERF', Buffer.concat([erf(), erf()]), 'ERF'],
    ['a PNG image', Buffer.from('89504e470d0a1a0a0000000d', 'hex'), 'a PNG image'],
    ['perf.data', Buffer.from('PERFILE2'), 'perf.data'],
    [
      'text of tcpdump',
      Buffer.from('10:00:00.123456 IP 10.0.0.1.80 > 10.0.0.2.90: Flags [S]\n'),
      'the text that tcpdump prints',
    ],
    ['text', Buffer.from('hello, this is a text of somebody\n'), 'a text'],
  ])('%s: is named', (_, head, what) => {
    expect(otherFormat(head)?.what).toContain(what);
  });

  it('nobody knows what other bytes are', () => {
    expect(otherFormat(Buffer.alloc(64, 0x80))).toBeUndefined();
    expect(otherFormat(erf())).toBeUndefined();
    expect(otherFormat(Buffer.alloc(0))).toBeUndefined();
  });

  it.each(['xz', 'zstd', 'gzip'])('pcap in %s is read', async (program) => {
    const packed = execFileSync(program, ['-c', at('a.pcap')]);
    const run = await gkeprof(['analyze', '-', '--show', 'summary'], packed);
    expect(run.code, run.stderr).toBe(0);
    writeFileSync(at('packed'), packed);
    const file = await gkeprof(['analyze', at('packed'), '--show', 'summary', '-o', 'json']);
    expect(JSON.parse(file.stdout.toString()).files?.[0] ?? file.stdout.toString()).toBeDefined();
    expect(file.code, file.stderr).toBe(0);
  });

  it('pcap in lz4 is named with the line that unpacks it for analyze', async () => {
    writeFileSync(at('a.pcap.lz4'), Buffer.from('04224d186440a7000000', 'hex'));
    const run = await gkeprof(['analyze', at('a.pcap.lz4')]);
    expect(run.stderr).toContain('is compressed with lz4, which gkeprof cannot read');
    expect(run.stderr).toContain(
      `hint: unpack it: lz4 -dc ${at('a.pcap.lz4')} | kubectl gkeprof analyze -\n`,
    );
    expect(run.code).toBe(1);
  });
});

/** A record of an Endace card: an Ethernet frame of 60 bytes, in 2026. */
function erf(): Buffer {
  const record = Buffer.alloc(80);
  record.writeUInt32LE(1_795_000_000, 4);
  record[8] = 2;
  record.writeUInt16BE(80, 10);
  record.writeUInt16BE(60, 14);
  return record;
}
