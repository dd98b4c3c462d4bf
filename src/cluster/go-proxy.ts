import { BlockList, isIP } from 'node:net';
import { clusterError } from '../errors.ts';
import { printable } from '../text/printable.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment sets for a URL, by the rules of Go (golang.org/x/net/http/httpproxy), which kubectl
 * applies where the kubeconfig names no proxy. Undefined for a direct connection.
 */
export function proxyFromEnvironment(target: URL, env: Environment): URL | undefined {
  const text = target.protocol === 'https:' ? either(env, 'HTTPS_PROXY') : either(env, 'HTTP_PROXY');
  if (!text || !usesProxy(target, either(env, 'NO_PROXY'))) return undefined;
  return parseProxy(text);
}

const either = (env: Environment, name: string): string => env[name] || env[name.toLowerCase()] || '';

/** A text without a scheme is a host and a port. */
function parseProxy(text: string): URL {
  const url = [text, `http://${text}`].map((each) => URL.parse(each)).find((each) => each?.host);
  if (url) return url;
  throw clusterError(
    printable(`invalid proxy address "${text}"`),
    'check HTTPS_PROXY and HTTP_PROXY in the environment',
  );
}

/** The port of a URL, or the default port of its scheme. */
export const portOf = (url: URL): number =>
  Number(
    url.port ||
      { 'https:': 443, 'socks5:': 1080, 'socks5h:': 1080 }[
        url.protocol as 'https:' | 'socks5:' | 'socks5h:'
      ] ||
      80,
  );

/** The host in the form that `connect` takes: an IPv6 address without brackets. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

function usesProxy(target: URL, noProxy: string): boolean {
  const host = hostOf(target).toLowerCase();
  const port = String(portOf(target));
  if (host === 'localhost' || (isIP(host) && isLoopback(host))) return false;
  return !noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter(Boolean)
    .some((entry) => entry === '*' || excludes(entry, host, port));
}

function excludes(entry: string, host: string, port: string): boolean {
  const range = /^(.*)\/(\d+)$/.exec(entry);
  if (range && isIP(range[1]!)) return isIP(host) > 0 && isWithin(host, range[1]!, Number(range[2]));
  const [, bracketed, plain, onlyPort] = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(entry) ?? [];
  const name = (bracketed ?? plain ?? entry).replace(/^\[(.*)\]$/, '$1');
  if (name === '' || (onlyPort !== undefined && onlyPort !== port)) return false;
  if (isIP(name)) return isIP(host) > 0 && isWithin(host, name, isIP(name) === 4 ? 32 : 128);
  const domain = name.startsWith('*.') ? name.slice(1) : name;
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function isWithin(address: string, net: string, prefix: number): boolean {
  const family = isIP(net) === 4 ? 'ipv4' : 'ipv6';
  if (prefix > (family === 'ipv4' ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(net, prefix, family);
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

const isLoopback = (address: string): boolean =>
  isIP(address) === 4 ? isWithin(address, '127.0.0.0', 8) : isWithin(address, '::1', 128);
