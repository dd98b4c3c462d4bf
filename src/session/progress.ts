import type { Collector } from '../collectors/collector.ts';
import type { EventOf, NodeEvent, SeenEvents } from '../node/events.ts';
import { leftText, secondsLeft } from '../output/live.ts';
import { boundSeconds, type Plan } from '../plan/plan.ts';
import { chosenText, type StacksBy } from '../profile/unwinding.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import type { SessionContext } from './session-context.ts';

/** Shows the user what an event means: a step that begins, or the figures of the capture. `seen` are the events before it. */
export function showEvent(
  event: NodeEvent,
  seen: SeenEvents,
  plan: Plan,
  collector: Collector,
  { log, now }: SessionContext,
): void {
  log.trace(`node: ${eventText(event)}`, 2);
  switch (event.event) {
    case 'installing':
      log.phase('installing the tools on the node');
      break;
    case 'capturing':
      sayStacks(collector.stacks?.(event, plan), log);
      log.phase(
        `capturing for ${formatDuration(plan.limits.durationSeconds)}; if this client dies, the pod stops by itself within ${formatDuration(boundSeconds(plan))}`,
      );
      break;
    case 'progress': {
      // The node reports every two seconds: in between the time goes on by the clock here.
      const arrivedAt = now();
      const { capturing, progress } = seen;
      const begunAt = capturing?.t ?? event.t;
      log.tick(() => {
        const seconds = Math.max(0, event.t - begunAt + now() - arrivedAt) / 1000;
        return [...timeParts(seconds, event, plan), ...collector.progress(event, progress)];
      });
      break;
    }
    case 'stopping':
      log.phase('finishing on the node');
      break;
  }
}

/** Says how stacks are found if the node chose it. What the user chose is in the first line that the command prints. */
function sayStacks(by: StacksBy | undefined, log: SessionContext['log']): void {
  if (by?.why !== undefined) log.line(`stacks: ${chosenText(by)}`);
}

/** How long the capture has gone on, of how long; and how long it still takes, but only if another limit comes first. */
function timeParts(
  seconds: number,
  { bytes, packets = 0 }: EventOf<'progress'>,
  { limits, capture }: Plan,
): string[] {
  const done = Math.min(seconds, limits.durationSeconds);
  const left = secondsLeft(seconds, [
    { done: bytes, whole: limits.maxBytes },
    { done: packets, whole: capture.collector === 'tcpdump' ? capture.count : 0 },
  ]);
  return [
    `capturing ${formatDuration(Math.floor(done))} of ${formatDuration(limits.durationSeconds)}`,
    ...(left !== undefined && left < limits.durationSeconds - done ? leftText(left) : []),
  ];
}

/** The live line of a copy: bytes that are here, of how many, and how many come in a second. */
export const copyingParts = (done: number, whole: number, perSecond: number): string[] => [
  `copying ${formatBytes(done)} of ${formatBytes(whole)}`,
  ...leftText(perSecond > 0 ? (whole - done) / perSecond : undefined),
  `${formatBytes(Math.round(perSecond))}/s`,
];

/** An event with all its fields, for -vv. */
const eventText = ({ seq, t, event, ...rest }: NodeEvent): string =>
  `${new Date(t).toISOString()} #${seq} ${event} ${Object.entries(rest)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')}`.trimEnd();
