import { usageError } from '../../errors.ts';
import { printable } from '../../text/printable.ts';
import type { Origin } from './origins.ts';

/** The event that a profile is of: its name, and what it has in the input where that is not the same. */
export interface ChosenEvent {
  readonly name: string;
  /** As perf printed them: several where processors of several kinds count the same, each by its own PMU. */
  readonly events: ReadonlySet<string>;
  /** Why this event was chosen; undefined if nothing had to be decided. */
  readonly note: string | undefined;
  /** The other events, with their samples. */
  readonly others: ReadonlyMap<string, number>;
}

/**
 * An event that one kind of processor counts by a PMU of its own: `cpu_core/cycles/P` and `cpu_atom/cycles/P` of Intel's
 * hybrids (Linux Documentation/admin-guide/perf/ and tools/perf/Documentation/intel-hybrid.txt), and the like of Arm and Apple.
 */
const CORE_PMU = /^(?:cpu_\w+|arm\w+|apple_\w+)\/(.+)\/(\w*)$/;
/** What Intel PT's decoder puts between its samples (Linux tools/perf/util/event.h, perf_synth_id): they do not stand for work. */
const SYNTHESIZED = /^(?:psb|cbr|pwre|pwrx|mwait|exstop|ptwrite|evt|iflag|dummy)(?::\w*)?$/;

/** The event as perf names it where all processors are of one kind: `cycles:P`. Undefined for any other. */
function withoutCoreType(event: string): string | undefined {
  const [, term, modifier] = CORE_PMU.exec(event) ?? [];
  return term === undefined || !modifier ? term : `${term}:${modifier}`;
}

/** Samples of each event of the input, in the order in which they first came. */
function eventsOf(origins: readonly Origin[]): ReadonlyMap<string, number> {
  const events = new Map<string, number>();
  for (const { event, samples } of origins) events.set(event, (events.get(event) ?? 0) + samples);
  return events;
}

/**
 * The event that the user wants; by default the first event of the input. If two kinds of cores count the same event, both are
 * added together; if they count different events, the one with the most samples is chosen, because the first may be rare.
 */
export function chooseEvent(origins: readonly Origin[], wanted: string | undefined): ChosenEvent {
  const perPmu = eventsOf(origins);
  if (wanted !== undefined && perPmu.has(wanted)) return chosen(wanted, [wanted], perPmu);
  const kinds = new Map<string, string[]>();
  for (const event of perPmu.keys()) {
    const kind = withoutCoreType(event) ?? event;
    kinds.set(kind, [...(kinds.get(kind) ?? []), event]);
  }
  if (wanted !== undefined) {
    const events = kinds.get(wanted);
    if (events) return chosen(wanted, events, perPmu);
    const known = [...perPmu.keys()].join(', ') || 'no event at all';
    throw usageError(`--event: no sample of ${wanted}`, `the input has ${known}`);
  }
  const samplesOf = (kind: string) => kinds.get(kind)!.reduce((sum, event) => sum + perPmu.get(event)!, 0);
  const names = [...kinds.keys()];
  const first = names.find((name) => !SYNTHESIZED.test(name)) ?? names[0];
  if (first === undefined) return { name: 'none', events: new Set(), note: undefined, others: new Map() };
  const isOfCores = (kind: string) => kinds.get(kind)!.some((event) => withoutCoreType(event) !== undefined);
  const rivals = isOfCores(first) ? names.filter(isOfCores) : [first];
  const most = rivals.reduce((best, kind) => (samplesOf(kind) > samplesOf(best) ? kind : best), first);
  const { note, ...rest } = chosen(most, kinds.get(most)!, perPmu);
  return {
    ...rest,
    note:
      note ??
      (rivals.length > 1
        ? `the one with the most samples of ${rivals.length} events of different kinds of cores`
        : undefined),
  };
}

function chosen(name: string, events: readonly string[], perPmu: ReadonlyMap<string, number>): ChosenEvent {
  const isWhole = events.length > 1;
  return {
    name: isWhole ? name : events[0]!,
    events: new Set(events),
    note: isWhole ? `${events.map(printable).join(' and ')} added together` : undefined,
    others: new Map([...perPmu].filter(([event]) => !events.includes(event))),
  };
}
