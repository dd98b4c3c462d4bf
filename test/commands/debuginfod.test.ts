import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';
import { BUILD_ID, elfFile } from '../debuginfod/elf-file.ts';
import { type FakeServer, fakeServer, serving } from '../debuginfod/fake-server.ts';
import { faults } from '../schemas.ts';

const OTHER_ID = 'cc'.repeat(20);
const FILE = elfFile({
  symbols: [
    { name: '_ZN3foo3barEi', value: 0x1100, size: 0x100 },
    { name: 'run', value: 0x1200, size: 0x100 },
  ],
});
/** A place in FILE, whose segment maps 0 to 0x1000. */
const IN_BAR = '0x150';
const IN_RUN = '0x210';

const sample = (...frames: readonly string[]) =>
  `x 7/7 [000] 1.0: 1 cpu-clock:\n${frames.map((frame) => `\t7f0000000100 ${frame}\n`).join('')}\n`;
const RAW = `# build-id: ${BUILD_ID} /lib/x.so\n${sample(
  `[unknown] (/lib/x.so+${IN_BAR})`,
  `[unknown] (/lib/x.so+${IN_RUN})`,
  'main+0x1 (/bin/x)',
).repeat(40)}`;

let folder: string;
let server: FakeServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-debuginfod-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const put = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const serve = async (answer: (path: string, response: ServerResponse) => void): Promise<string> => {
  server = await fakeServer(answer);
  return server.url;
};
const serveFile = () => serve(serving({ [`/buildid/${BUILD_ID}/debuginfo`]: FILE }));
const cache = () => join(folder, 'cache');
const run = (words: readonly string[], stdin: string | Uint8Array = '', env = {}) =>
  gkeprof([...words, '--output-dir', folder], stdin, { DEBUGINFOD_CACHE_PATH: cache(), ...env });
const folded = ['--format', 'folded', '--output', '-'];

describe('render --debuginfod', () => {
  it('names frames by the build ID of their object, and demangles and folds them like others', async () => {
    const url = await serveFile();
    const ended = await run(['render', put('a.txt', RAW), '--debuginfod', url, ...folded]);
    expect(ended.stderr).toContain('debuginfod: named 80 of 80 frames that had no name\n');
    expect(ended.stdout.toString()).toMatch(/^x;main;run;(?:foo::bar|_ZN3foo3barEi) 40\n$/);
    expect(ended.code).toBe(0);
    expect(server!.asked).toEqual([`/buildid/${BUILD_ID}/debuginfo`]);
  });

  it('sends nothing without the flag, whatever the environment has', async () => {
    const url = await serveFile();
    const ended = await run(['render', put('a.txt', RAW), ...folded], '', { DEBUGINFOD_URLS: url });
    expect(ended.stderr).not.toContain('debuginfod');
    expect(server!.asked).toEqual([]);
  });

  it('asks the servers of DEBUGINFOD_URLS where the flag has no value, wherever it stands', async () => {
    const url = await serveFile();
    for (const words of [
      ['--debuginfod', put('a.txt', RAW)],
      [put('a.txt', RAW), '--debuginfod'],
    ]) {
      const ended = await run(['render', ...words, ...folded], '', {
        DEBUGINFOD_URLS: `http://127.0.0.1:1 ${url}`,
      });
      expect(ended.stderr).toContain('named 80 of 80 frames');
    }
    const ended = await run(['render', put('a.txt', RAW), '--debuginfod']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toBe(
      'error: --debuginfod: no server is named, and DEBUGINFOD_URLS is not set\nhint: name a server (--debuginfod URL) or set DEBUGINFOD_URLS; the servers of the distributions are listed at https://sourceware.org/elfutils/Debuginfod.html\n',
    );
  });

  it('refuses what is no web address, without making anything', async () => {
    const ended = await run(['render', put('a.txt', RAW), '--debuginfod=file:///etc']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('error: --debuginfod: "file:///etc" is not an http or https URL\n');
    expect(readdirSync(folder)).toEqual(['a.txt']);
  });

  it('takes no server from the text', async () => {
    const url = await serveFile();
    const text = `# debuginfod: ${url}\n# DEBUGINFOD_URLS : ${url}\n${RAW}`;
    const ended = await run(['render', put('a.txt', text), '--debuginfod', 'http://127.0.0.1:1', ...folded]);
    expect(ended.stderr).toContain('debuginfod: named 0 of 80 frames');
    expect(server!.asked).toEqual([]);
  });

  it('reads stdin, compressed too, and several files', async () => {
    const url = await serveFile();
    for (const stdin of [RAW, gzipSync(RAW)]) {
      const ended = await run(['render', '-', '--debuginfod', url, ...folded], stdin);
      expect(ended.stderr).toContain('named 80 of 80 frames');
      expect(ended.stdout.toString()).toMatch(/;run;\S+ 40\n$/);
    }
    const files = [put('a.txt', RAW), put('b.txt.gz', gzipSync(RAW))];
    const ended = await run(['render', ...files, '--debuginfod', url, '-o', 'json']);
    const report = JSON.parse(ended.stdout.toString());
    expect(report.profile.debuginfod).toHaveLength(2);
    expect(faults('render', report)).toEqual([]);
  });

  it('says what is still unknown, by object and reason, for people and for programs', async () => {
    const url = await serveFile();
    const text = `# build-id: ${BUILD_ID} /lib/x.so
# build-id: ${OTHER_ID} /lib/missing.so
# build-id: ${BUILD_ID} /lib/twice.so
# build-id: ${OTHER_ID} /lib/twice.so
# build-id: ${BUILD_ID} /lib/plain.so
${sample('[unknown] (/lib/x.so+0x150)').repeat(6)}${sample('[unknown] (/lib/x.so+0x999)').repeat(5)}${sample(
  '[unknown] (/lib/missing.so+0x1)',
).repeat(
  9,
)}${sample('[unknown] (/lib/twice.so+0x150)').repeat(8)}${sample('[unknown] (/lib/none.so+0x150)').repeat(7)}${sample(
  '[unknown] (/lib/plain.so)',
).repeat(6)}${sample('[unknown] ([vdso])').repeat(3)}`;
    const file = put('a.txt', text);
    const shown = await run(['render', file, '--debuginfod', url, ...folded]);
    expect(shown.code).toBe(0);
    expect(shown.stderr).toContain(`debuginfod: named 6 of 41 frames that had no name
  still unknown: 9 frames of /lib/missing.so (build ID cccccccccccc): no server has a file of its build ID
  still unknown: 8 frames of /lib/twice.so: the text has several build IDs for its path
  still unknown: 7 frames of /lib/none.so: the text does not have its build ID
  still unknown: 6 frames of /lib/plain.so (build ID ${BUILD_ID.slice(0, 12)}): the text does not say where in the file its functions are (perf script -F +dsoff prints it)
  still unknown: 5 frames of /lib/x.so (build ID ${BUILD_ID.slice(0, 12)}): its file names no function at some of the addresses
`);
    const ended = await run(['render', file, '--debuginfod', url, '-o', 'json']);
    const report = JSON.parse(ended.stdout.toString());
    expect(faults('render', report)).toEqual([]);
    expect(report.profile.debuginfod).toContainEqual({
      ...{ object: '/lib/missing.so', buildId: OTHER_ID, frames: 9, named: 0 },
      unknown: { kind: 'server-lacks-it', text: 'no server has a file of its build ID' },
    });
    expect(report.profile.debuginfod).toHaveLength(5);
    expect(report.profile.unknownObjects).toContainEqual(
      expect.objectContaining({
        object: '/lib/missing.so',
        reason: 'debuginfod: no server has a file of its build ID',
      }),
    );
  });

  it('says it too where the text has the place of some frames of an object and not of others', async () => {
    const url = await serveFile();
    const text = `${RAW}${sample('[unknown] (/lib/x.so)').repeat(3)}`;
    const ended = await run(['render', put('a.txt', text), '--debuginfod', url, ...folded]);
    expect(ended.stderr).toMatch(
      /named 80 of 83 frames that had no name\n {2}still unknown: 3 frames of .*: the text does not say where/,
    );
  });

  it('closes every file that it opened', async () => {
    const open: string[] = [];
    const debug = elfFile({
      symbols: [{ name: 'run', value: 0x1200, size: 0x100 }],
      code: [0, 0x1000, 0, 0x1000],
    });
    const whole = elfFile();
    const at = `/buildid/${BUILD_ID}`;
    await serve(serving({ [`${at}/debuginfo`]: debug, [`${at}/executable`]: whole }));
    const file = put('a.txt', RAW);
    await run(['render', file, '--debuginfod', server!.url, ...folded]);
    if (process.platform === 'linux')
      for (const number of readdirSync('/proc/self/fd'))
        try {
          open.push(readlinkSync(`/proc/self/fd/${number}`));
        } catch {
          // The descriptor of the folder that was read is closed by now.
        }
    expect(readdirSync(join(cache(), BUILD_ID)).sort()).toEqual(['debuginfo', 'executable']);
    expect(open.filter((path) => path.startsWith(folder))).toEqual([]);
  });

  it('takes the names of the executable where no server has its debug file, and says why there are none', async () => {
    const path = `/buildid/${BUILD_ID}/executable`;
    await serve(serving({ [path]: FILE }));
    const file = put('a.txt', RAW);
    expect((await run(['render', file, '--debuginfod', server!.url, ...folded])).stderr).toContain(
      'named 80 of 80',
    );
    await server!.close();
    rmSync(cache(), { recursive: true });
    await serve(serving({ [path]: elfFile() }));
    expect((await run(['render', file, '--debuginfod', server!.url, ...folded])).stderr).toContain(
      'its file has no symbols of functions',
    );
  });

  it('takes the places of code from the executable where the debug file has lost them, and else computes them', async () => {
    // As objcopy --only-keep-debug leaves it: no bytes of the segment are in the file.
    const debug = elfFile({
      symbols: [{ name: 'run', value: 0x5200, size: 0x100 }],
      code: [0, 0x5000, 0, 0x1000],
    });
    const whole = elfFile({ code: [0x3000, 0x5000, 0x1000, 0x1000] });
    const files = { [`/buildid/${BUILD_ID}/debuginfo`]: debug };
    await serve(serving({ ...files, [`/buildid/${BUILD_ID}/executable`]: whole }));
    const text = (offset: string) =>
      put(
        'a.txt',
        `# build-id: ${BUILD_ID} /lib/x.so\n${sample(`[unknown] (/lib/x.so+${offset})`, 'main+0x1 (/x)')}`,
      );
    const words = ['--debuginfod', server!.url, ...folded];
    expect((await run(['render', text('0x3210'), ...words])).stdout.toString()).toBe('x;main;run 1\n');
    await server!.close();
    rmSync(cache(), { recursive: true });
    await serve(serving(files));
    words[1] = server!.url;
    expect((await run(['render', text('0x210'), ...words])).stdout.toString()).toBe('x;main;run 1\n');
    expect((await run(['render', text('0x3210'), ...words])).stdout.toString()).not.toContain('run');
  });

  it('refuses files without addresses before a request is sent', async () => {
    const url = await serveFile();
    const ended = await run(['render', put('a.folded', 'x;main;[x.so] 40\n'), '--debuginfod', url]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toBe(
      'error: --debuginfod cannot be used with this file, because it has no addresses\nhint: the raw stacks (.perf-script.txt.gz) have what that needs\n',
    );
    expect(server!.asked).toEqual([]);
  });

  it('says that it cannot use its cache', async () => {
    const url = await serveFile();
    mkdirSync(cache());
    writeFileSync(join(cache(), BUILD_ID), 'a file where a folder should be');
    const ended = await run(['render', put('a.txt', RAW), '--debuginfod', url, ...folded]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /^error: cannot use the cache .*: E\w+: .*\nhint: DEBUGINFOD_CACHE_PATH names/,
    );
  });
});

describe('diff --debuginfod', () => {
  it('names the frames of both files, and says what is still unknown', async () => {
    const url = await serveFile();
    const after = `${RAW}${sample(`[unknown] (/lib/y.so+${IN_RUN})`)}`;
    const files = [put('a.txt', RAW), put('b.txt', after)];
    const shown = await run(['diff', ...files, '--debuginfod', url, '--format', 'folded', '--output', '-']);
    expect(shown.stdout.toString()).toMatch(/^x;main;run;\S+ 40 40$/m);
    expect(shown.stderr).toContain('named 80 of 81 frames');
    const ended = await run(['diff', ...files, '--debuginfod', url, '-o', 'json']);
    const report = JSON.parse(ended.stdout.toString());
    expect(faults('diff', report)).toEqual([]);
    expect(report.debuginfod).toHaveLength(3);
    expect(readFileSync(join(cache(), BUILD_ID, 'debuginfo'))).toEqual(FILE);
  });
});
