import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { asset } from '../assets.ts';
import { perf } from '../collectors/perf.ts';
import { EXIT, usageError } from '../errors.ts';
import {
  CAPTURE_OPTIONS,
  type CaptureOptions,
  CLUSTER_OPTIONS,
  captureOptions,
  type OptionTable,
} from '../options.ts';
import { type CapturePlan, type Plan, targetText } from '../plan.ts';
import { printable } from '../printable.ts';
import { drawFlamegraph } from '../profile/flamegraph.ts';
import { readProfile } from '../profile/read.ts';
import { type Summary, summarize, summaryLines } from '../profile/summary.ts';
import { formatDuration, parseCount, parseDuration } from '../quantity.ts';
import { makeReceipt, writeReceipt } from '../session/receipt.ts';
import type { SessionResult } from '../session/session.ts';
import { parseTarget, type Target, type TargetName } from '../target.ts';
import { endedText, runCapture, sessionCode } from './capture.ts';
import type { Command, Context } from './command.ts';

interface FlamegraphOptions {
  readonly capture: CaptureOptions;
  readonly named: TargetName;
  readonly container?: string;
  readonly durationSeconds: number;
  readonly frequencyHz: number;
}

const GROUP = 'Profile:';

const OPTIONS: OptionTable = {
  container: {
    type: 'string',
    alias: 'c',
    describe: 'Only this container of the pod',
    group: GROUP,
    value: 'NAME',
  },
  duration: {
    type: 'string',
    describe: 'How long to sample',
    group: GROUP,
    value: 'TIME',
    defaultText: '60s',
  },
  frequency: {
    type: 'string',
    describe: 'Samples a second and processor',
    group: GROUP,
    value: 'HZ',
    defaultText: '99',
  },
  ...CAPTURE_OPTIONS,
  ...CLUSTER_OPTIONS,
};

/** Of perf.data: an hour at 99 Hz of a 64-core node is about half of it. */
const MAX_BYTES = 8 * 2 ** 30;

export const flamegraph: Command<FlamegraphOptions> = {
  name: 'flamegraph',
  describe: 'Profile the CPU of a pod, container or node with perf, and draw it',
  usage: 'TARGET [flags]',
  examples: [
    ['kubectl gkeprof flamegraph pod/redis-0', '60 s later: an SVG and the raw stacks'],
    ['kubectl gkeprof flamegraph pod/redis-0 -c redis --duration 10s', 'one container'],
    ['kubectl gkeprof flamegraph node/NODE', 'everything that runs on a node'],
  ],
  options: OPTIONS,

  validate(raw) {
    const [target, ...more] = raw.positionals;
    if (target === undefined)
      throw usageError('flamegraph: a target is missing', 'kubectl gkeprof flamegraph pod/NAME');
    if (more.length) throw usageError(`flamegraph: one target at a time, got ${more.length + 1}`);
    if (raw.rest.length) throw usageError('flamegraph: takes nothing behind --');
    const named = parseTarget(target);
    const container = raw.text('container');
    if (container !== undefined && named.kind === 'node')
      throw usageError('-c: a node has no containers', 'name a pod');
    return {
      capture: captureOptions(raw),
      named,
      ...(container !== undefined && { container }),
      durationSeconds: parseDuration(raw.text('duration') ?? '60s', '--duration'),
      frequencyHz: parseCount(raw.text('frequency') ?? '99', '--frequency', 1, 10_000),
    };
  },

  run(options, context) {
    return runCapture(
      {
        options: options.capture,
        named: options.named,
        ...(options.container !== undefined && { container: options.container }),
        collector: perf,
        limits: { durationSeconds: options.durationSeconds, maxBytes: MAX_BYTES },
        decide: (target) => decide(options, target),
        opening: (plan) => [
          `${perf.describe(plan)}, for ${formatDuration(options.durationSeconds)}, on ${plan.node}`,
        ],
        finish: (plan, result) => finish(plan, result, context),
      },
      context,
    );
  },
};

function decide(options: FlamegraphOptions, target: Target): CapturePlan {
  const scope = target.kind === 'node' ? 'node' : target.container ? 'container' : 'pod';
  return { collector: 'perf', scope, frequencyHz: options.frequencyHz };
}

async function finish(plan: Plan, result: SessionResult, { log, stdout }: Context): Promise<number> {
  const { artifact } = result;
  const { createGunzip } = await import('node:zlib'); // 30 ms that no other command has to pay.
  const raw = createReadStream(artifact.path);
  const text = artifact.path.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  const profile = await readProfile(text as AsyncIterable<Uint8Array>);
  const capture = plan.capture as Extract<CapturePlan, { collector: 'perf' }>;
  const summary = summarize(profile.stacks, {
    frequencyHz: capture.frequencyHz,
    seconds: (result.stoppedAt - result.startedAt) / 1000,
    lost: profile.lost,
  });
  const svg = `${artifact.base}.flamegraph.svg`;
  const picture = drawFlamegraph(profile.stacks, {
    title: `${targetTitle(plan)} on ${plan.node}`,
    subtitle: subtitle(result, summary, capture.frequencyHz),
    script: asset('profile/flamegraph.browser.js'),
    style: asset('profile/flamegraph.css'),
  });
  await writeFile(svg, picture, { mode: 0o600, flag: 'wx' });
  await writeReceipt(artifact.base, makeReceipt(plan, result, { ...summary, odd: profile.oddities }));
  log.end();
  for (const odd of profile.oddities)
    log.warn(
      `${odd.count} lines of perf script were not understood (${odd.kind}), the first: ${printable(odd.line)}`,
    );
  log.line('');
  log.line('Results:');
  stdout.write(`Flamegraph:       ${svg}\nRaw stack traces: ${artifact.path}\n`);
  for (const line of summaryLines(summary)) log.line(line);
  if (result.ended !== 'time') log.line(`ended because ${endedText(result)}`);
  if (summary.samples === 0) {
    log.warn(
      `0 samples: ${targetText(plan.targets[0])} was idle for ${formatDuration(summary.seconds)}; profile it while it works, or longer`,
    );
  }
  const code = sessionCode(result);
  return summary.samples === 0 && code === EXIT.done ? EXIT.tool : code;
}

function targetTitle(plan: Plan): string {
  const target = plan.targets[0];
  if (target.kind === 'node') return 'all CPUs';
  return `${target.namespace}/${target.name}${target.container ? `, container ${target.container.name}` : ''}`;
}

function subtitle(result: SessionResult, summary: Summary, hz: number): string[] {
  const at = new Date(result.startedAt).toISOString().slice(0, 19).replace('T', ' ');
  return [
    `${at} UTC · ${formatDuration(summary.seconds)} at ${hz} Hz · ${summary.event} · ${summary.samples} samples, ${summary.lost} lost · ${summary.cores.toFixed(2)} cores busy`,
    ...(summary.brokenUnwinding
      ? ['most stacks are cut off after one or two frames: built without frame pointers']
      : []),
  ];
}
