import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { withOrigin } from '../../src/cli/settings.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { golden } from '../golden.ts';

async function parse(
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const captures = words.some((word) => word === 'pcap' || word === 'flamegraph') && !words.includes('--');
  const invocation = await parseCommandLine(
    [...(captures ? [words[0]!, '--output-dir', tmpdir(), ...words.slice(1)] : words)],
    COMMANDS,
    { env, readConfig: async () => undefined },
  );
  if (invocation.kind !== 'run') throw new Error('it printed');
  return withOrigin(invocation.raw, (raw) => invocation.command.validate(raw)) as Record<string, unknown>;
}

describe('parseCommandLine', () => {
  it('reads flamegraph', async () => {
    expect(
      await parse([
        'flamegraph',
        'pod/redis-0',
        '-n',
        'redis',
        '-c',
        'redis',
        '--duration',
        '10s',
        '--context=prod',
        '--image',
        'a/b:1',
        '--image-pull-secret',
        'x',
        '--image-pull-secret',
        'y',
      ]),
    ).toMatchObject({
      named: { kind: 'pod', name: 'redis-0' },
      container: 'redis',
      durationSeconds: 10,
      frequencyHz: 99,
      capture: {
        connection: { namespace: 'redis', context: 'prod' },
        debugPod: { namespace: 'gkeprof', image: 'a/b:1', install: false, imagePullSecrets: ['x', 'y'] },
        keepSeconds: 600,
      },
    });
  });

  it.each(['-v 2', '--verbose 2', '--v 2'])('takes %s for a level, not for a file', async (level) => {
    for (const verb of COMMANDS.filter(({ hidden, options }) => !hidden && options.verbose)) {
      const invocation = await parseCommandLine([verb.name, ...level.split(' '), 'a'], COMMANDS, {
        env: {},
        readConfig: async () => undefined,
      });
      if (invocation.kind !== 'run') throw new Error('it printed');
      expect(invocation.raw.positionals, verb.name).toEqual(['a']);
      expect(invocation.raw.text('verbose'), verb.name).toBe('2');
    }
  });

  it('reads pcap, and keeps what is behind -- for tcpdump', async () => {
    expect(
      await parse([
        'pcap',
        'redis-0',
        '--port',
        '6379',
        '--count',
        '10',
        '--',
        '-s',
        '96',
        'host',
        '10.0.0.1',
      ]),
    ).toMatchObject({
      words: {
        options: ['-s', '96'],
        filter: ['(', 'port', '6379', ')', 'and', '(', 'host', '10.0.0.1', ')'],
      },
      count: 10,
      maxBytes: 2 ** 30,
      durationSeconds: 60,
    });
  });

  it('takes the last of a repeated flag, a flag before the environment, and no flag for none', async () => {
    expect(await parse(['flamegraph', 'x', '--duration', '5', '--duration', '7s'])).toMatchObject({
      durationSeconds: 7,
    });
    const image = (words: string[]) =>
      parse(['flamegraph', 'x', ...words], { GKEPROF_IMAGE: 'team/tools:2' });
    expect(await image([])).toMatchObject({
      capture: { debugPod: { image: 'team/tools:2', install: false } },
    });
    expect(await image(['--image', 'mine:1'])).toMatchObject({ capture: { debugPod: { image: 'mine:1' } } });
    expect(await parse(['flamegraph', 'x'])).toMatchObject({ capture: { debugPod: { install: true } } });
  });

  it.each<[string[], RegExp, RegExp?]>([
    [['flamgraph', 'x'], /unknown command "flamgraph"/, /did you mean flamegraph\?/],
    [['-n', 'x', 'pcap'], /flags go behind the verb/],
    [['pcap', 'x', '--durations', '5'], /unknown flag: --durations/, /did you mean --duration\?/],
    [['pcap', 'x', '-q'], /unknown flag: -q/],
    [['help', 'flamegrap'], /unknown command "flamegrap"/, /did you mean flamegraph\?/],
    [['pcap', 'x', '--scope', 'ifac'], /^--scope: "ifac" is none of/, /did you mean iface\?/],
    [['pcap', 'x', '-n'], /^-n: needs a value$/],
    [['pcap', 'x', '-w', '-'], /unknown flag: -w/, /^kubectl gkeprof pcap --help$/],
    [['pcap'], /a target is missing/],
    [['pcap', 'a', 'b'], /one target at a time/],
    [['pcap', 'x', '--port'], /^--port: needs a value$/],
    [['pcap', 'x', '--port='], /--port: is empty/],
    [['pcap', 'x', '--scope', 'pod'], /^--scope: "pod" is none of netns, iface, node$/],
    [['pcap', 'node/x', '--scope', 'netns'], /a node has no netns/],
    [['pcap', 'x', '--filter', ' '], /--filter: is empty/],
    [['pcap', 'x', '--filter=-w x'], /--filter: looks like an option/],
    [['flamegraph', 'x', '--', 'y'], /takes nothing behind --/],
    [['flamegraph', 'node/x', '-c', 'y'], /a node has no containers/],
    [['flamegraph', 'x', '--request-timeout', 'soon'], /--request-timeout: Invalid timeout value "soon"/],
    [
      ['flamegraph', 'x', '--match-server-version'],
      /--match-server-version: it compares kubectl's own version/,
    ],
    [['flamegraph', 'x', '--kuberc', 'f'], /--kuberc: it names a file of defaults/],
    [['flamegraph', 'x', '--image', '$(x)'], /not the name of an image/],
    [['flamegraph', 'x', '--debug-namespace', 'A'], /not a name/],
    [['flamegraph', 'x', '--least-privilege'], /^--least-privilege: needs an image/, /name it with --image$/],
    [
      ['shell', 'node/x', '--image', 'a', '--least-privilege', '--', 'id'],
      /^--least-privilege: a shell on the node has all privileges/,
      /--least-privilege=false/,
    ],
    [['manifests', 'x'], /takes no arguments/],
  ])('refuses %j', async (words, reason, hint) => {
    const error = await parse(words).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 2, message: expect.stringMatching(reason) });
    if (hint) expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it.each([
    ['/proc/nowhere', 'ENOENT: no such file or directory'],
    ['/etc/passwd', 'it is not a folder'],
    ['/proc', 'ENOENT: no such file or directory'], // Root may write there, by access(2), and cannot.
  ])('refuses --output-dir %s before anything else happens', async (folder, why) => {
    const error = await parse(['flamegraph', 'x', '--output-dir', folder]).catch((each: unknown) => each);
    expect(error).toMatchObject({
      code: 2,
      message: expect.stringMatching(`--output-dir: cannot write to "${folder}": (${why}|EACCES.*)$`),
    });
  });

  it('leaves nothing in the folder that it tried', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gkeprof-cli-'));
    await parse(['flamegraph', 'x', '--output-dir', folder]);
    rmdirSync(folder); // Fails unless it is empty.
  });

  it.each(['', ...COMMANDS.filter(({ hidden }) => !hidden).map(({ name }) => name)])(
    'prints the help of "%s", at most 80 columns wide',
    async (verb) => {
      const invocation = await parseCommandLine([verb, '--help'].filter(Boolean), COMMANDS, {
        env: {},
        readConfig: async () => undefined,
      });
      const text = invocation.kind === 'print' ? invocation.text : '';
      // A line to be copied is not broken.
      for (const line of text.split('\n'))
        expect(line.length).toBeLessThanOrEqual(
          /^ {2}\S+ .*kubectl gkeprof|^ {2}kubectl/.test(line) ? 100 : 80,
        );
      golden(`help/${verb || 'overview'}.txt`, text);
    },
  );
});
