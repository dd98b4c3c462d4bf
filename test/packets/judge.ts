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
export async function theirs(line: string, path: string, zone: string): Promise<string> {
  const { stdout } = await execa('sh', ['-c', line, 'sh', path], {
    env: { LC_ALL: 'C', TZ: zone },
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 1 << 30,
  });
  return stdout;
}

/** What Wireshark says of each frame: its fields, a row for each frame. */
export async function fieldsOf(path: string, names: readonly string[]): Promise<string[][]> {
  const { stdout } = await execa(
    'tshark',
    ['-n', '-r', path, '-T', 'fields', ...names.flatMap((name) => ['-e', name])],
    { maxBuffer: 1 << 30 },
  );
  return stdout.split('\n').map((line) => line.split('\t'));
}

/** The runbook's lines; tshark prints its tables the last one first. */
const LINES = {
  summary: 'capinfos -aceuxs "$1"',
  'udp,tcp,ipv6,ip': 'tshark -n -r "$1" -q -z conv,ip -z conv,ipv6 -z conv,tcp -z conv,udp',
  flags: 'tshark -n -r "$1" -T fields -e tcp.flags.str | sort | uniq -c',
  syns: `tshark -n -r "$1" -Y 'tcp.flags.syn == 1' -T fields -e frame.time -e tcp.flags.str -e ip.src -e ip.dst -e tcp.srcport -e tcp.dstport`,
} as const;

/** Compares every part, or one, with what capinfos and tshark print of the same file, byte by byte. */
export async function expectAsTshark(path: string, zone = 'UTC', only?: keyof typeof LINES): Promise<void> {
  const ours: Record<string, string> = {};
  const judged: Record<string, string> = {};
  const judge = async ([parts, line]: [string, string]) => {
    const run = await gkeprof(['analyze', path, '--format', 'tshark', '--show', parts], '', { TZ: zone });
    ours[parts] = run.code === 0 ? inOrder(run.stdout.toString(), parts) : `exit ${run.code}: ${run.stderr}`;
    judged[parts] = await theirs(line, path, zone);
  };
  await Promise.all(
    Object.entries(LINES)
      .filter(([parts]) => only === undefined || parts === only)
      .map(judge),
  );
  expect(ours).toEqual(judged);
}

/** Our tables stand in an order of their own, whatever order they were asked for in. */
function inOrder(text: string, parts: string): string {
  const wanted = parts.split(',');
  if (wanted.length === 1) return text;
  const names = { ip: 'IPv4', ipv6: 'IPv6', tcp: 'TCP', udp: 'UDP' } as Record<string, string>;
  const line = `${'='.repeat(80)}\n`;
  const tables = text.split(line).filter((table) => table !== '');
  return wanted
    .map((part) => `${line}${tables.find((table) => table.startsWith(names[part]!)) ?? 'none'}${line}`)
    .join('');
}
