import type { AnyCommand, Command } from '../cli/command.ts';
import type { Config } from '../cli/config/parse.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { environmentName } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { presetOf } from '../cli/settings.ts';
import { nearestNames } from '../cli/suggest.ts';
import { EXIT, usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { printable } from '../text/printable.ts';

interface ConfigOptions {
  readonly format: OutputFormat;
}

const OPTIONS: OptionTable = { output: outputOption('the flags that are preset') };

/** A flag that can be preset, and its value in these commands if it is not typed. */
export interface SettingRow {
  readonly flag: string;
  readonly env: string;
  readonly commands: readonly string[];
  /** A default is described in words; null if there is none. */
  readonly value: string | readonly string[] | null;
  readonly from: 'environment' | 'file' | 'default';
  /** The environment variable, or the file and the line. */
  readonly source?: string;
}

export const config: Command<ConfigOptions> = {
  name: 'config',
  describe: 'Show which flags are preset, and by what',
  details: [
    'A flag that is not typed takes its value from its environment variable (GKEPROF_IMAGE_PULL_POLICY for --image-pull-policy), else from the configuration file, else from its default. Several values are separated by spaces; a flag without a value is true or false. To turn off a flag that is preset, type --NAME=false.',
    'The file is $XDG_CONFIG_HOME/gkeprof/config.yaml, or ~/.config/gkeprof/config.yaml if that variable is not set; on Windows it is %APPDATA%\\gkeprof\\config.yaml. GKEPROF_CONFIG names another file. The settings of one command override the defaults:',
    `  apiVersion: gkeprof.dev/v1
  kind: Config
  defaults:
    image: registry.example/gkeprof-tools:1
    debug-namespace: ops
  commands:
    flamegraph:
      duration: 30s`,
    'Flags that are specific to one run (--pid, --filter, --dry-run …) cannot be preset. The flags of kubectl (--context, --namespace …) have their defaults in the kubeconfig.',
  ],
  usage: 'view [flags]',
  args: { noun: 'subcommand', min: 1, max: 1 },
  examples: [
    ['kubectl gkeprof config view', 'Show the value of each flag, and where it comes from'],
    [
      'GKEPROF_DURATION=10s kubectl gkeprof config view -o json',
      'Print the same as JSON, with a preset by a variable',
    ],
  ],
  options: OPTIONS,
  subcommands: ['view'],

  validate(raw) {
    const [subcommand] = raw.positionals;
    if (subcommand !== 'view')
      throw usageError(
        `config: unknown subcommand "${printable(subcommand!)}"`,
        'the only subcommand is view: kubectl gkeprof config view',
      );
    return { format: outputFormatOf(raw) };
  },

  async run({ format }, context) {
    const { configuration, env, commands } = context;
    const file = await configuration.read();
    const rows = settingRows(commands, env, file);
    for (const warning of ineffectiveVariables(env, rows)) context.log.warn(warning);
    const place = file
      ? file.path
      : configuration.path === undefined
        ? 'none'
        : `${configuration.path} (does not exist)`;
    await printResult(
      context,
      format,
      () => ({ kind: 'ConfigView', version: 1, file: file?.path ?? null, settings: rows }),
      [...new Set(rows.filter(({ from }) => from !== 'default').map(({ flag }) => flag))],
      () => `configuration file: ${place}\n\n${tableOf(rows, commands)}`,
    );
    return EXIT.done;
  },
};

/** All flags that can be preset. A flag whose value differs between commands has a row for each value. */
export function settingRows(
  commands: readonly AnyCommand[],
  env: Readonly<Record<string, string | undefined>>,
  file: Config | undefined,
): SettingRow[] {
  const rows = new Map<string, SettingRow & { readonly commands: string[] }>();
  for (const command of commands) {
    for (const [flag, spec] of Object.entries(command.options)) {
      if (spec.notPresettable) continue;
      const preset = presetOf(command, flag, env, file);
      const byDefault = spec.defaultText ?? (spec.type === 'boolean' ? 'false' : null);
      const value = !preset ? byDefault : spec.type === 'array' ? preset.values : preset.values.at(-1)!;
      const row = rows.get(JSON.stringify([flag, value, preset?.from]));
      if (row) row.commands.push(command.name);
      else {
        rows.set(JSON.stringify([flag, value, preset?.from]), {
          flag,
          env: environmentName(flag),
          commands: [command.name],
          value,
          from: preset?.by ?? 'default',
          ...(preset && { source: preset.from }),
        });
      }
    }
  }
  return [...rows.values()].sort((a, b) => (a.flag < b.flag ? -1 : a.flag > b.flag ? 1 : 0));
}

/** Warnings about variables with our prefix that have no effect: mistyped, or for a flag that cannot be preset. */
function ineffectiveVariables(
  env: Readonly<Record<string, string | undefined>>,
  rows: readonly SettingRow[],
): string[] {
  const known = [...new Set(rows.map((row) => row.env)), environmentName('config')];
  const prefix = environmentName('');
  const bare = (name: string) => name.slice(prefix.length);
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.includes(name))
    .map((name) => {
      const [near] = nearestNames(bare(name), known.map(bare));
      return `${printable(name)} has no effect${near ? `: did you mean ${environmentName(near)}?` : ': it names no flag that can be preset'}`;
    });
}

function tableOf(rows: readonly SettingRow[], commands: readonly AnyCommand[]): string {
  const having = (flag: string) =>
    commands.filter(({ options }) => options[flag] && !options[flag].notPresettable).length;
  return table(
    [{ title: 'FLAG' }, { title: 'VALUE', longest: 44 }, { title: 'FROM' }, { title: 'COMMANDS' }],
    rows.map(({ flag, value, from, source, commands: of }) => [
      flag,
      value === null ? '-' : typeof value === 'string' ? value : value.join(' '),
      source ?? from,
      of.length > 2 && of.length === having(flag) ? 'all' : of.join(','),
    ]),
  );
}
