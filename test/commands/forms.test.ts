import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COMMANDS } from '../../src/commands/index.ts';
import { captureFacts } from '../../src/report/capture.ts';
import { captureMarkdown } from '../../src/report/packets.ts';
import { type Receipt, recordedPlan, writeReceipt } from '../../src/session/receipt.ts';
import { gkeprof } from '../command-line.ts';
import { framed, pcap, START, udp } from '../packets/packets.ts';
import { command, talk } from '../packets/redis/redis-stream.ts';
import { planOf, TCPDUMP } from '../plans.ts';
import { faults, SCHEMA_NAMES } from '../schemas.ts';

const BEFORE = 'redis;main;hot 100\nredis;main;gone 40\nredis;main;rest 1000\n';
const AFTER = 'redis;main;hot 240\nredis;main;new|odd 30\nredis;main;rest 870\n';
const PACKETS = pcap(
  'ethernet',
  talk([
    ['>', command('GET', 'user:1')],
    ['<', '$-1\r\n'],
  ]),
);
const SHA = /\b[0-9a-f]{64}\b/g;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkeprof-forms-'));
  for (const [name, text] of [
    ['a.folded', BEFORE],
    ['b.folded', AFTER],
    ['a.pcap', PACKETS],
  ] as const)
    writeFileSync(join(folder, name), text);
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const [a, b, packets] = [() => at('a.folded'), () => at('b.folded'), () => at('a.pcap')];

const RECEIPT: Receipt = {
  receiptVersion: 1,
  gkeprof: '0.1.0',
  plan: recordedPlan(planOf(TCPDUMP)),
  cluster: { context: 'prod', server: 'https://api.example' },
  capture: {
    startedAt: '2026-11-23T13:37:49.000Z',
    stoppedAt: '2026-11-23T13:37:59.000Z',
    ended: 'time',
    stoppedBy: 'limit',
    toolStatus: 0,
    kernel: '6.1.0',
    toolVersion: 'tcpdump version 4.99.3',
    imageId: 'registry.example/gkeprof-tools@sha256:00',
    packets: { captured: 5, receivedByFilter: 6, droppedByKernel: 1, bufferKiB: 2048 },
  },
  targetChanges: [],
  artifact: {
    file: 'a.pcap',
    bytes: PACKETS.length,
    sha256: '',
    resumedBytes: 0,
  },
  findings: {},
};

async function receipt(more: Partial<Receipt['artifact']> = {}): Promise<string> {
  const { createHash } = await import('node:crypto');
  const sha256 = createHash('sha256').update(PACKETS).digest('hex');
  const artifact = { ...RECEIPT.artifact, sha256, ...more };
  return writeReceipt(at('a'), { ...RECEIPT, artifact });
}

/** A line of each verb that needs no cluster, and what `-o name` says then. */
const LINES: ReadonlyArray<
  readonly [verb: string, words: () => Promise<string[]> | string[], names: RegExp]
> = [
  ['version', () => [], /^kubectl-gkeprof\/\d+\.\d+\.\d+\n$/],
  ['config', () => ['view'], /^$/],
  ['image', () => ['list'], /^debian:trixie-slim\n$/],
  ['image', () => ['mirror', 'r.example/t'], /^r\.example\/t:\d+\.\d+\.\d+\n$/],
  ['manifests', () => [], /^namespace\/gkeprof\n(?:.+\/gkeprof-.+\n)+$/],
  ['render', () => [a(), '--output-dir', folder, '--format', 'svg,top'], /a\.flamegraph(?:\.\d)?\.svg\n$/],
  ['diff', () => [a(), b(), '--output-dir', folder], /b\.diff(?:\.\d)?\.svg\n$/],
  ['analyze', () => [packets(), '--timeline'], /a\.pcap\n$/],
  ['verify', async () => [await receipt()], /a\.pcap\n$/],
];

describe.each(LINES)('%s', (verb, words, names) => {
  it('gives the same as JSON, YAML and by a template, and it is what its schema says', async () => {
    const line = [verb, ...(await words())];
    const run = async (form: string) => {
      const { code, stdout, stderr } = await gkeprof([...line, '-o', form], '', { XDG_CONFIG_HOME: folder });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return stdout.toString();
    };
    const data = JSON.parse(await run('json')) as { kind: string };
    expect(faults(verb, data)).toEqual([]);
    expect(await run('jsonpath={.kind}')).toBe(data.kind);
    expect(await run('name')).toMatch(names);
    if (verb !== 'manifests') {
      const numbered = /\.\d+(?=\.svg)/g;
      const same = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(numbered, '')) as unknown;
      expect(same(load(await run('yaml')))).toEqual(same(data));
    }
  });

  it('refuses a form that is none', async () => {
    const run = await gkeprof([verb, ...(await words()), '-o', 'jsonpath={.kind'], '', {});
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/^error: -o jsonpath: /);
  });
});

describe('docs/schemas', () => {
  it('has one for each verb that prints data, and for the receipt', () => {
    const verbs = COMMANDS.filter(({ options }) => options.output?.alias === 'o' || options.o).map(
      ({ name }) => name,
    );
    expect(SCHEMA_NAMES.toSorted()).toEqual([...verbs, 'receipt', 'combined-receipt'].toSorted());
  });

  it('describes the receipt as it is written', async () => {
    expect(faults('receipt', JSON.parse(readFileSync(await receipt(), 'utf8')))).toEqual([]);
  });

  it.each(SCHEMA_NAMES)('%s takes no other thing for it', (name) => {
    expect(faults(name, {})).not.toEqual([]);
    expect(faults(name, { kind: 'Other', version: 1 })).not.toEqual([]);
  });
});

describe('verify', () => {
  it('says what changed and what is missing, and ends with 1', async () => {
    const path = await receipt();
    expect((await gkeprof(['verify', path])).stdout.toString()).toMatch(
      /^STATUS +BYTES.*\nsame +\d+ +[0-9a-f]{64}/,
    );
    writeFileSync(packets(), PACKETS.subarray(1));
    const changed = await gkeprof(['verify', path]);
    expect([changed.code, changed.stdout.toString().replaceAll(SHA, 'SHA').split('\n').slice(1)]).toEqual([
      1,
      [
        expect.stringMatching(`^changed +${PACKETS.length - 1}  SHA +${packets()}$`),
        expect.stringMatching(` was +${PACKETS.length}  SHA$`),
        '',
      ],
    ]);
    rmSync(packets());
    const missing = await gkeprof(['verify', path, '-o', 'json']);
    expect(missing.code).toBe(1);
    expect(faults('verify', JSON.parse(missing.stdout.toString()))).toEqual([]);
    expect(missing.stdout.toString()).toContain('"status": "missing"');
  });

  it('looks beside the receipt alone, whatever it names', async () => {
    const run = await gkeprof([
      'verify',
      await receipt({ file: '../../etc/passwd' }),
      '-o',
      'jsonpath={..path}',
    ]);
    expect([run.code, run.stdout.toString()]).toEqual([1, at('passwd')]);
  });

  it.each([
    ['{', 'it is not JSON'],
    ['null', 'its receiptVersion is not 1'],
    ['{"receiptVersion":1}', 'it does not name an artifact'],
  ])('takes %s for no receipt', async (text, reason) => {
    writeFileSync(at('x.receipt.json'), text);
    const run = await gkeprof(['verify', at('x.receipt.json')]);
    expect([run.code, run.stderr]).toEqual([
      1,
      expect.stringContaining(`cannot read ${at('x.receipt.json')} as a receipt: ${reason}`),
    ]);
  });
});

describe('--markdown', () => {
  const markdown = async (...words: string[]) => {
    const run = await gkeprof([...words, '--markdown']);
    expect(run.code).toBe(0);
    return run.stdout
      .toString()
      .replaceAll(SHA, 'SHA')
      .replaceAll(`${folder}/`, '')
      .replaceAll(/\| \d+ \| `SHA/g, '| BYTES | `SHA');
  };

  it('of a profile has figures, functions and files', async () => {
    expect(await markdown('render', b(), '--output-dir', folder)).toBe(`### CPU profile: b.folded

| fact | value |
| --- | --- |
| samples | 1140 |
| quality | the innermost function is unknown in 0.0 % of the samples; 100.0 % of the stacks reach the start of their thread |

| self | % | function | object |
| ---: | ---: | --- | --- |
| 870 | 76.3 % | \`rest\` |  |
| 240 | 21.1 % | \`hot\` |  |
| 30 | 2.6 % | \`new\\|odd\` |  |

| file | bytes | SHA-256 |
| --- | ---: | --- |
| \`b.flamegraph.svg\` | BYTES | \`SHA\` |
`);
  });

  it('of a comparison has what moved', async () => {
    const text = await markdown('diff', a(), b(), '--output-dir', folder);
    expect(text).toMatch(/^### CPU before and after: b\.folded\n/);
    expect(text).toContain('| 8.8 % | 21.1 % | +140 | significant (p < 0.001) | `hot` |');
    expect(text).toContain('| compared by | share of the total (before × 1): it is not known how long');
    expect(text).toContain('| `b.diff.svg` | BYTES | `SHA` |');
  });

  it('of packets has who talked, and Redis', async () => {
    const text = await markdown('analyze', packets());
    expect(text).toContain('| `10.0.0.1:40000` | `10.0.0.2:6379` |');
    expect(text).toMatch(/\| `GET` \| 1 \| 0 \| \d+\.\d{3} /);
    expect(text).toContain('| `a.pcap` | BYTES | `SHA` |');
  });

  it('of packets prints no duration and no rate as 0 that is more', async () => {
    const frames = (at: readonly number[]) =>
      pcap(
        'ethernet',
        at.map((millis, n) => ({
          frame: framed('ethernet', udp({ sport: 5000 + (n >> 1) })),
          at: START + BigInt(millis * 1e6),
        })),
        { nanoseconds: true },
      );
    const quick = join(folder, 'quick.pcap');
    writeFileSync(quick, frames([0, 0.02, 5, 20]));
    const text = await markdown('analyze', quick);
    expect(text).toMatch(/\| time \| .* UTC, 20 ms, 200 packets\/s \|/);
    expect(text).toMatch(/\| `10\.0\.0\.1:5000` .* \| 20 µs \|/);
    const slow = join(folder, 'slow.pcap');
    writeFileSync(slow, frames([0, 80_000]));
    expect(await markdown('analyze', slow)).toContain('80s, 0.025 packets/s');
    expect((await gkeprof(['analyze', slow])).stdout.toString()).toContain('80s, 0.025 packets/s');
  });

  it('of a capture says what was lost', () => {
    const files = [{ role: 'packets', path: 'a.pcap.gz', bytes: 7, sha256: '0'.repeat(64) }];
    expect(
      captureMarkdown(captureFacts(RECEIPT), files, 'stopped after 10s (--duration)'),
    ).toBe(`### Packets of pod redis/redis-0 on node-a

| fact | value |
| --- | --- |
| started | 2026-11-23 13:37:49 UTC (by the node's clock) |
| duration | stopped after 10s (--duration) |
| node | node-a, kernel 6.1.0, tcpdump version 4.99.3 |
| scope | netns |
| filter | \`port 6379\` |
| captured | 5 packets |
| dropped by the kernel | 1 packet: the capture has holes |

| file | bytes | SHA-256 |
| --- | ---: | --- |
| \`a.pcap.gz\` | 7 | \`${'0'.repeat(64)}\` |

Recorded with kubectl-gkeprof 0.1.0. The capture contains payload.
`);
  });
});

describe('--open', () => {
  /** A desktop whose opener writes down what it was given. */
  const desktop = (script: string) => {
    writeFileSync(at('xdg-open'), `#!/bin/sh\n${script}\n`);
    chmodSync(at('xdg-open'), 0o755);
    return { PATH: `${folder}:/usr/bin:/bin` };
  };
  const line = () => ['render', a(), '--output-dir', folder, '--open'];

  it('hands the picture to the opener', async () => {
    const run = await gkeprof(line(), '', desktop(`echo "$@" > ${at('opened')}`));
    await vi.waitFor(() => readFileSync(at('opened')), 60_000);
    expect(readFileSync(at('opened'), 'utf8')).toBe(`${at('a.flamegraph.svg')}\n`);
    expect(run.stderr).toContain(`opened ${at('a.flamegraph.svg')}\n`);
  });

  it('does not wait for a browser that stays', async () => {
    const run = await gkeprof(line(), '', desktop(`echo $$ > ${at('pid')}; exec sleep 60`));
    await vi.waitFor(() => expect(Number(readFileSync(at('pid'), 'utf8'))).toBeGreaterThan(1), 60_000);
    process.kill(Number(readFileSync(at('pid'), 'utf8')));
    expect(run.stderr).toContain(`opened ${at('a.flamegraph.svg')}\n`);
  });

  it.each([
    ['exit 3', {}, 'xdg-open ended with 3'],
    ['exit 0', { SSH_CONNECTION: '1' }, 'this is an ssh session'],
    ['exit 0', { PATH: '/nowhere' }, 'there is no xdg-open on PATH'],
  ])('says where the picture is when it is not opened: %s %j', async (script, env, reason) => {
    const run = await gkeprof(line(), '', { ...desktop(script), ...env });
    expect(run.code).toBe(0);
    const warning = `warning: cannot open ${at('a.flamegraph.svg')} in the browser: ${reason}\n`;
    expect(run.stderr).toContain(warning);
    rmSync(at('a.flamegraph.svg'));
    expect((await gkeprof([...line(), '-o', 'json'], '', { ...desktop(script), ...env })).stderr).toBe(
      warning,
    );
  });

  it('needs something to open', async () => {
    expect((await gkeprof(['render', a(), '--format', 'top', '--open'])).stderr).toMatch(
      /--open: no picture is written/,
    );
    expect((await gkeprof(['analyze', packets(), '--open'])).stderr).toMatch(/--open needs --html/);
  });
});
