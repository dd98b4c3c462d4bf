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
  const captures = words[0] === 'pcap' || words[0] === 'flamegraph';
  const hasFolder = words.includes('--output-dir') || words.includes('--');
  const invocation = await parseCommandLine(
    [...(captures && !hasFolder ? [words[0]!, '--output-dir', tmpdir(), ...words.slice(1)] : words)],
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
      refs: { refs: [{ kind: 'pod', name: 'redis-0' }], kinds: [] },
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
    for (const verb of COMMANDS.filter(({ hidden, options, args }) => !hidden && args && options.verbose)) {
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

  it('takes flags before the verb, as kubectl does', async () => {
    for (const line of [
      '-n shop --context c flamegraph pod/x -t 5s',
      '--context c flamegraph -n shop pod/x --duration 5s',
      '-t 5s -nshop flamegraph --context=c pod/x',
      '-v flamegraph -n flamegraph -n shop --context c pod/x -t 5',
      '--dry-run flamegraph -n shop --context c pod/x -t 5',
    ])
      expect(await parse(['--output-dir', tmpdir(), ...line.split(' ')]), line).toMatchObject({
        durationSeconds: 5,
        capture: { connection: { namespace: 'shop', context: 'c' } },
      });
    expect(await parse(['-n', 'flamegraph', 'pcap', 'x', '--output-dir', tmpdir()])).toMatchObject({
      maxBytes: 2 ** 30,
      capture: { connection: { namespace: 'flamegraph' } },
    });
    // -t is a flag without a value for shell, and one with a value for flamegraph.
    expect(await parse(['-it', 'shell', 'node/flamegraph'])).toMatchObject({ interactive: true, words: [] });
  });

  it('keeps every value of a flag that can be repeated', async () => {
    expect(
      await parse(
        'flamegraph x --as a --as-group g --as-group h --image-pull-secret s --image-pull-secret t'.split(
          ' ',
        ),
      ),
    ).toMatchObject({
      capture: { connection: { asGroups: ['g', 'h'] }, debugPod: { imagePullSecrets: ['s', 't'] } },
    });
    expect(await parse('pcap x --port 1 --port 2'.split(' '))).toMatchObject({
      words: { filter: ['port', '1', 'or', 'port', '2'] },
    });
    expect(await parse('whois node/x --port 1 --port 2'.split(' '))).toMatchObject({
      questions: [{ port: 1 }, { port: 2 }],
    });
  });

  it.each<[string, string | undefined]>([
    ['--dry-run=none', undefined],
    ['--dry-run none', undefined],
    ['--dry-run', 'client'],
    ['--dry-run server', 'server'],
  ])('reads %s', async (flag, dryRun) => {
    const { capture } = await parse(['pcap', ...flag.split(' '), 'x']);
    expect((capture as { dryRun?: string }).dryRun).toBe(dryRun);
  });

  it('runs what follows the target on the node, also without --', async () => {
    expect(await parse('crictl node/x ps'.split(' '))).toMatchObject({ words: { subcommand: 'ps' } });
    expect(await parse('crictl -n a node/x -- ps -a'.split(' '))).toMatchObject({
      words: { subcommand: 'ps', rest: ['-a'] },
    });
    expect(await parse('shell -it node/x'.split(' '))).toMatchObject({ words: [] });
    expect(await parse('shell node/x --quiet cat /etc/os-release'.split(' '))).toMatchObject({
      words: ['cat', '/etc/os-release'],
    });
  });

  it('names a file by --output and a format by -o, both at once', async () => {
    const file = join(tmpdir(), 'gkeprof-no-such-file.svg');
    expect(await parse(['render', 'a', '--output', file, '-o', 'json'])).toMatchObject({
      draw: { output: file, format: { kind: 'json' } },
    });
    expect(await parse(['render', 'a', '--output', '-'])).toMatchObject({
      draw: { output: '-', format: { kind: 'text' } },
    });
    expect(await parse(['render', 'a', '--output', 'json'])).toMatchObject({
      draw: { format: { kind: 'json' } },
    });
  });

  it.each([
    ['help', /^Commands:$/m],
    ['help help', /^Commands:$/m],
    ['-n shop', /^Commands:$/m],
    ['-h', /^Commands:$/m],
    ['help flamegraph', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['flamegraph help', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['flamegraph --help', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['flamegraph pod/x --help', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['--help flamegraph', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['-n shop -h flamegraph x', /^ {2}kubectl gkeprof flamegraph TARGET/m],
    ['options', /^ +--as-group GROUP/m],
    ['options --help', /--as-group GROUP/],
    ['help options', /--as-group GROUP/],
  ])('%s prints help', async (line, want) => {
    const invocation = await parseCommandLine(line.split(' '), COMMANDS, {
      env: {},
      readConfig: async () => undefined,
    });
    expect(invocation).toMatchObject({ kind: 'print', text: expect.stringMatching(want) });
  });

  it('takes the last of a repeated flag of kubectl, a flag before the environment, and no flag for none', async () => {
    expect(await parse(['flamegraph', 'x', '-n', 'a', '--namespace', 'b'])).toMatchObject({
      capture: { connection: { namespace: 'b' } },
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
    [['-n', 'x', 'pcap'], /^missing target$/, /^name one, such as pod\/NAME/],
    [['-n', 'x', 'pcpa', 'y'], /^unknown command "pcpa"$/, /did you mean pcap/],
    [['--durations', '5', 'flamegraph'], /^unknown flag: --durations$/],
    [['--', 'pcap'], /^missing command before --$/],
    [[''], /^unknown command ""$/, /^commands: flamegraph/],
    [['tcpdump', 'x'], /^unknown command "tcpdump"$/, /^did you mean pcap\? kubectl gkeprof pcap pod\/NAME$/],
    [['capture'], /^unknown command/, /^did you mean pcap\?/],
    [['profile'], /^unknown command/, /^did you mean flamegraph\?/],
    [['perf'], /^unknown command/, /^did you mean flamegraph\?/],
    [['record'], /^unknown command/, /^did you mean flamegraph\?/],
    [['top'], /^unknown command/, /^did you mean ps\?/],
    [['exec', '-it', 'x', '--', 'sh'], /^unknown command "exec"$/, /^did you mean shell\?.*crictl/],
    [['logs', 'x'], /^unknown command/, /^did you mean crictl\? kubectl gkeprof crictl pod\/NAME -- logs$/],
    [['debug', 'x'], /^unknown command/, /^did you mean shell\?/],
    [['debug', '--image', 'b', 'node/x'], /^unknown command "debug"$/, /^did you mean shell\?/],
    [['flamegraph', '-v', 'x'], /^-v: "x" is not a level from 0 to 10$/, /-v=1/],
    [['flamegraph', 'x', '--duration', '5', '-t', '7s'], /^--duration: given twice, as "5" and as "7s"$/],
    [['flamegraph', 'x', '--open', '--open=false'], /^--open: given twice, as "true" and as "false"$/],
    [['manifests', '--openshift=maybe'], /^--openshift: "maybe" is neither true nor false$/],
    [['flamegraph', 'x', '--off-cpu=yes'], /^--off-cpu: "yes" is neither true nor false$/],
    [['flamegraph', 'x', '--off-cpu='], /^--off-cpu: "" is neither true nor false$/],
    [['ps', 'x', '-A=x'], /^--all-namespaces: "x" is neither true nor false$/],
    [['ps', 'x', '--insecure-skip-tls-verify=no'], /^--insecure-skip-tls-verify: "no" is neither true nor/],
    [
      ['flamegraph', 'x', '-o', 'wide'],
      /^-o: unknown format "wide"$/,
      /^formats: json, yaml, name, jsonpath=…; .*--output-dir DIR$/,
    ],
    [['flamegraph', 'x', '-o', 'x.svg'], /^-o: unknown format "x.svg"$/, /--output-dir DIR$/],
    [
      ['flamegraph', 'x', 'y', '--vs', 'z'],
      /^--vs compares one target with another$/,
      /^name one target before --vs$/,
    ],
    [['crictl', 'ps'], /^crictl: missing target before "ps"$/, /crictl pod\/NAME -- ps$/],
    [['flamegraph', 'x', '-o', 'markdown'], /^-o: unknown format "markdown"$/, /^did you mean --markdown\?$/],
    [['render', 'a', '-o', 'wide'], /^-o: unknown format "wide"$/, /to name the file: --output .\/wide$/],
    [['render', 'a', '--output', 'wide'], /^-o: unknown format "wide"$/, /--output \.\/wide$/],
    [['diff', 'a', 'b', '-o', 'x.svg'], /^-o: unknown format "x.svg"$/, /to name the file: --output x.svg$/],
    [['render', 'a', '-o', '-'], /^-o: unknown format "-"$/, /--output -$/],
    [['render', 'a', '-o', 'json', '--output', 'yaml'], /^-o json and --output yaml both name a format$/],
    [['render', 'a', '-o', 'json', '--output', '-'], /^-o and --output - both write to stdout$/],
    [['crictl', 'node/x', 'ps', '-a'], /^crictl: "-a" after "ps" needs --/, /crictl node\/x -- ps -a$/],
    [['crictl', 'node/x', 'y', '--', 'ps'], /^crictl: takes 1 target, got 2$/],
    [['config'], /^config: missing subcommand$/],
    [['config', 'set'], /^config: unknown subcommand "set"$/],
    [['diff', 'a', 'b', 'c'], /^diff: takes at most 2 files, got 3$/],
    [['analyze'], /^analyze: missing file$/, /analyze @last$/],
    [['whois', 'node/x'], /^whois: nothing to look up$/],
    [['ps', 'x', '-l', 'a=b'], /^name cannot be provided when a selector is specified$/, /or -l a=b$/],
    [['ps', 'a', 'node/b'], /^a node cannot be a target beside pods/, /name only nodes/],
    [['pcap', 'x', '--durations', '5'], /unknown flag: --durations/, /did you mean --duration\?/],
    [['pcap', 'x', '-q'], /unknown flag: -q/],
    [['help', 'flamegrap'], /unknown command "flamegrap"/, /did you mean flamegraph\?/],
    [['pcap', 'x', '--scope', 'ifac'], /^--scope: unknown value "ifac"$/, /did you mean iface\?/],
    [['pcap', 'x', '-n'], /^-n: needs a value$/],
    [['pcap', 'x', '-w', '-'], /unknown flag: -w/, /^put the filter and the options of tcpdump after --$/],
    [['pcap'], /^missing target$/, /^name one, such as pod\/NAME, or use -l LABELS$/],
    [
      ['pcap', 'a', 'port', '80'],
      /^"port" is no target: .* part of a filter$/,
      /filter and the options of tcpdump after --/,
    ],
    [['pcap', 'x', '--port'], /^--port: needs a value$/],
    [['pcap', 'x', '--port='], /^--port: needs a value$/],
    [['pcap', 'x', '--count='], /^--count: is empty/],
    [['pcap', 'x', '--scope', 'pod'], /^--scope: unknown value "pod"$/, /values: netns, iface, node$/],
    [['pcap', 'node/x', '--scope', 'netns'], /^--scope netns cannot be used with a node$/],
    [['pcap', 'x', '--filter', ' '], /--filter: is empty/],
    [['pcap', 'x', '--filter=-w x'], /--filter: looks like an option/],
    [['flamegraph', 'x', '--', 'y'], /^flamegraph: takes no arguments after --$/],
    [['flamegraph', 'node/x', '-c', 'y'], /^-c cannot be used with a node$/],
    [['flamegraph', 'x', '--request-timeout', 'soon'], /--request-timeout: Invalid timeout value "soon"/],
    [
      ['flamegraph', 'x', '--match-server-version'],
      /--match-server-version: it compares the version of kubectl/,
    ],
    [['flamegraph', 'x', '--kuberc', 'f'], /--kuberc: it names a file of defaults/],
    [['flamegraph', 'x', '--image', '$(x)'], /not the name of an image/],
    [['flamegraph', 'x', '--debug-namespace', 'A'], /not the name of a namespace/],
    [['flamegraph', 'x', '--least-privilege'], /^--least-privilege: needs an image/, /name it with --image$/],
    [
      ['shell', 'node/x', '--image', 'a', '--least-privilege', '--', 'id'],
      /^--least-privilege: a shell on the node has all privileges/,
      /--least-privilege=false/,
    ],
    [['manifests', 'x'], /^manifests: takes no arguments, got "x"$/],
  ])('refuses %j', async (words, reason, hint) => {
    const error = await parse(words).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 2, message: expect.stringMatching(reason) });
    if (hint) expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it('reads the value of a switch as kubectl does', async () => {
    const allow = async (...words: string[]) => (await parse(['mcp', ...words])).isRecordingAllowed;
    for (const value of ['', '=true', '=True', '=TRUE', '=t', '=T', '=1'])
      expect(await allow(`--allow-recording${value}`)).toBe(true);
    for (const value of ['=false', '=False', '=FALSE', '=f', '=F', '=0'])
      expect(await allow(`--allow-recording${value}`)).toBe(false);
    expect(await allow('--allow-recording', '--allow-recording=1')).toBe(true);
    // A word after a switch is no value of it.
    await expect(allow('--allow-recording', 'false')).rejects.toThrow('mcp: takes no arguments, got "false"');
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
