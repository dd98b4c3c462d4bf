import type { Profile } from '../profile.ts';

/** A profile with what is known of its samples. */
export interface Weighed {
  readonly profile: Profile;
  /** Whether it is known how many samples there are: what is not known cannot be tested. */
  readonly samplesKnown: boolean;
  /** The assumption about its weights. */
  readonly assumption?: string;
}

/** What the user states about folded stacks: what one sample weighs, or that the numbers are sums of periods. */
export interface StatedWeights {
  readonly unit?: number;
  readonly periods?: true;
}

/** A smaller number is not a period: the kernel allows 100,000 samples a second by default, 10,000 ns each. */
const LEAST_PERIOD = 10_000;
/** More samples than any recording holds: 64 processors for four hours at 99 Hz are fewer. */
const MOST_SAMPLES = 1e8;
const MANY_SAMPLES = 1e6;
const FEW = 1000;

/**
 * Whether a profile is folded stacks, whose text does not say if its numbers count samples or periods.
 * stackcollapse-perf.pl and inferno write periods if perf printed any.
 */
export const isFoldedText = ({ event, unit }: Profile): boolean => event === 'samples' && unit === 'samples';

/**
 * Decides for two profiles what the numbers of folded stacks are. If all are multiples of one large number, they are sums
 * of periods of that length, as of a clock, and the number of samples is known. If they are large but not such multiples, as
 * for cycles, nobody can know how many samples they are.
 */
export function weighed(
  profiles: readonly [before: Profile, after: Profile],
  stated: readonly [before: StatedWeights, after: StatedWeights],
): readonly [before: Weighed, after: Weighed] {
  // This also holds for numbers that are known to be periods: one long stack alone does not show the length of a period.
  const divisors = profiles.map((profile) =>
    isFoldedText(profile) || profile.unit !== 'samples' ? commonDivisor(profile) : 0,
  );
  const both = divisors[0] && divisors[1] ? gcd(divisors[0], divisors[1]) : 0;
  const one = (side: 0 | 1, where: string) =>
    weighedOne(
      profiles[side],
      both >= LEAST_PERIOD ? both : divisors[side]!,
      stated[side],
      where,
      profiles[1 - side]!,
    );
  const sides = [one(0, ''), one(1, '')] as const;
  // An assumption about both sides is printed once.
  return sides[0].assumption === sides[1].assumption ? sides : [one(0, ' before'), one(1, ' after')];
}

function weighedOne(
  profile: Profile,
  divisor: number,
  { unit, periods }: StatedWeights,
  where: string,
  other: Profile,
): Weighed {
  if (profile.weightsVary)
    return {
      profile,
      samplesKnown: false,
      assumption: `The samples${where} weigh differently, and the file does not say by how much: nothing can be tested (--weight samples counts them)`,
    };
  if (!isFoldedText(profile)) return { profile, samplesKnown: true };
  if (unit !== undefined)
    return {
      profile: inSamples(profile, unit, unit === 1 ? undefined : other),
      samplesKnown: true,
      ...(unit !== 1 && { assumption: `The folded stacks${where}: ${unit} is one sample (--unit)` }),
    };
  const weights = profile.stacks.weight;
  const least = weights.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY);
  if (divisor >= LEAST_PERIOD)
    return {
      profile: inSamples(profile, divisor, other),
      samplesKnown: true,
      assumption: `The folded stacks${where} hold multiples of ${divisor}, which is assumed to be one sample: they are sums of periods (--unit 1 if they are samples)`,
    };
  // Of samples most stacks have few: millions in which hardly any has are weights, such as cycles of short runs.
  const few = weights.reduce((sum, weight) => sum + Number(weight < FEW), 0);
  const areFewRare = profile.samples > MANY_SAMPLES && few * 4 < weights.length;
  if (periods || least >= LEAST_PERIOD || areFewRare || profile.samples > MOST_SAMPLES)
    return {
      profile: { ...profile, unit: 'events', event: 'weight' },
      samplesKnown: false,
      assumption: `The folded stacks${where} hold weights that vary, not samples: nothing can be tested without knowing how many samples they are (--unit NUMBER says what one weighs, --unit 1 that they are samples)`,
    };
  return { profile, samplesKnown: true };
}

/**
 * The profile with its weights as numbers of samples that weigh this much each; if the other profile is weighted by periods,
 * the weights stay as they are.
 */
function inSamples(profile: Profile, unit: number, other: Profile | undefined): Profile {
  if (unit === 1) return profile;
  const { tree, stacks } = profile;
  const scaled = (weights: Float64Array) => weights.map((weight) => weight / unit);
  const samples = scaled(stacks.samples);
  if (other && other.unit !== 'samples')
    return {
      ...profile,
      event: other.event,
      unit: other.unit,
      stacks: { ...stacks, samples },
      samples: profile.samples / unit,
      idle: { ...profile.idle, samples: profile.idle.samples / unit },
    };
  return {
    ...profile,
    tree: { ...tree, self: scaled(tree.self), total: scaled(tree.total) },
    stacks: { ...stacks, samples, weight: samples },
    samples: profile.samples / unit,
    idle: { ...profile.idle, samples: profile.idle.samples / unit },
  };
}

/**
 * The largest whole number that all weights are multiples of; 1 if some weights are not whole. If the number of samples of a
 * weight is known, it is the number that all periods are multiples of.
 */
function commonDivisor(profile: Profile): number {
  const { samples, weight } = profile.stacks;
  const isText = isFoldedText(profile);
  let divisor = 0;
  for (let row = 0; row < weight.length && divisor !== 1; row += 1) {
    const each = isText ? weight[row]! : weight[row]! / samples[row]!;
    divisor = Number.isInteger(each) ? gcd(divisor, each) : 1;
  }
  return divisor;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y) [x, y] = [y, x % y];
  return x;
}
