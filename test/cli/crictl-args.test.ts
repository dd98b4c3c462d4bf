import { describe, expect, it } from 'vitest';
import {
  containerWord,
  interaction,
  parseCrictlWords,
  placeIds,
  rightsOf,
  withoutTerminal,
} from '../../src/cli/crictl-args.ts';

const ID = 'a'.repeat(64);
const ids = { container: ID, containers: [ID, 'b'.repeat(64)], isContainerGiven: false };
const words = (line: string) => parseCrictlWords(line.split(' '));

describe('placeIds', () => {
  // POD stands for the word that is filled in on the node.
  it.each([
    ['ps', 'ps --pod POD'],
    ['ps -a -o json', 'ps --pod POD -a -o json'],
    ['ps --pod abc', 'ps --pod abc'],
    ['ps --pod=abc', 'ps --pod=abc'],
    ['ps --id abc', 'ps --id abc'],
    ['ps --help', 'ps --help'],
    ['pods', 'pods --id POD'],
    ['pods --id x', 'pods --id x'],
    ['inspectp', 'inspectp POD'],
    ['inspectp -o yaml', 'inspectp -o yaml POD'],
    ['inspectp abc', 'inspectp abc'],
    ['inspect', `inspect ${ID}`],
    ['inspect -o go-template --template {{.info}}', `inspect -o go-template --template {{.info}} ${ID}`],
    ['inspect abc', 'inspect abc'],
    ['inspecti abc', 'inspecti abc'],
    ['images', 'images'],
    ['img', 'images'],
    ['info', 'info'],
    ['logs', `logs ${ID}`],
    ['logs --tail 5 -f', `logs --tail 5 -f ${ID}`],
    ['logs --tail 5 abc', 'logs --tail 5 abc'],
    ['stats', 'stats --pod POD'],
    ['statsp', 'statsp --id POD'],
    ['exec ps -ef', `exec ${ID} ps -ef`],
    ['exec -it sh', `exec -it ${ID} sh`],
    ['exec --timeout 5 -s date', `exec --timeout 5 -s ${ID} date`],
    ['exec aaaaaaa date', 'exec aaaaaaa date'],
    ['exec ccccccc date', `exec ${ID} ccccccc date`],
    ['port-forward', 'port-forward POD'],
    ['--timeout 3s ps', '--timeout 3s ps --pod POD'],
    ['--help', '--help'],
    ['stop abc', 'stop abc'],
    ['rmi --prune', 'rmi --prune'],
  ])('%s → %s', (given, expected) => {
    const placed = placeIds(words(given), ids);
    const shown = placed.words.with(
      placed.podWord ?? 0,
      placed.podWord === undefined ? placed.words[0]! : 'POD',
    );
    expect(shown.join(' ')).toBe(expected);
    // A node is no pod: nothing is put anywhere.
    expect(placeIds(words(given), undefined).words.join(' ')).toBe(given.replace(/^img$/, 'images'));
  });

  it('takes a container that was named before its pod', () => {
    expect(placeIds(words('ps'), { ...ids, isContainerGiven: true }).words).toEqual(['ps', '--id', ID]);
    expect(placeIds(words('stats'), { ...ids, isContainerGiven: true }).words).toEqual(['stats', '--id', ID]);
  });

  it('asks which, where a pod has several', () => {
    expect(() => placeIds(words('logs'), { containers: [], isContainerGiven: false })).toThrow(
      /several containers/,
    );
  });
});

describe('rights', () => {
  it.each([
    ['ps', 'read'],
    ['inspect x', 'read'],
    ['exec x date', 'exec'],
    ['exec x date --help', 'exec'],
    ['attach x', 'exec'],
    ['rm x', 'change'],
    ['rm x --help', 'change'],
    ['stopp x', 'change'],
    ['pull x', 'change'],
    ['port-forward x 80', 'change'],
    ['--version', 'read'],
  ])('%s: %s', (line, rights) => expect(rightsOf(words(line))).toBe(rights));

  it.each([
    ['-r unix:///x ps', /endpoint and configuration/],
    ['--config x ps', /endpoint and configuration/],
    ['pss', /unknown subcommand "pss"/],
  ])('refuses %s', (line, reason) => expect(() => words(line)).toThrow(reason));
  it.each([
    ['exec --help', 'help exec'],
    ['exec -it -h x', 'help exec'],
    ['--debug rm -f --help', '--debug help rm'],
    ['exec x date --help', 'exec x date --help'],
    ['ps --help', 'ps --help'],
  ])('asks for help in a way that is only that: %s', (line, expected) => {
    const { globals, subcommand, rest } = words(line);
    expect([...globals, subcommand, ...rest].join(' ')).toBe(expected);
    expect(rightsOf(words(line))).toBe(expected.includes('help ') || line.startsWith('ps') ? 'read' : 'exec');
  });

  it('refuses nothing at all', () => expect(() => parseCrictlWords([])).toThrow(/missing subcommand/));
});

describe('containerWord', () => {
  it.each([
    ['exec abc date', 0],
    ['exec -it abc sh', 1],
    ['exec -s --timeout 5 abc date', 3],
    ['exec --timeout=5 -r websocket abc date', 3],
    ['exec --tty=true -- abc date', 2],
    ['attach -i abc', 1],
    ['exec', -1],
  ])('%s: %d', (line, at) => expect(containerWord(words(line))).toBe(at));
  // crictl 1.31 and newer, and what urfave/cli takes for a flag with a value.
  it.each([
    'exec --name redis ls',
    'exec -l ls',
    'exec --pod=x ls',
    'exec -ir abc def sh',
    'exec -timeout 5 abc x',
  ])('refuses %s', (line) => expect(() => containerWord(words(line))).toThrow(/does not name one container/));
});

describe('interaction', () => {
  it.each([
    ['exec -it x sh', { stdin: true, tty: true }, 'x sh'],
    ['exec -ti x sh', { stdin: true, tty: true }, 'x sh'],
    ['exec --interactive --tty x sh', { stdin: true, tty: true }, 'x sh'],
    ['exec -i x sh -t', { stdin: true, tty: false }, 'x sh -t'],
    ['exec x sh -it', { stdin: false, tty: false }, 'x sh -it'],
    ['logs -t x', { stdin: false, tty: false }, undefined],
  ])('%s', (line, expected, tail) => {
    expect(interaction(words(line))).toEqual(expected);
    if (tail === undefined) return;
    const without = withoutTerminal(words(line));
    expect(interaction(without)).toEqual({ ...expected, tty: false });
    expect(without.rest.join(' ').endsWith(tail)).toBe(true);
  });
});

it('refuses a line feed in words that only read, and leaves it in what runs in a container', () => {
  expect(() => parseCrictlWords(['ps', '--label', 'a\nb'])).toThrow(/contains a line feed/);
  expect(parseCrictlWords(['exec', 'abc', 'sh', '-c', 'a\nb']).rest.at(-1)).toBe('a\nb');
});
