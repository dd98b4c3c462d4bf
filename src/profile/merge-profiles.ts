import { usageError } from '../errors.ts';
import type { Frame } from './frame.ts';
import { pathOf } from './paths.ts';
import type { About, Profile } from './profile.ts';
import { ProfileBuilder } from './read/builder.ts';

/**
 * Merges several profiles: samples are added, and threads with the same name and number are merged. Throws if the profiles
 * have different units. The result has no timeline, because each recording has its own clock. `outside` has the frames that
 * stand outside of the stacks of a profile, by the numbers of the profile and of the thread.
 */
export function mergeProfiles(
  profiles: readonly Profile[],
  outside: (profile: number, thread: number) => readonly Frame[] = () => [],
): Profile {
  const first = profiles[0]!;
  const other = profiles.find(({ unit }) => unit !== first.unit);
  if (other)
    throw usageError(
      `${first.about.target} counts ${unitText(first)}, ${other.about.target} counts ${unitText(other)}: they cannot be added up`,
      'use --event and --weight to choose what all files have',
    );
  const events = new Set(profiles.map(({ event }) => event).filter((event) => event !== 'samples'));
  if (events.size > 1)
    throw usageError(
      `the files are of different events, ${[...events].join(' and ')}: they cannot be added up`,
      'use --event to choose what all files have',
    );
  const builder = new ProfileBuilder();
  for (const [at, { frames, tree, threads, stacks }] of profiles.entries()) {
    const outer = [-1, ...threads.keys()].map((thread) =>
      outside(at, thread).map((frame) => builder.frame(frame)),
    );
    const frameNumber = frames.map((frame) => builder.frame(frame));
    const threadNumber = threads.map(({ comm, pid, tid, cgroup, owner }) =>
      builder.thread(comm, pid, tid, {
        ...(cgroup !== undefined && { cgroup }),
        ...(owner && { owner }),
      }),
    );
    stacks.node.forEach((node, row) => {
      const path = Int32Array.from([
        ...outer[stacks.thread[row]! + 1]!,
        ...pathOf(tree, node).map((frame) => frameNumber[frame]!),
      ]);
      builder.add(
        path,
        threadNumber[stacks.thread[row]!] ?? -1,
        stacks.samples[row]!,
        stacks.weight[row]!,
        stacks.squares?.[row],
      );
    });
  }
  const merged = builder.profile(aboutAll(profiles), [...events][0] ?? first.event, first.unit);
  const lookups = profiles.flatMap((profile) => profile.lookups ?? []);
  return {
    ...merged,
    ...(lookups.length > 0 && { lookups }),
    ...(profiles.some(({ weightsVary }) => weightsVary) && { weightsVary: true }),
    idle: {
      samples: profiles.reduce((sum, { idle }) => sum + idle.samples, 0),
      leftOut: profiles.some(({ idle }) => idle.leftOut),
    },
    ...exceptAll(profiles),
    // The sum is unknown if the number of one input is unknown.
    lost: profiles.reduce<number | undefined>(
      (sum, { lost }) => (sum === undefined || lost === undefined ? undefined : sum + lost),
      0,
    ),
  };
}

/** `--except` is the same for all of them, but only some may have samples of the pod. */
function exceptAll(profiles: readonly Profile[]): Pick<Profile, 'except'> {
  const parts = profiles.flatMap(({ except }) => (except ? [except] : []));
  if (parts.length === 0) return {};
  const { pod } = parts.find(({ samples }) => samples > 0) ?? parts[0]!;
  return { except: { pod, samples: parts.reduce((sum, { samples }) => sum + samples, 0) } };
}

const unitText = ({ event, unit }: Profile): string =>
  unit === 'samples'
    ? 'samples'
    : unit === 'nanoseconds'
      ? 'CPU time'
      : unit === 'microseconds'
        ? 'time off the CPU'
        : `${event} by period`;

/** What is true for all of them; and the sum of the durations, if all are known and all have the same frequency. */
function aboutAll(profiles: readonly Profile[]): About {
  const abouts = profiles.map(({ about }) => about);
  const shared = <K extends keyof About>(key: K): Partial<About> => {
    const value = abouts[0]![key];
    return value !== undefined && abouts.every((about) => about[key] === value) ? { [key]: value } : {};
  };
  const targets = [...new Set(abouts.map(({ target }) => target))];
  const isTimed = abouts.every(({ seconds = 0 }) => seconds > 0) && 'frequencyHz' in shared('frequencyHz');
  return {
    target: targets.length <= 3 ? targets.join(' + ') : `${profiles.length} files: ${targets[0]} …`,
    ...shared('node'),
    ...shared('namespace'),
    ...shared('pod'),
    ...shared('container'),
    ...(isTimed && {
      ...shared('frequencyHz'),
      seconds: abouts.reduce((sum, { seconds = 0 }) => sum + seconds, 0),
    }),
  };
}
