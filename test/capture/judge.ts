import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, expect } from 'vitest';
import { gkeprof } from '../command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-judge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let number = 0;

export const fileOf = (capture: Uint8Array, ending = 'pcap'): string => {
  number += 1;
  const path = join(folder, `${number}.${ending}`);
  writeFileSync(path, capture);
  return path;
};

/** What a program of Wireshark's prints, with the runbook's surroundings. */
async function theirs(line: string, path: string, zone: string): Promise<string> {
  const { stdout } = await execa('sh', ['-c', line, 'sh', path], {
    env: { LC_ALL: 'C', TZ: zone },
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 1 << 30,
  });
  return stdout;
}

const LINES = {
  summary: 'capinfos -aceuxs "$1"',
  ip: 'tshark -n -r "$1" -q -z conv,ip',
  ipv6: 'tshark -n -r "$1" -q -z conv,ipv6',
  tcp: 'tshark -n -r "$1" -q -z conv,tcp',
  udp: 'tshark -n -r "$1" -q -z conv,udp',
  flags: 'tshark -n -r "$1" -T fields -e tcp.flags.str | sort | uniq -c',
  syns: `tshark -n -r "$1" -Y 'tcp.flags.syn == 1' -T fields -e frame.time -e tcp.flags.str -e ip.src -e ip.dst -e tcp.srcport -e tcp.dstport`,
} as const;

/** Compares every part with what capinfos and tshark print of the same file, byte by byte. */
export async function expectAsTshark(path: string, zone = 'UTC'): Promise<void> {
  const parts = Object.keys(LINES) as (keyof typeof LINES)[];
  const ours: Record<string, string> = {};
  const judged: Record<string, string> = {};
  const judge = async (part: keyof typeof LINES) => {
    const run = await gkeprof(['analyze', path, '--format', 'tshark', '--show', part], '', { TZ: zone });
    ours[part] = run.code === 0 ? run.stdout.toString() : `exit ${run.code}: ${run.stderr}`;
    judged[part] = await theirs(LINES[part], path, zone);
  };
  await Promise.all(parts.map(judge));
  expect(ours).toEqual(judged);
}
