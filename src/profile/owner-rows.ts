import { counted } from '../text/quantity.ts';
import { COLUMNS, shorten } from '../text/wrap.ts';
import { coresOf, coresText } from './cores.ts';
import { idleRows } from './filter.ts';
import type { Profile, ThreadOwner } from './profile.ts';

interface Usage {
  readonly samples: number;
  /** Of the weight of all samples that are not idle, 0 to 1. */
  readonly share: number;
  /** Mean cores busy; undefined if it cannot be computed from the samples (cores.ts). */
  readonly cores?: number;
}

/** A pod, a unit of systemd, the kernel, or another cgroup, with what it used of the CPUs of a node. */
export interface OwnerRow extends Usage {
  readonly kind: ThreadOwner['kind'];
  /** `redis/redis-0`, `kubelet.service`, `kernel`. */
  readonly name: string;
  readonly podUid?: string;
  /** Of a pod, the busiest first. A process in no container is in the row of its pod only. */
  readonly containers: ReadonlyArray<Usage & { readonly name: string; readonly id?: string }>;
}

/** How many rows are printed; JSON has all. */
const PRINTED = 12;

interface Sums {
  samples: number;
  weight: number;
}

/** Whose the samples are, the busiest first. Samples of idle CPUs are nobody's. Undefined if no thread has an owner. */
export function ownerRows(profile: Profile): OwnerRow[] | undefined {
  const { threads, stacks } = profile;
  if (!threads.some(({ owner }) => owner)) return undefined;
  const idle = idleRows(profile);
  const owners = new Map<
    string,
    Sums & { owner: ThreadOwner; containers: Map<string, Sums & { id?: string }> }
  >();
  let whole = 0;
  stacks.thread.forEach((thread, row) => {
    const owner = threads[thread]?.owner;
    if (idle[row] || !owner) return;
    const samples = stacks.samples[row]!;
    const weight = stacks.weight[row]!;
    whole += weight;
    let sums = owners.get(owner.name);
    if (!sums) {
      sums = { owner, samples: 0, weight: 0, containers: new Map() };
      owners.set(owner.name, sums);
    }
    sums.samples += samples;
    sums.weight += weight;
    if (owner.container === undefined) return;
    const container = sums.containers.get(owner.container) ?? {
      ...{ samples: 0, weight: 0 },
      ...(owner.containerId !== undefined && { id: owner.containerId }),
    };
    container.samples += samples;
    container.weight += weight;
    sums.containers.set(owner.container, container);
  });
  const usage = ({ samples, weight }: Sums): Usage => {
    const cores = coresOf(profile, samples);
    return { samples, share: weight / (whole || 1), ...(cores !== undefined && { cores }) };
  };
  const busiest = <T extends Sums>(sums: Iterable<[string, T]>) =>
    [...sums].sort((a, b) => b[1].weight - a[1].weight || (a[0] < b[0] ? -1 : 1));
  return busiest(owners).map(([name, { owner, containers, ...sums }]) => ({
    kind: owner.kind,
    name,
    ...(owner.podUid !== undefined && { podUid: owner.podUid }),
    ...usage(sums),
    containers: busiest(containers).map(([container, { id, ...own }]) => ({
      name: container,
      ...(id !== undefined && { id }),
      ...usage(own),
    })),
  }));
}

/** The rows as lines for people, which fit into 80 columns. */
export function ownerLines(rows: readonly OwnerRow[]): string[] {
  const hasCores = rows[0]?.cores !== undefined;
  const line = ({ cores, share, samples }: Usage, name: string): string => {
    const figures = [
      ...(cores === undefined ? [] : [coresText(cores, samples).padStart(7)]),
      `${(100 * share).toFixed(1)} %`.padStart(8),
    ];
    const before = `${figures.join(' ')}  `;
    return before + shorten(name, COLUMNS - before.length);
  };
  const shown = rows.slice(0, PRINTED);
  const rest = rows.slice(PRINTED);
  return [
    hasCores ? 'pods and services, by cores busy and share:' : 'pods and services, by share:',
    ...shown.flatMap((row) => [
      line(row, nameOf(row)),
      // A single container is in the line of its pod.
      ...(row.containers.length > 1
        ? row.containers.filter(isWorthALine).map((each) => line(each, `  ${each.name}`))
        : []),
    ]),
    ...(rest.length > 0 ? [line(sumOf(rest), `${counted(rest.length, 'other')}`)] : []),
  ];
}

const isWorthALine = ({ share }: Usage): boolean => share >= 0.0005;

/** A pod with its only container; and what a name alone does not tell. */
export const nameOf = ({ name, containers }: Pick<OwnerRow, 'name' | 'containers'>): string =>
  containers.length === 1 ? `${name}, ${containers[0]!.name}` : name;

function sumOf(rows: readonly OwnerRow[]): Usage {
  const sum = (of: (row: OwnerRow) => number) => rows.reduce((all, row) => all + of(row), 0);
  return {
    samples: sum(({ samples }) => samples),
    share: sum(({ share }) => share),
    ...(rows[0]!.cores !== undefined && { cores: sum(({ cores = 0 }) => cores) }),
  };
}
