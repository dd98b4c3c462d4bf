import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/reference.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { COMMANDS } from '../../src/commands/index.ts';

const textOf = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** Why the tool would refuse the command line; undefined if it takes it. */
async function refusal(line: string): Promise<string | undefined> {
  const words = line
    .replace(/^kubectl gkeprof /, '')
    .split(' ')
    .map((word) => word.replaceAll(/["']/g, ''));
  try {
    const parsed = await parseCommandLine(words, COMMANDS, { env: {}, readConfig: async () => undefined });
    if (parsed.kind === 'run') parsed.command.validate(parsed.raw);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('the plugins for k9s', () => {
  interface K9sPlugin {
    readonly args: readonly [string, string];
  }
  const [, yaml] = /```yaml\n(.*?)```/s.exec(textOf('docs/how-to/integrate.md'))!;
  const { plugins } = load(yaml!) as { plugins: Readonly<Record<string, K9sPlugin>> };

  it.each(Object.entries(plugins))('%s has what the schema of k9s requires', (_name, plugin) => {
    expect(plugin).toEqual({
      shortCut: expect.stringMatching(/^Shift-[A-Z]$/),
      description: expect.any(String),
      scopes: ['pods'],
      command: 'sh',
      background: false,
      args: ['-c', expect.any(String)],
    });
  });

  it.each(Object.entries(plugins))('%s is a command line that the tool takes', async (_name, { args }) => {
    const [command] = args[1].split(';');
    const filled = command!
      .replace('$NAME"', 'redis-0"')
      .replace('$NAMESPACE', 'shop')
      .replace('$CONTEXT', 'x');
    expect(filled).not.toContain('$');
    expect(await refusal(filled)).toBeUndefined();
    expect(await refusal(`${filled} --no-such-flag`)).toContain('no-such-flag');
  });
});

describe('the skill for agents', () => {
  const skill = textOf('docs/skills/gkeprof/SKILL.md');
  const [, head] = /^---\n(.*?)\n---\n/s.exec(skill)!;

  it('has a head as the format asks', () => {
    const { name, description, compatibility } = load(head!) as Record<string, string>;
    expect(name).toBe('gkeprof'); // As its folder.
    expect(description!.length).toBeLessThanOrEqual(1024);
    expect(compatibility!.length).toBeLessThanOrEqual(500);
  });

  it('shows command lines that the tool takes', async () => {
    const lines = [...skill.matchAll(/^ {4,}(kubectl gkeprof .*)$/gm)].map(([, line]) => line!);
    expect(lines.length).toBeGreaterThan(4);
    for (const line of lines)
      expect(
        await refusal(line.replace('pod/NAME', 'pod/redis-0').replace('NAMESPACE', 'shop')),
        line,
      ).toBeUndefined();
  });

  it('says of every verb that creates a debug pod that a person is asked first', () => {
    const creating = COMMANDS.filter(
      ({ name, options, hidden }) => options.image && options.kubeconfig && !hidden && name !== 'manifests',
    ).map(({ name }) => name);
    expect(creating).toEqual(expect.arrayContaining(['flamegraph', 'pcap', 'ps']));
    const [, asked] = /These create a privileged pod(.*?)\*\*Ask/s.exec(skill)!;
    for (const name of creating) expect(asked, name).toMatch(new RegExp(`\`${name}\\b`));
  });
});
