import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isObjectName } from '../cluster/cluster.ts';
import type { Connection } from '../cluster/connection.ts';
import { reasonOf, usageError } from '../errors.ts';
import { temporaryFolder } from '../files/temporary-folder.ts';
import type { OutputFormat } from '../output/format.ts';
import type { DebugPodChoice, DebugPodPlan } from '../plan/plan.ts';
import { printable } from '../text/printable.ts';
import { parseDuration } from '../text/quantity.ts';
import { connectionOf } from './cluster-options.ts';
import { chosenImage, DEFAULT_IMAGE_TEXT } from './images.ts';
import type { OptionSpec, OptionTable, RawOptions } from './option-spec.ts';
import { type FormatRule, outputFormatOf } from './output-option.ts';

/** The environment variable that presets a flag: `--image-pull-policy`, `GKEPROF_IMAGE_PULL_POLICY`. */
export const environmentName = (flag: string): string => `GKEPROF_${flag.toUpperCase().replaceAll('-', '_')}`;
const DEBUG_POD = 'Debug pod:';
const COMMON = 'Common:';

export const OUTPUT_DIR: OptionTable = {
  'output-dir': {
    type: 'string',
    describe: 'Folder for the files; it is created if its parent folder exists',
    group: COMMON,
    value: 'DIR',
    defaultText: 'current folder',
    completion: 'folder',
  },
};

/** Of the verbs that write a file whose name the user gave. */
export const FORCE: OptionTable = {
  force: {
    type: 'boolean',
    describe: 'Overwrite the file that you named, if it exists',
    group: COMMON,
    notPresettable: true,
  },
};

/** A flag that names a file to write. */
export const NEW_FILE = { type: 'string', value: 'FILE', notPresettable: true, completion: 'file' } as const;

export const VERBOSE: OptionTable = {
  verbose: {
    type: 'string',
    alias: 'v',
    describe:
      '1 (-v) shows API calls and kubectl commands; 2 (-vv) also shows their times and the events of the node',
    group: COMMON,
    value: 'LEVEL',
    valueIfOmitted: 1,
  },
  quiet: { type: 'boolean', describe: 'Show only results and errors', group: COMMON },
};

/** Of commands that take `id/HEX`. */
export const TARGET_NODE: OptionTable = {
  node: {
    type: 'string',
    describe: 'Node of a target id/HEX; with it, HEX may also be the id of a sandbox (POD ID in crictl)',
    group: COMMON,
    value: 'NAME',
    notPresettable: true,
    completion: 'node',
  },
};

/** Of the verbs that could also be done by hand. */
export const EXPLAIN: OptionSpec = {
  type: 'boolean',
  describe: 'Print the equivalent kubectl, perf, tcpdump or tshark commands as a script, and exit',
  group: COMMON,
  notPresettable: true,
};

/** Where and with what a debug pod runs, whatever it is for. */
export const DEBUG_POD_OPTIONS: OptionTable = {
  image: {
    type: 'string',
    describe: 'Image of the debug pod, such as image/Dockerfile builds',
    group: DEBUG_POD,
    value: 'IMAGE',
    defaultText: DEFAULT_IMAGE_TEXT,
  },
  'image-pull-policy': {
    type: 'string',
    describe: 'When the node pulls the image',
    group: DEBUG_POD,
    choices: ['Always', 'IfNotPresent', 'Never'],
    value: 'POLICY',
    defaultText: 'IfNotPresent',
  },
  'image-pull-secret': {
    type: 'array',
    describe: 'Secret for the registry of the image',
    group: DEBUG_POD,
    value: 'NAME',
  },
  'debug-namespace': {
    type: 'string',
    describe: 'Namespace in which the debug pod runs',
    group: DEBUG_POD,
    value: 'NAME',
    defaultText: 'gkeprof',
    completion: 'namespace',
  },
  reason: {
    type: 'string',
    describe: 'Reason for the audit log; an annotation of the debug pod',
    group: DEBUG_POD,
    value: 'TEXT',
  },
  'least-privilege': {
    type: 'boolean',
    describe:
      'Run the debug pod unprivileged, with only the capabilities and host namespaces that it needs; requires --image',
    group: DEBUG_POD,
  },
  'dry-run': {
    type: 'string',
    describe: 'Print the debug pod and exit; server: as the API server would admit it',
    group: COMMON,
    choices: ['none', 'client', 'server'],
    valueIfOmitted: 'client',
    defaultText: 'none',
    notPresettable: true,
  },
  explain: EXPLAIN,
  ...VERBOSE,
};

export const CAPTURE_OPTIONS: OptionTable = {
  ...OUTPUT_DIR,
  ...DEBUG_POD_OPTIONS,
  keep: {
    type: 'string',
    describe: 'How long the node keeps the file if this client is gone, or was detached',
    group: DEBUG_POD,
    value: 'TIME',
    defaultText: '10m',
  },
  detach: {
    type: 'boolean',
    describe: 'Return as soon as the node records, and print the command that collects the file',
    group: COMMON,
    notPresettable: true,
  },
  approve: {
    type: 'boolean',
    describe: 'Print what would be recorded, and a token with which `mcp` may record exactly that, and exit',
    group: COMMON,
    notPresettable: true,
  },
  approval: {
    type: 'string',
    describe: 'Record only if --approve printed this token for exactly this recording',
    group: COMMON,
    value: 'TOKEN',
    notPresettable: true,
  },
};

/** Of commands that inspect a node and create no files there. */
export const INSPECT_OPTIONS: OptionTable = {
  ...DEBUG_POD_OPTIONS,
  linger: {
    type: 'string',
    describe: 'Keep the debug pod this long after the command, so that the next one starts faster',
    group: DEBUG_POD,
    value: 'TIME',
    defaultText: 'none',
  },
};

/** How long the node keeps the files for a client, unless --keep says so. */
export const KEEP_SECONDS = 600;

/** The interpreted flags that all commands with a debug pod have in common. */
export interface DebugPodOptions {
  readonly connection: Connection;
  readonly debugPod: DebugPodChoice;
  readonly reason?: string;
  readonly dryRun?: 'client' | 'server';
  /** Only print the equivalent commands. */
  readonly explain: boolean;
  /** Only print the plan and a token for it. */
  readonly approve?: boolean;
  /** Create only what this token is for. */
  readonly approval?: string;
  /** The format of the result, and of what a dry run prints. */
  readonly format: OutputFormat;
}

/** The namespace for debug pods. */
export function debugNamespace(raw: RawOptions): string {
  const namespace = raw.text('debug-namespace') ?? 'gkeprof';
  if (!isObjectName(namespace))
    throw usageError(`--debug-namespace: "${printable(namespace)}" is not the name of a namespace`);
  return namespace;
}

export function debugPodOptions(raw: RawOptions, rule: FormatRule = {}): DebugPodOptions {
  const chosen = chosenImage(raw.text('image'));
  const namespace = debugNamespace(raw);
  const policy = raw.text('image-pull-policy') as DebugPodPlan['imagePullPolicy'];
  const leastPrivilege = raw.flag('least-privilege');
  if (leastPrivilege && chosen.install)
    throw usageError(
      '--least-privilege: needs an image with the tools, because installing them at start needs more privileges',
      'build one from image/Dockerfile and name it with --image',
    );
  const reason = raw.text('reason');
  const dryRun = raw.text('dry-run') as DebugPodOptions['dryRun'] | 'none';
  return {
    connection: connectionOf(raw),
    debugPod: {
      namespace,
      ...chosen,
      ...(policy && { imagePullPolicy: policy }),
      imagePullSecrets: raw.list('image-pull-secret'),
      leastPrivilege,
    },
    ...(reason !== undefined && { reason }),
    ...(dryRun && dryRun !== 'none' && { dryRun }),
    explain: raw.flag('explain'),
    format: outputFormatOf(raw, rule),
  };
}

/** The interpreted flags that flamegraph and pcap have in common. */
export interface CaptureOptions extends DebugPodOptions {
  readonly outputDir: string;
  readonly keepSeconds: number;
  /** The session goes on without the command. */
  readonly detach: boolean;
}

/** The files of a recording are named after its target. */
const RECORDING: FormatRule = { fileHint: 'to choose where the files are written: --output-dir DIR' };

export const captureOptions = (raw: RawOptions): CaptureOptions => ({
  ...debugPodOptions(raw, RECORDING),
  outputDir: writableFolder(raw.text('output-dir') ?? '.'),
  keepSeconds: raw.text('keep') === undefined ? KEEP_SECONDS : parseDuration(raw.text('keep')!, '--keep'),
  detach: raw.flag('detach'),
  approve: raw.flag('approve'),
  ...(raw.text('approval') !== undefined && { approval: raw.text('approval')! }),
});

/** The interpreted flags that commands have in common which inspect a node. */
export interface InspectOptions extends DebugPodOptions {
  readonly lingerSeconds: number;
}

export const inspectOptions = (raw: RawOptions): InspectOptions => ({
  ...debugPodOptions(raw, { wide: true }),
  lingerSeconds: raw.text('linger') === undefined ? 0 : parseDuration(raw.text('linger')!, '--linger'),
});

/**
 * The folder, or the one that it is to be made in, exists and takes files: known before anything is created in the cluster, and by trying, because access(2)
 * says yes to root and on file systems that take nothing.
 */
export function writableFolder(path: string): string {
  try {
    rmdirSync(temporaryFolder(existsSync(path) ? path : dirname(path)));
    return path;
  } catch (error) {
    const isThere = existsSync(path) || existsSync(dirname(path));
    const isFile = (error as NodeJS.ErrnoException).code === 'ENOTDIR';
    const reason = !isThere
      ? `there is no folder ${printable(dirname(path))}`
      : isFile
        ? 'it is not a folder'
        : reasonOf(error).replace(/, mkdtemp .*/, '');
    throw usageError(
      `--output-dir: cannot write to "${printable(path)}": ${reason}`,
      'name a folder that exists and that you may write to',
    );
  }
}
