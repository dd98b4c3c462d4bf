import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { golden } from './golden.ts';
import { pcap } from './packets/packets.ts';
import { command, talk } from './packets/redis/redis-stream.ts';
import { closeTerminals, terminal } from './terminal.ts';

/** Screens that need no cluster; those that do are in test/e2e/terminal.test.ts. */
const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const env = {
  PATH: [at('plugin'), at('node_modules/.bin'), process.env.PATH].join(delimiter),
  HOME: '/nowhere',
  TZ: 'UTC',
  LC_ALL: 'C.UTF-8',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-screen-'));
  const packets = talk([
    ['>', command('GET', 'user:1')],
    ['<', '$-1\r\n'],
  ]);
  writeFileSync(join(folder, 'a.pcap'), pcap('ethernet', packets));
});
afterEach(() => rmSync(folder, { recursive: true }));
afterAll(closeTerminals);

describe.each([80, 200])('a terminal of %i columns', (columns) => {
  it.each([
    ['help', 'kubectl-gkeprof help'],
    ['help-analyze', 'kubectl-gkeprof analyze --help | tail -n 59'],
    ['analyze', 'kubectl-gkeprof analyze a.pcap'],
    ['mistyped', 'kubectl-gkeprof flamgraph pod/x'],
  ])('%s', async (name, line) => {
    golden(`screen/${columns}/${name}.txt`, await (await terminal(columns, line, { folder, env })).ended());
  });

  it('has colours for the words that begin an error, unless they are not wanted', async () => {
    const line = (more: string) =>
      `script -qec '${more} kubectl-gkeprof flamgraph' /dev/null | od -c | grep -c 033 | sed s/^/escapes:/`;
    const [some, none] = await Promise.all(
      ['env', 'env NO_COLOR=1'].map(async (more) =>
        (await terminal(columns, line(more), { folder, env })).ended(),
      ),
    );
    expect(some).toMatch(/escapes:[1-9]/);
    expect(none).toMatch(/escapes:0/);
  });
});
