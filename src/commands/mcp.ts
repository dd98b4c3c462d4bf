import { CLUSTER_OPTIONS } from '../cli/cluster-options.ts';
import type { Command } from '../cli/command.ts';
import type { OptionTable, RawOptions } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS, OUTPUT_DIR, VERBOSE, writableFolder } from '../cli/options.ts';
import type { ServerSettings } from '../mcp/server.ts';

/** Where and with what debug pods run. What concerns a single run is not fixed for all of them. */
const OF_PODS: OptionTable = Object.fromEntries(
  ['image', 'image-pull-policy', 'image-pull-secret', 'debug-namespace', 'least-privilege'].map((name) => [
    name,
    DEBUG_POD_OPTIONS[name]!,
  ]),
);

/** Lets a program of others, such as a coding agent, read results and plan recordings; a person approves each of them. */
export const mcp: Command<ServerSettings> = {
  name: 'mcp',
  describe: 'Serve the Model Context Protocol on stdin and stdout: read results, plan recordings',
  details: [
    'The tools doctor, plan, read and sessions create nothing. With --allow-recording there is also the tool record, which needs a token for exactly that recording: a person gets it by typing the command that plan returns, which ends in --approve, in a terminal.',
    'The cluster, the user, the image and the folder are fixed by the flags of this command. Only files in the folder are read.',
  ],
  usage: '[flags]',
  examples: [
    [
      'kubectl gkeprof mcp --context staging --output-dir recordings',
      'Serve results of this folder, read only',
    ],
    ['kubectl gkeprof mcp --context staging --allow-recording', 'Also record what a person approves'],
  ],
  options: {
    'allow-recording': {
      type: 'boolean',
      describe: 'Also offer the tool record, which needs a token of --approve for each recording',
      group: 'Server:',
      notPresettable: true,
    },
    ...OUTPUT_DIR,
    ...OF_PODS,
    ...VERBOSE,
    ...CLUSTER_OPTIONS,
  },
  validate(raw) {
    const folder = writableFolder(raw.text('output-dir') ?? '.');
    const ofCluster = typed(raw, CLUSTER_OPTIONS);
    const ofPods = [...typed(raw, OF_PODS), ...ofCluster];
    return {
      isRecordingAllowed: raw.flag('allow-recording'),
      folder,
      flags: {
        doctor: ofPods,
        recording: [...ofPods, `--output-dir=${folder}`],
        sessions: [...typed(raw, { 'debug-namespace': OF_PODS['debug-namespace']! }), ...ofCluster],
      },
    };
  },
  async run(settings, context) {
    const { serve } = await import('../mcp/server.ts');
    return serve(settings, context);
  },
};

/** The flags as they were typed, for the command lines that the server runs: what is preset, is preset there too. */
const typed = (raw: RawOptions, table: OptionTable): string[] =>
  Object.entries(table).flatMap(([name, { type }]) => {
    if (!raw.isTyped(name)) return [];
    if (type === 'boolean') return [`--${name}=${raw.flag(name)}`];
    return type === 'array'
      ? raw.list(name).map((value) => `--${name}=${value}`)
      : [`--${name}=${raw.text(name)}`];
  });
