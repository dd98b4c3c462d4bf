import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configPath } from '../../src/cli/config/file.ts';
import { gkeprof } from '../command-line.ts';
import { needing } from '../needing.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'gkeprof-config-'));
  mkdirSync(join(home, 'gkeprof'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const path = () => join(home, 'gkeprof/config.yaml');
const write = (body: string, at = path()) =>
  writeFileSync(at, `apiVersion: gkeprof.dev/v1\nkind: Config\n${body}`);

/** One row of what is in force. */
async function inForce(flag: string, command: string, env: Record<string, string> = {}) {
  const { stdout, stderr } = await gkeprof(['config', 'view', '-o', 'json'], '', {
    XDG_CONFIG_HOME: home,
    ...env,
  });
  expect(stderr).toBe('');
  const view = JSON.parse(stdout.toString()) as { settings: Array<{ flag: string; commands: string[] }> };
  return view.settings.find((row) => row.flag === flag && row.commands.includes(command));
}

it.each<[Record<string, string>, boolean, string | undefined]>([
  [{ HOME: '/h' }, false, '/h/.config/gkeprof/config.yaml'],
  [{ HOME: '/h', XDG_CONFIG_HOME: '/x' }, false, '/x/gkeprof/config.yaml'],
  [{ HOME: '/h', XDG_CONFIG_HOME: '' }, false, '/h/.config/gkeprof/config.yaml'],
  [{ HOME: '/h', XDG_CONFIG_HOME: '/x', GKEPROF_CONFIG: '/c.yaml' }, false, '/c.yaml'],
  [{ HOME: '/h', XDG_CONFIG_HOME: '.' }, false, '/h/.config/gkeprof/config.yaml'],
  [{ XDG_CONFIG_HOME: '.' }, false, undefined],
  [{ HOME: '/h', APPDATA: '/a' }, true, '/a/gkeprof/config.yaml'],
  [{}, false, undefined],
  [{}, true, undefined],
])('with %j, Windows %s, the file is %s', (env, windows, want) =>
  expect(configPath(env, windows)).toBe(want),
);

describe('what is in force', () => {
  it('is the environment, else the part for the command, else the part for all, else the default', async () => {
    write('defaults:\n  duration: 10s\ncommands:\n  pcap:\n    duration: 20s\n');
    expect(await inForce('duration', 'flamegraph')).toEqual({
      flag: 'duration',
      env: 'GKEPROF_DURATION',
      commands: ['flamegraph', 'waits'],
      value: '10s',
      from: 'file',
      source: `${path()}:4`,
    });
    expect(await inForce('duration', 'pcap')).toMatchObject({ value: '20s', source: `${path()}:7` });
    expect(await inForce('duration', 'pcap', { GKEPROF_DURATION: '30s' })).toMatchObject({
      commands: ['flamegraph', 'pcap', 'waits'],
      value: '30s',
      from: 'environment',
      source: 'GKEPROF_DURATION',
    });
    expect(await inForce('frequency', 'flamegraph')).toMatchObject({ value: '99', from: 'default' });
    expect(await inForce('image-pull-secret', 'ps', { GKEPROF_IMAGE_PULL_SECRET: 'a b' })).toMatchObject({
      value: ['a', 'b'],
    });
  });

  it('leaves out what is always typed', async () => {
    for (const flag of ['context', 'namespace', 'as', 'pid', 'dry-run', 'dangerous'])
      expect(await inForce(flag, 'flamegraph')).toBeUndefined();
  });

  it('is a table for people, and says where a file would be', async () => {
    const { stdout } = await gkeprof(['config', 'view'], '', { XDG_CONFIG_HOME: home });
    const text = stdout.toString();
    expect(text).toMatch(`configuration file: ${path()} (does not exist)\n`);
    expect(text).toMatch(/^FLAG +VALUE +FROM +COMMANDS$/m);
    expect(text).toMatch(/^duration +60s +default +flamegraph,pcap$/m);
    expect(text).toMatch(/^debug-namespace +gkeprof +default +all$/m);
  });
});

it('says which variables preset nothing', async () => {
  const env = { GKEPROF_IMGE: 'x', GKEPROF_IMAGE: 'y', GKEPROF_PID: '1' };
  const { stderr } = await gkeprof(['config', 'view'], '', { XDG_CONFIG_HOME: home, ...env });
  const lines = stderr.toString().trim().split('\n').sort();
  expect(lines).toEqual([
    'warning: GKEPROF_IMGE has no effect: did you mean GKEPROF_IMAGE?',
    'warning: GKEPROF_PID has no effect: it names no flag that can be preset',
  ]);
});

describe('presets at work', () => {
  const capture = ['x.perf-script.txt', '--output-dir', tmpdir()];
  const run = (words: string[], env: Record<string, string> = {}) =>
    gkeprof(words, '', { XDG_CONFIG_HOME: home, ...env });

  it('a wrong value gives the error of the flag, and says what set it', async () => {
    write('commands:\n  pcap:\n    duration: 10 parsecs\n    scope: ifac\n');
    const { code, stderr } = await run(['pcap', 'x', '--scope', 'node']);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `error: --duration: "10 parsecs" is not a duration (set by ${path()}:5)\nhint: write it as 30s, 5m or 1m30s\n`,
    );
    expect((await run(['pcap', 'x', '--duration', '1s'])).stderr).toBe(
      `error: --scope: unknown value "ifac" (set by ${path()}:6)\nhint: did you mean iface? values: netns, iface, node\n`,
    );
    expect((await run(['render', ...capture], { GKEPROF_VERBOSE: 'yes' })).stderr).toBe(
      'error: --verbose: "yes" is not a whole number from 0 to 10 (set by GKEPROF_VERBOSE)\n',
    );
  });

  it('is not taken from a file that every user can write, unless that was named', async () => {
    write('defaults:\n  image: evil.example/x:1\n');
    chmodSync(path(), 0o666);
    const { code, stderr } = await run(['pcap', 'x']);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `error: the configuration ${path()} can be written by every user, and it chooses the image that runs with all rights on nodes\nhint: chmod o-w ${path()}\n`,
    );
    const named = await gkeprof(['config', 'view', '-o', 'name'], '', { GKEPROF_CONFIG: path() });
    expect(named.stdout.toString()).toContain('image');
    chmodSync(path(), 0o644);
  });

  needing('root')('is not taken from the file of another user, unless that was named', async () => {
    write('defaults:\n  image: evil.example/x:1\n');
    chownSync(path(), 65_534, 65_534);
    const { code, stderr } = await run(['pcap', 'x']);
    expect(code).toBe(2);
    expect(stderr).toContain('belongs to another user');
    const named = await gkeprof(['config', 'view', '-o', 'name'], '', { GKEPROF_CONFIG: path() });
    expect(named.stdout.toString()).toContain('image');
    rmSync(path());
  });

  it('what is typed goes before it, and no conflict comes of both', async () => {
    write(
      'defaults:\n  no-idle: true\ncommands:\n  analyze:\n    format: tshark\n    redact-key: k\n  pcap:\n    show: redis\n',
    );
    const noFile = /no such file|ENOENT/;
    expect((await run(['render', '--idle', ...capture])).stderr).toMatch(noFile);
    expect((await run(['analyze', 'nowhere.pcap', '-o', 'json'])).stderr).toMatch(noFile);
    const both = await run(['analyze', 'nowhere.pcap', '-o', 'json', '--format', 'table']);
    expect(both.stderr).toMatch(/--format and -o cannot be used together/);
    const analysis = await run(['pcap', 'x', '--show', 'redis']);
    expect(analysis.stderr).toMatch(/--show needs --analyze/);
    const capturing = await run(['pcap', 'x', '--duration', 'wrong']);
    expect(capturing.stderr).toMatch(/^error: --duration: "wrong" is not a duration\n/);
  });

  it('a file that is wrong stops what it would set, not help and version', async () => {
    write('defaults:\n  imag: x\n');
    const wrong = await run(['pcap', 'x']);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toBe(
      `error: ${path()}:4: unknown key "imag" in defaults\nhint: did you mean image?\n`,
    );
    for (const words of [['version'], ['--help'], ['pcap', '--help']])
      expect((await run(words)).code).toBe(0);
    expect((await run(['config', 'view'])).stderr).toBe(wrong.stderr);
  });

  it('one that is named has to be there', async () => {
    const { code, stderr } = await run(['pcap', 'x'], { GKEPROF_CONFIG: join(home, 'none.yaml') });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: the configuration cannot be read: ENOENT.*\nhint: GKEPROF_CONFIG names it\n$/,
    );
  });

  it('one that is a folder cannot be read', async () => {
    mkdirSync(path());
    expect((await run(['pcap', 'x'])).stderr).toMatch(/^error: the configuration cannot be read: EISDIR/);
  });
});
