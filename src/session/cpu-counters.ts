import type { EventOf } from '../node/events.ts';
import type { PodTarget, Target } from '../plan/target.ts';
import type { CpuCounters, Throttling } from '../profile/counters.ts';

/** The counters in the last event of a capture, with the names of the target's containers; undefined if it has none. */
export function cpuCounters(end: EventOf<'end'> | undefined, target: Target): CpuCounters | undefined {
  if (end?.cpu_elapsed_us === undefined) return undefined;
  const throttling = throttlingOf(end, target);
  const containers = target.kind === 'pod' ? containersOf(end.cpu_containers, target) : [];
  return {
    ...seconds('seconds', end.cpu_elapsed_us),
    ...seconds('usedSeconds', end.cpu_used_us),
    ...limit('limitCores', end.cpu_limit_ucores),
    ...limit('limitCoresBefore', end.cpu_limit_before_ucores),
    ...seconds('throttledSeconds', end.cpu_throttled_us),
    ...(throttling && { throttling }),
    ...seconds('runQueueSeconds', end.cpu_waited_us),
    ...(end.cpu_ran_us !== undefined &&
      end.cpu_used_us && { runQueueCoverage: Math.min(1, end.cpu_ran_us / end.cpu_used_us) }),
    ...seconds('waitedSeconds', end.cpu_pressure_us),
    ...(end.cpu_steal_ticks !== undefined &&
      end.cpu_node_ticks && { stealShare: end.cpu_steal_ticks / end.cpu_node_ticks }),
    ...(target.kind === 'node' && end.cpu_count !== undefined && { nodeCpus: end.cpu_count }),
    ...(end.cpu_threads !== undefined && { threads: end.cpu_threads }),
    ...(end.cpu_threads_ended !== undefined && { threadsEnded: end.cpu_threads_ended }),
    ...(containers.length && { containers }),
  };
}

const seconds = <Name extends string>(name: Name, us: number | undefined) =>
  us === undefined ? {} : ({ [name]: us / 1e6 } as Record<Name, number>);

/** A limit in cores; the node writes 0 if there is none. */
const limit = <Name extends string>(name: Name, ucores: number | undefined) =>
  ucores === undefined ? {} : ({ [name]: ucores === 0 ? null : ucores / 1e6 } as Record<Name, number | null>);

function throttlingOf(end: EventOf<'end'>, target: Target): Throttling | undefined {
  const { cpu_throttler: role, cpu_throttler_id: id } = end;
  if (role === undefined) return undefined;
  const container =
    target.kind !== 'pod'
      ? undefined
      : role === 'target'
        ? target.container
        : role === 'container' && id !== undefined
          ? byId(id, target)
          : undefined;
  const by = container
    ? 'container'
    : role === 'above'
      ? 'outer'
      : role === 'below' || role === 'container'
        ? 'inner'
        : 'pod';
  return {
    by,
    ...(container && { container: container.name }),
    ...(end.cpu_throttler_ucores && { limitCores: end.cpu_throttler_ucores / 1e6 }),
    ...(end.cpu_periods !== undefined && { periods: end.cpu_periods }),
    ...(end.cpu_throttled_periods !== undefined && { throttledPeriods: end.cpu_throttled_periods }),
  };
}

const byId = (id: string, { containers }: PodTarget) => containers.find((each) => each.id.startsWith(id));

/** `ID=TIME,ID=TIME` as names and seconds, in the order of the pod's containers. */
function containersOf(text: string | undefined, target: PodTarget) {
  const used = new Map(
    text?.split(',').map((pair): [string, number] => {
      const [id = '', us] = pair.split('=');
      return [id, Number(us) / 1e6];
    }),
  );
  return target.containers.flatMap(({ name, id }) => {
    const usedSeconds = used.get(id.slice(0, 12));
    return usedSeconds === undefined ? [] : [{ name, usedSeconds }];
  });
}
