import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { exists } from './cache.ts';
import { PINS } from './home.ts';
import { BRIDGE, CLUSTER_RANGE, type ClusterNode, HOST_ADDRESS, NFT_TABLE, NODES } from './layout.ts';

/**
 * What leaves the cluster takes the machine's address. The table is the cluster's own, so that deleting it leaves
 * nothing behind in tables that others use; declared and deleted first, so that a second run replaces it.
 */
const NAT = `
table ip ${NFT_TABLE} {}
delete table ip ${NFT_TABLE}
table ip ${NFT_TABLE} {
  chain postrouting {
    type nat hook postrouting priority srcnat
    ip saddr ${CLUSTER_RANGE} ip daddr != ${CLUSTER_RANGE} masquerade
  }
}
`;

/** Where a firewall such as Docker's drops what is forwarded, another table cannot take that back: its own has to. */
const FORWARDED = [
  ['-s', CLUSTER_RANGE],
  ['-d', CLUSTER_RANGE],
].map((match) => ['FORWARD', ...match, '-m', 'comment', '--comment', BRIDGE, '-j', 'ACCEPT']);

/** The bridge that all nodes are plugged into, and the way from it to the outside. */
export async function ensureBridge(): Promise<void> {
  if (!(await isThere(BRIDGE))) {
    await execa('ip', ['link', 'add', BRIDGE, 'mtu', await outerMtu(), 'type', 'bridge']);
  }
  await execa('ip', ['address', 'replace', `${HOST_ADDRESS}/24`, 'dev', BRIDGE]);
  await execa('ip', ['link', 'set', BRIDGE, 'up']);
  await execa('nft', ['-f', '-'], { input: NAT });
  await allowForwarding();
}

async function allowForwarding(): Promise<void> {
  if (!(await dropsForwarded())) return;
  for (const rule of FORWARDED) {
    if (!(await succeeds('iptables', ['-C', ...rule]))) await execa('iptables', ['-I', ...rule]);
  }
}

async function dropsForwarded(): Promise<boolean> {
  const { stdout } = await execa('iptables', ['-S', 'FORWARD'], { reject: false });
  return stdout.startsWith('-P FORWARD DROP');
}

/** Packets larger than the way out takes would get lost where ICMP is filtered. */
async function outerMtu(): Promise<string> {
  const { stdout } = await execa('ip', ['-j', 'route', 'show', 'default']);
  const device = (JSON.parse(stdout || '[]') as { readonly dev: string }[])[0]?.dev;
  return device ? (await readFile(`/sys/class/net/${device}/mtu`, 'utf8')).trim() : '1500';
}

/** Plugs a node into the bridge and routes its pods' addresses to it. Its network namespace exists by now. */
export async function ensureCable(node: ClusterNode): Promise<void> {
  const network = join(PINS, `${node.name}.net`);
  if (!(await isThere(node.link))) {
    const mtu = (await readFile(`/sys/class/net/${BRIDGE}/mtu`, 'utf8')).trim();
    const peer = ['peer', 'name', 'eth0', 'mtu', mtu, 'netns', network];
    await execa('ip', ['link', 'add', node.link, 'mtu', mtu, 'type', 'veth', ...peer]);
  }
  await execa('ip', ['link', 'set', node.link, 'master', BRIDGE, 'up']);
  const others = NODES.filter((other) => other !== node);
  const inside = [
    'ip link set lo up',
    `ip address replace ${node.address}/24 dev eth0`,
    'ip link set eth0 up',
    `ip route replace default via ${HOST_ADDRESS}`,
    ...others.map((other) => `ip route replace ${other.podRange} via ${other.address}`),
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
  ];
  await execa('nsenter', [`--net=${network}`, 'sh', '-ec', inside.join('\n')]);
  await execa('ip', ['route', 'replace', node.podRange, 'via', node.address, 'dev', BRIDGE]);
}

export async function isNetworkUp(): Promise<boolean> {
  const links = await Promise.all([BRIDGE, ...NODES.map((node) => node.link)].map(isThere));
  return links.every(Boolean) && (await succeeds('nft', ['list', 'table', 'ip', NFT_TABLE]));
}

async function isThere(link: string): Promise<boolean> {
  return exists(`/sys/class/net/${link}`);
}

/** Removes links, routes (they go with their links) and rules. */
export async function removeNetwork(): Promise<void> {
  for (const link of [...NODES.map((node) => node.link), BRIDGE]) {
    await execa('ip', ['link', 'delete', link], { reject: false });
  }
  await execa('nft', ['delete', 'table', 'ip', NFT_TABLE], { reject: false });
  for (const rule of FORWARDED) {
    while (await succeeds('iptables', ['-D', ...rule]));
  }
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return (await execa(command, args, { reject: false })).exitCode === 0;
}

/** Writes the resolv.conf of nodes and of pods: a resolver on the machine's loopback can't be reached from there. */
export async function writeResolvConf(path: string): Promise<void> {
  const candidates = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];
  const texts = await Promise.all(candidates.map((file) => readFile(file, 'utf8').catch(() => '')));
  await writeFile(path, texts.map(withoutLoopback).find((text) => /^nameserver/m.test(text)) ?? '');
}

/** Drops the name servers that are only there for the machine itself. */
export function withoutLoopback(resolvConf: string): string {
  return resolvConf
    .split('\n')
    .filter((line) => !/^nameserver\s+(127\.|::1\b)/.test(line))
    .join('\n');
}
