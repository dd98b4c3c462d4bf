import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LIMITED_WORK, type LimitedWork, privilegesOf } from '../../src/collectors/privileges.ts';

const PAGE = readFileSync(new URL('../../docs/least-privilege.md', import.meta.url), 'utf8');

/** What a kind of work is called on the page. */
const NAMES: Readonly<Record<string, string>> = {
  'perf node': '`flamegraph`, all scopes',
  'perf pod': '`flamegraph`, all scopes',
  'perf container': '`flamegraph`, all scopes',
  'tcpdump node': '`pcap --scope node`',
  'tcpdump netns': '`pcap --scope netns`',
  'tcpdump iface': '`pcap --scope iface`',
  'waits pod': '`waits`',
  'waits container': '`waits`',
  'inspect node processes,runtime': '`ps`, `whois`, `whois --veth`',
  'inspect node processes,runtime,sockets': '`whois --port`, `--socket`',
  'inspect node processes,runtime,links': '`ps`, `whois`, `whois --veth`',
  'inspect node processes,runtime,sockets,links': '`whois --port`, `--socket`',
  'inspect node probe': '`nodes --probe`, `doctor`',
  'crictl node': '`crictl`',
  'crictl node logs': '`crictl logs`',
};

const nameOf = ({ collector, scope, parts }: LimitedWork): string =>
  NAMES[[collector, scope, ...(parts ? [parts.join(',')] : [])].join(' ')]!;

const rowsBelow = (heading: string): string[][] =>
  PAGE.split(`## ${heading}\n`)[1]!
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );

const yesNo = (yes: boolean) => (yes ? 'yes' : 'no');

it('the page on least privilege has a row for each kind of work, and says what the pod gets', () => {
  const rows = LIMITED_WORK.map((work) => {
    const { hostPID, hostNetwork, capabilities } = privilegesOf(work.collector, work.scope, work.parts);
    return [nameOf(work), yesNo(hostPID), yesNo(hostNetwork), capabilities.join(', ') || 'none'];
  });
  const page = rowsBelow('What each kind of work gets, and whether that is root');
  expect(new Set(page.map((row) => row.slice(0, 4).join(' | ')))).toEqual(
    new Set(rows.map((row) => row.join(' | '))),
  );
});

it('calls root what looks into the processes of the node, and nothing else', () => {
  for (const [work, pids, , , root] of rowsBelow('What each kind of work gets, and whether that is root'))
    expect([work, root!.startsWith('**as good as root**')]).toEqual([work, pids === 'yes']);
});

it('says of every capability what does not work without it', () => {
  const said = new Set(rowsBelow('What each capability is needed for').map(([left]) => left));
  for (const { collector, scope, parts } of LIMITED_WORK)
    for (const capability of privilegesOf(collector, scope, parts).capabilities)
      expect(said).toContain(capability);
});
