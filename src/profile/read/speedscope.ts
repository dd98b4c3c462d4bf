import { EXIT, GkeprofError, reasonOf, usageError } from '../../errors.ts';
import { type Frame, frameKindOf } from '../frame.ts';
import type { About, Unit } from '../profile.ts';
import { ProfileBuilder } from './builder.ts';
import type { Imported, ImportOptions } from './pprof.ts';

/** What is read of speedscope's file format (https://www.speedscope.app/file-format-schema.json). */
interface SpeedscopeFile {
  readonly name?: string;
  readonly exporter?: string;
  readonly activeProfileIndex?: number;
  readonly shared: { readonly frames: ReadonlyArray<{ readonly name: string; readonly file?: string }> };
  readonly profiles: ReadonlyArray<SampledProfile | EventedProfile>;
}

interface SampledProfile {
  readonly type: 'sampled';
  readonly name: string;
  readonly unit: string;
  readonly samples: ReadonlyArray<readonly number[]>;
  readonly weights: readonly number[];
}

interface EventedProfile {
  readonly type: 'evented';
  readonly name: string;
  readonly unit: string;
  readonly startValue?: number;
  readonly events: ReadonlyArray<{ readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }>;
}

const NANOSECONDS: Readonly<Record<string, number>> = {
  nanoseconds: 1,
  microseconds: 1e3,
  milliseconds: 1e6,
  seconds: 1e9,
};

/**
 * A file of speedscope: each of its profiles becomes a thread. Where they count different things, those of one unit are
 * taken, `none`, `bytes` or `time`, which `--event` chooses. What `--format speedscope` writes comes back with its threads.
 */
export function readSpeedscope(json: string, options: ImportOptions, target: About): Imported {
  let file: SpeedscopeFile;
  try {
    file = JSON.parse(json) as SpeedscopeFile;
    if (!Array.isArray(file.shared?.frames) || !Array.isArray(file.profiles))
      throw new Error('it has no list of frames, or of profiles');
  } catch (error) {
    throw damaged(reasonOf(error));
  }
  const events = new Map<string, number>();
  for (const profile of file.profiles) {
    const event = eventOf(profile);
    events.set(event, (events.get(event) ?? 0) + lengthOf(profile));
  }
  const active = file.profiles[file.activeProfileIndex ?? 0] ?? file.profiles[0];
  const wanted = options.event ?? (active ? eventOf(active) : 'samples');
  if (!events.has(wanted))
    throw usageError(
      `--event: no sample of ${wanted}`,
      `the input has ${[...events.keys()].join(', ') || 'no event at all'}`,
    );
  const unit: Unit = wanted === 'samples' ? 'samples' : wanted === 'time' ? 'nanoseconds' : 'events';
  const builder = new ProfileBuilder();
  for (const profile of file.profiles) if (eventOf(profile) === wanted) addProfile(profile, file, builder);
  const about =
    file.exporter?.startsWith('kubectl-gkeprof') && file.name ? { ...target, target: file.name } : target;
  return { profile: builder.profile(about, wanted, unit), events };
}

const damaged = (reason: string): GkeprofError =>
  new GkeprofError(EXIT.failed, `the file of speedscope cannot be read: ${reason}`);

const eventOf = ({ unit }: SampledProfile | EventedProfile): string =>
  unit === 'none' ? 'samples' : NANOSECONDS[unit] === undefined ? unit : 'time';

const lengthOf = (profile: SampledProfile | EventedProfile): number =>
  profile.type === 'sampled'
    ? profile.samples.length
    : profile.events.filter(({ type }) => type === 'O').length;

function addProfile(
  profile: SampledProfile | EventedProfile,
  { shared }: SpeedscopeFile,
  builder: ProfileBuilder,
): void {
  const { comm, pid, tid } = threadOf(profile.name);
  const factor = NANOSECONDS[profile.unit] ?? 1;
  const stacks = [...(profile.type === 'sampled' ? sampled(profile) : evented(profile))];
  // Of ours, and of what speedscope makes of perf script, each stack begins with the thread's name. In ours of a node the
  // frames of its owner come before it.
  const nameDepth =
    stacks.length === 0
      ? -1
      : [0, 1, 2].findIndex(
          (depth) =>
            stacks.every(({ path }) => shared.frames[path[depth] ?? -1]?.name === comm) &&
            stacks.every(({ path }) => path.slice(0, depth).every((at, of) => at === stacks[0]!.path[of])),
        );
  const thread = builder.thread(comm, pid, tid);
  const numbers = new Map<string, number>();
  const numberOf = (at: number, depth: number): number => {
    const isName = depth <= nameDepth;
    const key = `${at} ${isName}`;
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const given = shared.frames[at];
    if (!given) throw damaged(`there is no frame ${at}`);
    const dso = given.file ?? '';
    const frame: Frame = {
      name: String(given.name),
      kind: isName ? 'thread' : frameKindOf(dso),
      dso,
      unknown: /^\[.*\]$/.test(given.name),
    };
    const number = builder.frame(frame);
    numbers.set(key, number);
    return number;
  };
  for (const { path, weight } of stacks) {
    if (path.length === 0 || weight === 0) continue;
    const samples = profile.unit === 'none' ? weight : 1;
    builder.add(Int32Array.from(path, numberOf), thread, samples, weight * factor);
  }
}

/** `redis-server 7/8`, as our own export names a profile; anything else is a name. */
function threadOf(name: string): { comm: string; pid: number; tid: number } {
  const found = /^(.*) (?:(\d+)\/)?(\d+)$/s.exec(name);
  return found
    ? { comm: found[1]!, pid: found[2] === undefined ? -1 : Number(found[2]), tid: Number(found[3]) }
    : { comm: name, pid: -1, tid: -1 };
}

interface Weighted {
  readonly path: readonly number[];
  readonly weight: number;
}

function* sampled({ samples, weights }: SampledProfile): Generator<Weighted> {
  if (samples.length !== weights.length)
    throw damaged(`${samples.length} samples have ${weights.length} weights`);
  for (const [at, path] of samples.entries()) yield { path, weight: weights[at]! };
}

/** What was open between two events weighs as much as lies between them. */
function* evented({ events, startValue = 0 }: EventedProfile): Generator<Weighted> {
  const open: number[] = [];
  let last = startValue;
  for (const { type, frame, at } of events) {
    if (at > last) yield { path: [...open], weight: at - last };
    last = Math.max(last, at);
    if (type === 'O') open.push(frame);
    else if (open.at(-1) === frame) open.pop();
    else throw damaged('a frame is closed that is not the innermost one');
  }
}
