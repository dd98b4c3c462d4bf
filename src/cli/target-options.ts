import type { TargetFlags } from '../plan/target.ts';
import { parseCount } from '../text/quantity.ts';
import type { OptionTable, RawOptions } from './option-spec.ts';

const GROUP = 'Targets:';

/** How targets are chosen without names, as in kubectl, and how many may be chosen. */
export const CHOICE_OPTIONS: OptionTable = {
  selector: {
    type: 'string',
    alias: 'l',
    describe: 'Choose the pods with these labels; after a kind such as deploy: its objects with these labels',
    group: GROUP,
    value: 'LABELS',
    notPresettable: true,
  },
  'all-namespaces': {
    type: 'boolean',
    alias: 'A',
    describe: 'Choose in all namespaces; needs -l, or a kind without a name, such as pods or deploy',
    group: GROUP,
    notPresettable: true,
  },
  'max-targets': {
    type: 'string',
    describe:
      'Allow up to this many pods, or nodes if nodes are named; without it, more than 10 pods or 5 nodes are listed and refused',
    group: GROUP,
    value: 'N',
    notPresettable: true,
  },
};

/** Of the verbs that record several targets. */
export const MANY_OPTIONS: OptionTable = {
  ...CHOICE_OPTIONS,
  'max-concurrent': {
    type: 'string',
    describe: 'Record on at most this many nodes at the same time',
    group: GROUP,
    value: 'N',
    defaultText: '10',
  },
  split: {
    type: 'boolean',
    describe: 'With several targets: write the result of each one too, beside the common result',
    group: GROUP,
  },
};

/** The interpreted flags of MANY_OPTIONS. */
export interface ManyOptions {
  readonly maxTargets?: number;
  readonly maxConcurrent: number;
  readonly split: boolean;
}

/** The number of `--max-targets`. Throws a usage error if it is none. */
export function maxTargets(raw: RawOptions): number | undefined {
  const text = raw.text('max-targets');
  return text === undefined ? undefined : parseCount(text, '--max-targets', 1, 10_000, 20);
}

export function manyOptions(raw: RawOptions): ManyOptions {
  const most = maxTargets(raw);
  return {
    ...(most !== undefined && { maxTargets: most }),
    maxConcurrent: parseCount(raw.text('max-concurrent') ?? '10', '--max-concurrent', 1, 1000, 10),
    split: raw.flag('split'),
  };
}

/** The flags beside the words that name targets. */
export function targetFlags(raw: RawOptions): TargetFlags {
  const node = raw.knows('node') ? raw.text('node') : undefined;
  const selector = raw.text('selector');
  return {
    ...(node !== undefined && { node }),
    ...(selector !== undefined && { selector }),
    allNamespaces: raw.flag('all-namespaces'),
  };
}
