import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AssetName, asset } from '../../src/assets.ts';
import type { NodeWork } from '../../src/collectors/collector.ts';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { LIMITED_WORK, privilegesOf } from '../../src/collectors/privileges.ts';
import { captureCommand, captureScript } from '../../src/collectors/script.ts';
import { argumentsPattern, readGrammar } from '../../src/node/arguments.ts';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { runLife, scriptIn } from '../node/shell.ts';
import { PERF, planOf, TCPDUMP } from '../plans.ts';

/** A collector as a new folder would have it: it writes the node's uptime, as often as it is asked to. */
const UPTIME_SH = `
ARGUMENT_TYPE[times]='[1-9]'
COLLECTOR_ARGUMENTS[uptime]='times'
COLLECTOR_SCOPES[uptime]='node'
COLLECTOR_WORDS[uptime]=''

uptime_needs() { tools=(cat) packages=(); }

uptime_run() {
  local -i at
  for ((at = 0; at < arg[times]; at++)); do cat /proc/uptime; done >"$OUT/uptime.txt"
  emit capturing
  announce uptime uptime.txt
  emit 'end' reason time status: 0
}
`;
const uptime: NodeWork = {
  name: 'uptime',
  scripts: ['collectors/uptime/uptime.sh'],
  samples: [],
  describe: () => "the node's uptime",
  nodeArguments: () => ({ keys: ['times=2'], words: [] }),
};

const script = captureScript([...COLLECTORS, uptime], (name: AssetName) =>
  uptime.scripts.includes(name) ? UPTIME_SH : asset(name),
);

const ARGUMENTS = [
  ...['collector=uptime', 'scope=node', 'duration_ms=1000', 'max_bytes=1000', 'min_free_percent=0'],
  ...['install=0', 'host_network=1'],
];

const inFolder = <T>(use: (folder: string) => T): T => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-collector-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

describe('a collector that is only a row of the table and a shell half', () => {
  it('runs on the node, emits its events and leaves its artifact', () =>
    inFolder((folder) => {
      const { out, events, rest } = runLife(folder, [...ARGUMENTS, 'times=2'], '', script);
      expect(rest).toBe('');
      expect(events.map(({ event }) => event)).toEqual(['hello', 'capturing', 'artifact', 'end']);
      const written = readFileSync(join(out, 'uptime.txt'));
      expect(written.toString()).toMatch(/^(?:[0-9.]+ [0-9.]+\n){2}$/);
      expect(events[2]).toMatchObject({
        file: 'uptime.txt',
        bytes: written.length,
        sha256: createHash('sha256').update(written).digest('hex'),
      });
      expect(existsSync(join(out, 'done'))).toBe(true);
    }));

  it('has its arguments checked by the types that its shell half declares', () =>
    inFolder((folder) => {
      const { events } = runLife(folder, [...ARGUMENTS, 'times=0'], '', script);
      expect(events.map((each) => each.event)).toEqual(['refused']);
      const pattern = new RegExp(argumentsPattern(readGrammar(script), 'uptime', 'node'));
      const sent = (times: string) =>
        [`nonce=${'ab'.repeat(11)}`, ...ARGUMENTS, `times=${times}`, '--']
          .map((word) => `${word}\n`)
          .join('');
      expect(pattern.test(sent('2'))).toBe(true);
      expect(pattern.test(sent('0'))).toBe(false);
    }));

  it('does not exist for the script of the release', () =>
    inFolder((folder) => {
      const { events } = runLife(folder, [...ARGUMENTS, 'times=2']);
      expect(events.map((each) => each.event)).toEqual(['refused']);
    }));
});

describe('the table of collectors', () => {
  it('is all that the command depends on: the plan changes nothing of it', () => {
    for (const task of [PERF, TCPDUMP]) {
      const plan = planOf(task);
      const work = COLLECTORS.find(({ name }) => name === plan.capture.collector)!;
      expect(debugPod([plan], work).spec!.containers[0]!.command).toEqual(captureCommand(work));
    }
  });

  const functionsIn = (text: string): string[] =>
    [...text.matchAll(/^(\w+)\(\) \{/gm)].map(([, name]) => name!);
  it.each(COLLECTORS.map((each) => [each.name, each] as const))(
    '%s: its script has every function that it uses, without the halves of others',
    (_, work) => {
      const script = captureScript([work]);
      const own = new Set(functionsIn(script));
      const foreign = functionsIn(captureScript()).filter((name) => !own.has(name));
      expect(foreign.length).toBeGreaterThan(10);
      // A word that begins a command: others are names of variables, and what messages say.
      const begins = String.raw`(?:^|[;&|({!]|\b(?:if|then|elif|else|do|while|until|alone)\b)\s*`;
      const calls = (name: string) => new RegExp(`${begins}${name}(?=[\\s;)]|$)`, 'm').test(script);
      expect([...own].some(calls)).toBe(true);
      expect(foreign.filter(calls)).toEqual([]);
    },
  );

  it.each([
    ['tcpdump', 'collector=perf', 'rate=99'],
    ['perf', 'collector=waits', 'rate=50'],
  ])('the script of %s refuses the arguments of another', (name, ...words) =>
    inFolder((folder) => {
      const script = captureScript(COLLECTORS.filter((work) => work.name === name));
      const argv = [`nonce=${'ab'.repeat(11)}`, ...words, ...ARGUMENTS.slice(1), '--'];
      const { stdout } = spawnSync('bash', ['-c', scriptIn(folder, '', script), 'test', ...argv], {
        encoding: 'utf8',
      });
      expect(JSON.parse(stdout)).toMatchObject({ event: 'refused', code: 'bad-argument' });
    }),
  );

  it.each(COLLECTORS.map((each) => [each.name, each] as const))(
    '%s: its shell half declares it, and a policy knows its pods',
    (name, { scripts, leastPrivilege }) => {
      const text = scripts.map(asset).join('\n');
      expect(text).toContain(`\n${name}_needs() {`);
      expect(text).toContain(`\n${name}_run() {`);
      const grammar = readGrammar(captureScript());
      for (const table of [grammar.ofCollector, grammar.scopes, grammar.words])
        expect([...table.keys()].sort()).toEqual(COLLECTORS.map((each) => each.name).sort());
      expect(debugPodKinds('x').some(({ plan }) => plan.capture.collector === name)).toBe(true);
      for (const { collector, scope, parts } of LIMITED_WORK.filter((each) => each.collector === name))
        expect(() => privilegesOf(collector, scope, parts)).not.toThrow();
      expect(LIMITED_WORK.some(({ collector }) => collector === name)).toBe(leastPrivilege !== undefined);
    },
  );

  it('refuses a grammar in which two collectors declare the same argument', () =>
    expect(() => readGrammar(`${script}\nARGUMENT_TYPE[times]='x'\n`)).toThrow('ARGUMENT_TYPE twice'));
});
