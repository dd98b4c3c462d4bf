import type { Collector } from '../collectors/collector.ts';
import { type EventOf, keepEvent, type NodeEvent, type SeenEvents } from '../node/events.ts';
import { leftText, secondsLeft } from '../output/live.ts';
import { boundSeconds, type Plan, targetText } from '../plan/plan.ts';
import { chosenText } from '../profile/unwinding.ts';
import { formatBytes, formatDuration } from '../text/quantity.ts';
import type { SessionContext } from './session-context.ts';

/**
 * Shows the user what the events of a debug pod mean: a step that begins, or the figures of the capture. What several
 * recorders do at the same time is shown once, with the sums of their figures.
 */
export class Progress {
  readonly #plans: readonly Plan[];
  readonly #collector: Collector;
  readonly #context: SessionContext;
  /** What has been shown of each step. */
  readonly #shown: SeenEvents = {};
  readonly #stacks = new Set<string>();
  /** The last figures of each recorder that has any. */
  readonly #figures = new Map<Plan, EventOf<'progress'>>();
  readonly #ended = new Set<Plan>();

  constructor(plans: readonly Plan[], collector: Collector, context: SessionContext) {
    this.#plans = plans;
    this.#collector = collector;
    this.#context = context;
  }

  show(event: NodeEvent, plan: Plan): void {
    const { log } = this.#context;
    log.trace(`node: ${this.#plans.length > 1 ? `${targetText(plan.target)}: ` : ''}${eventText(event)}`, 2);
    const isFirst = this.#shown[event.event] === undefined;
    if (event.event === 'capturing') this.#sayStacks(event, plan);
    if (event.event === 'end') this.#ended.add(plan);
    if (event.event === 'progress') this.#showFigures(event, plan);
    else if (isFirst) {
      keepEvent(this.#shown, event);
      this.#showStep(event, plan);
    }
  }

  #showStep(event: NodeEvent, plan: Plan): void {
    const { log } = this.#context;
    switch (event.event) {
      case 'installing':
        log.phase('installing the tools on the node');
        break;
      case 'capturing':
        log.phase(
          `capturing ${this.#plans.length > 1 ? `${this.#plans.length} pods ` : ''}for ${formatDuration(plan.limits.durationSeconds)}; if this client dies, the pod stops by itself within ${formatDuration(boundSeconds(plan))}`,
        );
        break;
      case 'stopping':
        log.phase('finishing on the node');
        break;
    }
  }

  #showFigures(event: EventOf<'progress'>, plan: Plan): void {
    const { log, now } = this.#context;
    this.#figures.set(plan, event);
    // One of the recorders sets the pace: the rate of a sum needs the same time between two sums.
    if ([...this.#figures.keys()].find((each) => !this.#ended.has(each)) !== plan) return;
    const { capturing, progress } = this.#shown;
    const sum = sumOf([...this.#figures.values()], event);
    keepEvent(this.#shown, sum);
    // The node reports every two seconds: in between the time goes on by the clock here.
    const arrivedAt = now();
    const begunAt = capturing?.t ?? event.t;
    log.tick(() => {
      const seconds = Math.max(0, event.t - begunAt + now() - arrivedAt) / 1000;
      return [
        ...timeParts(seconds, sum, plan, this.#plans.length),
        ...this.#collector.progress(sum, progress),
      ];
    });
  }

  /** Says how stacks are found if the node chose it. What the user chose is in the first line that the command prints. */
  #sayStacks(event: EventOf<'capturing'>, plan: Plan): void {
    const by = this.#collector.stacks?.(event, plan);
    // What all agreed on is printed once, and what others need by the one that needs it.
    if (by?.why === undefined || by.why === 'others' || by.way === this.#context.stacks?.agreed) return;
    const text = chosenText(by);
    const isOther = this.#stacks.size > 0;
    if (this.#stacks.has(text)) return;
    this.#stacks.add(text);
    this.#context.log.line(`stacks${isOther ? ` of ${targetText(plan.target)}` : ''}: ${text}`);
  }
}

/** The sum of the figures of several recorders, at the time of one of them; free space is what the node has. */
function sumOf(figures: readonly EventOf<'progress'>[], at: EventOf<'progress'>): EventOf<'progress'> {
  const sum = (key: 'packets' | 'received' | 'dropped') =>
    figures.some((each) => each[key] !== undefined)
      ? { [key]: figures.reduce((total, each) => total + (each[key] ?? 0), 0) }
      : {};
  return {
    ...at,
    bytes: figures.reduce((total, { bytes }) => total + bytes, 0),
    ...sum('packets'),
    ...sum('received'),
    ...sum('dropped'),
  };
}

/** How long the capture has gone on, of how long; and how long it still takes, but only if another limit comes first. */
function timeParts(
  seconds: number,
  { bytes, packets = 0 }: EventOf<'progress'>,
  { limits, capture }: Plan,
  recorders: number,
): string[] {
  const done = Math.min(seconds, limits.durationSeconds);
  const left = secondsLeft(seconds, [
    { done: bytes, whole: recorders * limits.maxBytes },
    { done: packets, whole: capture.collector === 'tcpdump' ? recorders * capture.count : 0 },
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
