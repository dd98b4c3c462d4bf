import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { CLUSTER_OPTIONS } from '../../src/cli/cluster-options.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { parseTimeout } from '../../src/cluster/connection.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { KUBECTL } from '../real-kubectl.ts';

/** What a line of `flamegraph x` means for the connection; throws what is refused. */
async function connection(...words: string[]): Promise<object> {
  const invocation = await parseCommandLine(['flamegraph', 'x', ...words], COMMANDS, {
    env: {},
    readConfig: async () => undefined,
  });
  if (invocation.kind !== 'run') throw new Error('not run');
  return (invocation.command.validate(invocation.raw) as { capture: { connection: object } }).capture
    .connection;
}

it('knows every flag of `kubectl options`, with its short form and whether it has a value', async () => {
  const { stdout } = await execa(KUBECTL, ['options']);
  const theirs = [...stdout.matchAll(/^\s+(?:-(\w), )?--([\w-]+)=(.*):$/gm)];
  expect(theirs.length).toBeGreaterThan(25);
  const flamegraph = COMMANDS.find(({ name }) => name === 'flamegraph')!;
  for (const [, short, name, value] of theirs) {
    if (name === 'v') continue; // Ours is -v too, and counts to two.
    const spec = flamegraph.options[name!];
    expect(spec, name).toBeDefined();
    expect([name, spec!.alias, spec!.type === 'boolean']).toEqual([
      name,
      short,
      /^(true|false)$/.test(value!),
    ]);
  }
});

describe('what a line says of the cluster', () => {
  it.each<[string[], object]>([
    [[], {}],
    [['--context=', '--namespace', ''], {}],
    [['-s', 'https://h', '--token=t'], { server: 'https://h', token: 't' }],
    [
      ['--as=a', '--as-uid=7', '--as-group=b', '--as-group=c,d'],
      { as: 'a', asUid: '7', asGroups: ['b', 'c,d'] },
    ],
    [['--insecure-skip-tls-verify'], { insecureSkipTlsVerify: true }],
    [['--insecure-skip-tls-verify=false', '--disable-compression=true'], { disableCompression: true }],
    [['--request-timeout=1m30s'], { requestTimeout: '1m30s' }],
  ])('%j', async (words, want) => expect(await connection(...words)).toEqual(want));

  it.each(['match-server-version', 'warnings-as-errors', 'profile=cpu', 'vmodule=a=1', 'kuberc=/f'])(
    'refuses --%s with the reason, for it would mean something else here',
    async (flag) => {
      const error = await connection(`--${flag}`).catch((each: unknown) => each);
      expect(error).toMatchObject({ code: 2, message: expect.stringMatching(/^--[\w-]+: \w+.*\w+/) });
    },
  );

  it('shows the usual ones in the help of a verb, and takes all', () => {
    expect(Object.keys(CLUSTER_OPTIONS).length).toBeGreaterThan(25);
    expect(Object.entries(CLUSTER_OPTIONS).filter(([, { unlisted }]) => !unlisted)).toHaveLength(8);
  });
});

/** By Go's time.ParseDuration and strconv.ParseInt, through client-go's ParseTimeout. */
it.each<[string, number | undefined]>([
  ['0', 0],
  ['30', 30_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['250ms', 250],
  ['3us2\u00b5s', 0.005],
  ['+2s', 2000],
  ['-1s', -1000],
  ['-0', 0],
  ['', undefined],
  ['-1', undefined],
  ['1d', undefined],
  ['1.5', undefined],
  ['s', undefined],
  ['1m 30s', undefined],
])('the time %j', (text, ms) => expect(parseTimeout(text)).toBe(ms));
