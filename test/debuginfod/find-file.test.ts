import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/debuginfod/cache.ts';
import { type FileSource, findFile } from '../../src/debuginfod/find-file.ts';
import { addressAt, type Servers, serversOf } from '../../src/debuginfod/servers.ts';
import { BUILD_ID, elfFile } from './elf-file.ts';
import { type FakeServer, fakeServer, serving } from './fake-server.ts';

const PATH = `/buildid/${BUILD_ID}/debuginfo`;
const FILE = elfFile({ symbols: [{ name: 'f', value: 0x1000, size: 8 }] });

let folder: string;
let servers: FakeServer[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-debuginfod-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true });
});

const server = async (answer: (path: string, response: ServerResponse) => void): Promise<FakeServer> => {
  servers.push(await fakeServer(answer));
  return servers.at(-1)!;
};

const shown: string[][] = [];
const source = (
  urls: readonly string[],
  more: Partial<Servers> = {},
  signal = new AbortController().signal,
): FileSource => ({
  servers: { ...serversOf(urls, {}), ...more },
  folder,
  down: new Map(),
  env: {},
  log: { figures: (...parts) => shown.push([...parts]), trace: () => {}, end: () => {} },
  signal,
  now: () => Date.now(),
});

/** What became of a request: the reason, or `there`. */
async function found(from: FileSource, kind: 'debuginfo' | 'executable' = 'debuginfo'): Promise<string> {
  const file = await findFile(BUILD_ID, kind, 'x', from);
  if (file.is === 'there') file.close();
  return 'reason' in file ? file.reason : file.is;
}

const inCache = (): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.includes('/')).sort();

describe('the servers', () => {
  it('are those of the flag, or else of DEBUGINFOD_URLS, each once', () => {
    const env = { DEBUGINFOD_URLS: ' ima:enforcing https://b.example/  https://c.example ima:ignore' };
    const urls = (named: string[]) => serversOf(named, env).urls.map(({ href }) => href);
    expect(urls([])).toEqual(['https://b.example/', 'https://c.example/']);
    expect(urls(['http://a.example https://b.example', 'http://a.example'])).toEqual([
      'http://a.example/',
      'https://b.example/',
    ]);
  });
  it('are http or https, and one is needed', () => {
    for (const url of ['file:///etc/passwd', 'ftp://a.example', 'a.example', 'https://'])
      expect(() => serversOf([url], {}), url).toThrow(/is not an http or https URL/);
    expect(() => serversOf([], { DEBUGINFOD_URLS: 'file:///srv' })).toThrow(/^DEBUGINFOD_URLS: /);
    expect(() => serversOf([], {})).toThrow('no server is named, and DEBUGINFOD_URLS is not set');
  });
  it('have the bounds of elfutils’ variables', () => {
    expect(serversOf(['http://a'], {})).toMatchObject({ timeoutSeconds: 90, longestSeconds: 0 });
    const env = { DEBUGINFOD_TIMEOUT: '-1', DEBUGINFOD_MAXTIME: '7', DEBUGINFOD_MAXSIZE: '1000' };
    expect(serversOf(['http://a'], env)).toMatchObject({
      timeoutSeconds: 0,
      longestSeconds: 7,
      mostBytes: 1000,
    });
    expect(() => serversOf(['http://a'], { DEBUGINFOD_TIMEOUT: '1m' })).toThrow(
      'DEBUGINFOD_TIMEOUT: "1m" is not a whole number',
    );
  });
  it('may have a path', () =>
    expect(addressAt(new URL('https://a.example/debug//?x=1'), BUILD_ID, 'debuginfo').href).toBe(
      `https://a.example/debug${PATH}?x=1`,
    ));
});

describe('the cache', () => {
  it('is the folder of elfutils', () => {
    expect(cacheFolder({ DEBUGINFOD_CACHE_PATH: '/c', XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe('/c');
    expect(cacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/h' })).toBe('/x/debuginfod_client');
    expect(cacheFolder({ HOME: '/h' })).toBe('/h/.cache/debuginfod_client');
    mkdirSync(join(folder, '.debuginfod_client_cache'));
    expect(cacheFolder({ HOME: folder })).toBe(join(folder, '.debuginfod_client_cache'));
  });
  it('gets a file once, and gives it without a request', async () => {
    const { url, asked, headers } = await server(serving({ [PATH]: FILE }));
    expect(await found(source([url]))).toBe('there');
    expect(inCache()).toEqual([`${BUILD_ID}/debuginfo`]);
    expect(readFileSync(join(folder, BUILD_ID, 'debuginfo'))).toEqual(FILE);
    expect(headers[0]).toMatchObject({ 'user-agent': 'kubectl-gkeprof', 'accept-encoding': 'identity' });
    expect(await found(source(['http://127.0.0.1:1']))).toBe('there');
    expect(asked).toEqual([PATH]);
  });
  it('notes for ten minutes, or cache_miss_s, that no server has a file', async () => {
    const { url, asked } = await server(serving({}));
    expect(await found(source([url]))).toBe('missing');
    expect(await found(source([url]))).toBe('missing');
    expect(asked).toHaveLength(1);
    const path = join(folder, BUILD_ID, 'debuginfo');
    expect(statSync(path).size).toBe(0);
    const ago = (seconds: number) => utimesSync(path, 0, Date.now() / 1000 - seconds);
    ago(590);
    expect(await found(source([url]))).toBe('missing');
    expect(asked).toHaveLength(1);
    ago(610);
    expect(await found(source([url]))).toBe('missing');
    expect(asked).toHaveLength(2);
    writeFileSync(join(folder, 'cache_miss_s'), '5\n');
    ago(6);
    expect(await found(source([url]))).toBe('missing');
    expect(asked).toHaveLength(3);
  });
  it('gets no file of another build ID, and one that is there is refused', async () => {
    const other = elfFile({ buildId: 'aa'.repeat(20) });
    const { url } = await server(serving({ [PATH]: other }));
    expect(await found(source([url]))).toMatch(/: the file has another build ID$/);
    expect(inCache()).toEqual([]);
    mkdirSync(join(folder, BUILD_ID), { recursive: true });
    writeFileSync(join(folder, BUILD_ID, 'debuginfo'), other);
    expect(await found(source([url]))).toBe('the file has another build ID');
  });
  it('gets nothing that is no ELF file', async () => {
    const { url } = await server((_path, response) => response.end('<html>please sign in</html>'));
    expect(await found(source([url]))).toMatch(/: it is not an ELF file$/);
    expect(inCache()).toEqual([]);
  });
});

describe('a request', () => {
  it('goes to the next server where one fails or does not have the file', async () => {
    const [broken, empty, good] = [
      await server((_path, response) => response.writeHead(500).end()),
      await server(serving({})),
      await server(serving({ [PATH]: FILE })),
    ];
    expect(await found(source([broken.url, empty.url, good.url]))).toBe('there');
    expect([broken.asked, empty.asked, good.asked]).toEqual([[PATH], [PATH], [PATH]]);
  });
  it('that failed is no file that does not exist: it is asked for again', async () => {
    const broken = await server((_path, response) => response.writeHead(503).end());
    const empty = await server(serving({}));
    const reason = `${broken.url.slice(7)}: the server answered with status 503`;
    for (const urls of [
      [broken.url, empty.url],
      [empty.url, broken.url],
    ])
      expect(await found(source(urls))).toBe(reason);
    expect(inCache()).toEqual([]);
  });
  it('is not sent again to a server that did not answer', async () => {
    const slow = await server(() => {});
    const from = source([slow.url], { timeoutSeconds: 0.2 });
    const reason = /the server sent less than 100 KiB in 0\.2 s \(DEBUGINFOD_TIMEOUT\)/;
    expect(await found(from)).toMatch(reason);
    expect(await found(from, 'executable')).toMatch(reason);
    expect(slow.asked).toHaveLength(1);
    expect(inCache()).toEqual([]);
  });
  it('ends where a file comes too slowly, or takes too long', async () => {
    const drip = await server((_path, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(Buffer.alloc(2000)), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await found(source([drip.url], { timeoutSeconds: 0.3 }))).toMatch(/DEBUGINFOD_TIMEOUT/);
    expect(await found(source([drip.url], { timeoutSeconds: 0, longestSeconds: 0.3 }))).toMatch(
      /it took longer than 0\.3 s \(DEBUGINFOD_MAXTIME\)/,
    );
    expect(inCache()).toEqual([]);
  });
  it('ends where a file is too large, stated or not', async () => {
    const large = Buffer.alloc(3 << 20);
    const { url } = await server(serving({ [PATH]: large }));
    const silent = await server((_path, response) => {
      response.write(large);
      response.end(large);
    });
    for (const each of [url, silent.url])
      expect(await found(source([each], { mostBytes: 1 << 20 }))).toMatch(
        /: it has [\d.]+ [KM]iB, more than the limit of 1\.0 MiB \(DEBUGINFOD_MAXSIZE\)$/,
      );
    expect(inCache()).toEqual([]);
  });
  it('is refused by a transfer that is cut', async () => {
    const { url } = await server((_path, response) => {
      response.writeHead(200, { 'content-length': FILE.length });
      response.write(FILE.subarray(0, 100));
      setTimeout(() => response.destroy(), 20);
    });
    expect(await found(source([url]))).toMatch(/aborted|ECONNRESET/);
    expect(inCache()).toEqual([]);
  });
  it('says why there is no connection, also to a host of several addresses', async () => {
    for (const host of ['127.0.0.1', 'localhost'])
      expect(await found(source([`http://${host}:1`]))).toMatch(/^\S+:1: .*ECONNREFUSED/);
  });
  it('does not read the rest of an answer that is no file', async () => {
    let closed = 0;
    const { url } = await server((path, response) => {
      const status = path.startsWith('/to') ? 404 : 302;
      response.writeHead(status, { location: '/to' });
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => {
        closed += 1;
        clearInterval(timer);
      });
    });
    expect(await found(source([url]))).toBe('missing');
    await expect.poll(() => closed).toBe(2);
  });
  it('follows redirects to other web servers, and to nothing else', async () => {
    const good = await server(serving({ [PATH]: FILE }));
    const towards = (location: string) =>
      server((_path, response) => response.writeHead(302, { location }).end());
    expect(await found(source([(await towards('file:///etc/passwd')).url]))).toMatch(
      /redirects to a URL that is neither http nor https$/,
    );
    const round = await towards('/again');
    expect(await found(source([round.url]))).toMatch(/redirects more than 10 times$/);
    expect(round.asked).toHaveLength(11);
    expect(await found(source([(await towards(`${good.url}${PATH}`)).url]))).toBe('there');
  });
  it('goes through the proxy of the environment', async () => {
    const proxy = await server((path, response) =>
      response.end(path === `http://debug.example${PATH}` ? FILE : undefined),
    );
    const from = { ...source(['http://debug.example']), env: { http_proxy: proxy.url } };
    expect(await found(from)).toBe('there');
    expect(proxy.asked).toEqual([`http://debug.example${PATH}`]);
  });
  it('that is interrupted leaves nothing in the cache', async () => {
    const stop = new AbortController();
    const { url } = await server((_path, response) => {
      response.writeHead(200, { 'content-length': FILE.length });
      response.write(FILE.subarray(0, 100));
      setTimeout(() => stop.abort(new Error('interrupted')), 50);
    });
    await expect(found(source([url], {}, stop.signal))).rejects.toThrow('interrupted');
    expect(inCache()).toEqual([]);
  });
  it('shows how much of a file has come', async () => {
    const { url } = await server(serving({ [PATH]: FILE }));
    shown.length = 0;
    await found(source([url]));
    expect(shown[0]).toEqual(['fetching symbols of x', url.slice(7)]);
    const all = `${FILE.length} B of ${FILE.length} B`;
    expect(shown.at(-1)).toEqual(['fetching symbols of x', all, url.slice(7)]);
  });
});
