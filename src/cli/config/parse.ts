import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from 'js-yaml';
import { usageError } from '../../errors.ts';
import { printable } from '../../text/printable.ts';
import type { FlagOwner, OptionTable } from '../option-spec.ts';
import { nearestNames } from '../suggest.ts';

/** The values of a flag as text; the command interprets them, as if they were typed. */
export interface Setting {
  /** More than one only for a flag that can be repeated. */
  readonly values: readonly string[];
  /** The line number, beginning with 1. */
  readonly line: number;
}

/** The configuration file; all names in it are known. */
export interface Config {
  readonly path: string;
  /** For every command that has the flag. */
  readonly defaults: ReadonlyMap<string, Setting>;
  /** By the name of the command; these override `defaults`. */
  readonly commands: ReadonlyMap<string, ReadonlyMap<string, Setting>>;
}

export const CONFIG_VERSION = 'gkeprof.dev/v1';

/** YAML with line numbers. Every scalar is text, quoted or not: `99` and `"99"` mean the same. */
type Part = { readonly line: number } & (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Part[] }
  | { readonly kind: 'map'; readonly entries: ReadonlyArray<{ key: string; line: number; value: Part }> }
);

/**
 * Reads the file: `apiVersion: gkeprof.dev/v1`, `kind: Config`, `defaults` (flag: value) and `commands` (command: flag:
 * value), similar to the kuberc of kubectl. Throws a usage error with the line number for invalid content; for an unknown
 * key, the hint names the most similar one.
 */
export function parseConfig(text: string, path: string, table: readonly FlagOwner[]): Config {
  const fail = (line: number, reason: string, hint?: string) =>
    usageError(`${path}:${line}: ${reason}`, hint);
  const top = partsOf(text, fail);
  const config = {
    path,
    defaults: new Map<string, Setting>(),
    commands: new Map<string, Map<string, Setting>>(),
  };
  let version: string | undefined;
  let kind: string | undefined;

  const settings = (part: Part, options: OptionTable, whose: string): Map<string, Setting> => {
    const found = new Map<string, Setting>();
    for (const { key, line, value } of entriesOf(part, whose)) {
      const spec = options[key];
      if (!spec)
        throw fail(line, `unknown key "${printable(key)}" in ${whose}`, nearest(key, presets(options)));
      if (spec.notPresettable) throw fail(line, `"${key}" cannot be preset`, whyNot(key, spec.group));
      const texts = textsOf(value, key, line);
      if (texts.length > 1 && spec.type !== 'array') throw fail(line, `"${key}" takes one value`);
      if (texts.length === 0 || texts.includes('')) throw fail(line, `"${key}" is empty`);
      found.set(key, { values: texts, line });
    }
    return found;
  };
  const entriesOf = (part: Part, whose: string) => {
    if (part.kind === 'map') return part.entries;
    if (part.kind === 'text' && part.text === '') return [];
    throw fail(part.line, `${whose} is not a list of "flag: value"`);
  };
  const textsOf = (part: Part, key: string, line: number): string[] => {
    if (part.kind === 'text') return [part.text];
    if (part.kind === 'list' && part.items.every((each) => each.kind === 'text'))
      return part.items.map((each) => (each as Part & { kind: 'text' }).text);
    throw fail(line, `the value of "${key}" is neither text nor a list`);
  };

  for (const { key, line, value } of entriesOf(top, 'the file')) {
    if (key === 'apiVersion') [version] = textsOf(value, key, line);
    else if (key === 'kind') [kind] = textsOf(value, key, line);
    else if (key === 'defaults')
      for (const [name, setting] of settings(value, allOptions(table), 'defaults'))
        config.defaults.set(name, setting);
    else if (key === 'commands') {
      for (const each of entriesOf(value, 'commands')) {
        const command = table.find(({ name, hidden }) => name === each.key && !hidden);
        const names = table.filter(({ options }) => presets(options).length).map(({ name }) => name);
        if (!command)
          throw fail(each.line, `unknown command "${printable(each.key)}"`, nearest(each.key, names));
        config.commands.set(command.name, settings(each.value, command.options, command.name));
      }
    } else {
      throw fail(
        line,
        `unknown key "${printable(key)}"`,
        nearest(key, ['apiVersion', 'kind', 'defaults', 'commands']),
      );
    }
  }
  if (version !== CONFIG_VERSION || kind !== 'Config') {
    throw fail(
      1,
      `not a configuration of this release`,
      `it begins with "apiVersion: ${CONFIG_VERSION}" and "kind: Config"`,
    );
  }
  return config;
}

/** The flags of all commands. If commands differ, one that allows a preset is preferred. */
function allOptions(table: readonly FlagOwner[]): OptionTable {
  const all: Record<string, OptionTable[string]> = {};
  for (const { options } of table)
    for (const [name, spec] of Object.entries(options))
      if (!all[name] || all[name].notPresettable) all[name] = spec;
  return all;
}

const presets = (options: OptionTable): string[] =>
  Object.entries(options)
    .filter(([, spec]) => !spec.notPresettable)
    .map(([name]) => name);

function nearest(key: string, names: readonly string[]): string {
  const [near] = nearestNames(key, names);
  return near !== undefined ? `did you mean ${near}?` : `known: ${names.join(', ')}`;
}

const whyNot = (key: string, group: string): string =>
  group.startsWith('Cluster')
    ? 'where the cluster is stands in the kubeconfig, for kubectl and for this: kubectl config set-context --help'
    : `it names something of one run: --${key} on the command line`;

type Fail = (line: number, reason: string, hint?: string) => Error;

/** Built from the events of js-yaml, because only they have positions. */
function partsOf(text: string, fail: Fail): Part {
  const lineAt = (position: number) => text.slice(0, Math.max(0, position)).split('\n').length;
  const events = eventsOf(text, fail);
  let at = 0;
  const isEnd = () => at >= events.length || events[at]!.type === EVENT_ID.POP;
  const next = (): Part => {
    const event = events[at++]!;
    if (event.type === EVENT_ID.SCALAR)
      return { kind: 'text', line: lineAt(event.valueStart), text: textOf(text, event) };
    if (event.type === EVENT_ID.SEQUENCE) {
      const items: Part[] = [];
      while (!isEnd()) items.push(next());
      at += 1;
      return { kind: 'list', line: items[0]?.line ?? lineAt(event.start), items };
    }
    if (event.type === EVENT_ID.MAPPING) {
      const entries: Array<{ key: string; line: number; value: Part }> = [];
      while (!isEnd()) {
        const key = next();
        if (key.kind !== 'text') throw fail(key.line, 'a key must be a word');
        if (entries.some((each) => each.key === key.text))
          throw fail(key.line, `"${printable(key.text)}" appears twice`);
        entries.push({ key: key.text, line: key.line, value: next() });
      }
      at += 1;
      return { kind: 'map', line: entries[0]?.line ?? lineAt(event.start), entries };
    }
    throw fail(1, 'anchors and aliases are not supported');
  };
  if (events[at]?.type !== EVENT_ID.DOCUMENT) throw fail(1, 'is empty');
  at += 1;
  const root = next();
  if (events.slice(at).some((event) => event.type === EVENT_ID.DOCUMENT))
    throw fail(1, 'contains more than one document');
  return root;
}

function eventsOf(text: string, fail: Fail): Event[] {
  try {
    return parseEvents(text, {});
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw fail((error.mark?.line ?? 0) + 1, `is not YAML: ${printable(error.reason)}`);
  }
}

const textOf = (source: string, event: Event & { type: typeof EVENT_ID.SCALAR }): string => {
  const text = getScalarValue(source, event);
  const isNull = event.style === SCALAR_STYLE.PLAIN && (text === '~' || text === 'null');
  return isNull ? '' : text;
};
