import { type FunctionWeights, functionWeights } from '../functions.ts';
import type { Comparison, SampleEvidence } from '../profile.ts';
import { closed } from '../tree.ts';
import { blocksOf, type TimeBlock } from './blocks.ts';
import { chanceOf, chanceOfShares, chanceOfT } from './probability.ts';

/** Of both sides of a comparison. */
type Pair<T> = readonly [before: T, after: T];

const pair = <T>(make: (side: 0 | 1) => T): Pair<T> => [make(0), make(1)];

/**
 * The tests of one comparison. A function's share of all samples is tested. If both durations are known, its samples per
 * second are tested as well, and a function changed only if both did: more of everything is load, and a smaller share may
 * only mean more of another function.
 */
export class Tests {
  readonly knowsTimes: boolean;
  readonly #weights: Pair<FunctionWeights>;
  readonly #squares: Pair<FunctionWeights>;
  readonly #totals: Pair<number>;
  /** The sum of squares divided by the sum: the weight of a sample if all weigh the same. */
  readonly #perSample: Pair<number>;
  readonly #factor: number;
  readonly #byDuration: boolean;
  readonly #ofSamples: Pair<readonly TimeBlock[] | undefined>;
  readonly #ofTime: Pair<readonly TimeBlock[] | undefined>;

  constructor(comparison: Comparison, evidence: Pair<SampleEvidence>, weights: Pair<FunctionWeights>) {
    const { frames, tree, beforeTotal, beforeFactor, normalizedBy } = comparison;
    this.#weights = weights;
    this.#totals = [beforeTotal[0]!, tree.total[0]!];
    this.#factor = beforeFactor;
    this.#byDuration = normalizedBy === 'duration';
    const squares = pair((side) => closed(tree.parent, evidence[side].squares).total);
    this.#squares = pair((side) =>
      functionWeights(tree, frames.length, { self: evidence[side].squares, total: squares[side] }),
    );
    const perSample = pair((side) => (this.#totals[side] ? squares[side][0]! / this.#totals[side] : 0));
    this.#perSample = pair((side) => perSample[side] || perSample[1 - side]! || 1);
    this.#ofSamples = pair((side) => blocksOf(evidence[side], tree, frames.length));
    this.#ofTime = pair((side) =>
      this.#byDuration
        ? blocksOf(evidence[side], tree, frames.length, evidence[side].about.seconds)
        : undefined,
    );
    this.knowsTimes = Boolean(this.#ofSamples[0] && this.#ofSamples[1]);
  }

  /** The p-value of a function, and the least one that so many samples could have. */
  of(at: number, by: 'self' | 'total'): { readonly chance: number; readonly least: number } {
    const weight = pair((side) => this.#weights[side][by][at]!);
    const squares = pair((side) => this.#squares[side][by][at]!);
    // Samples of this function may weigh more than others: as many as have the same variance.
    const heavier =
      (squares[0] / this.#perSample[0] + squares[1] / this.#perSample[1]) / (weight[0] + weight[1]);
    const worth = pair((side) => this.#perSample[side] * heavier);
    const counts = pair((side) => weight[side] / worth[side]);
    const tests = [];
    if (this.#totals[0] > 0 && this.#totals[1] > 0) {
      const all = pair((side) => Math.max(counts[side], this.#totals[side] / worth[side]));
      const sum = counts[0] + counts[1];
      tests.push({
        chance: Math.max(
          chanceOfShares(counts[0], all[0], counts[1], all[1]),
          this.#sharesByBlocks(at, by, weight, worth),
        ),
        least: Math.min(
          chanceOfShares(Math.min(sum, all[0]), all[0], Math.max(0, sum - all[0]), all[1]),
          chanceOfShares(Math.max(0, sum - all[1]), all[0], Math.min(sum, all[1]), all[1]),
        ),
      });
    }
    if (this.#byDuration) {
      const exposure = (this.#factor * worth[0]) / worth[1];
      const share = exposure / (1 + exposure);
      const sum = counts[0] + counts[1];
      tests.push({
        chance: Math.max(chanceOf(counts[0], counts[1], share), this.#ratesByBlocks(at, by, weight, worth)),
        least: Math.min(chanceOf(sum, 0, share), chanceOf(0, sum, share)),
      });
    }
    return {
      chance: Math.max(...tests.map(({ chance }) => chance), tests.length ? 0 : 1),
      least: Math.max(...tests.map(({ least }) => least), tests.length ? 0 : 1),
    };
  }

  /** Tests how a function's share differs between blocks, with the variance of independent samples if that is larger. */
  #sharesByBlocks(at: number, by: 'self' | 'total', weight: Pair<number>, worth: Pair<number>): number {
    const share = pair((side) => weight[side] / this.#totals[side]);
    const common = (weight[0] + weight[1]) / (this.#totals[0] + this.#totals[1]);
    return chanceByBlocks(
      share[1] - share[0],
      pair((side) => ({
        independent: (common * (1 - common) * worth[side]) / this.#totals[side],
        residuals: this.#ofSamples[side]?.map(
          ({ functions, all }) => (functions[by][at]! - share[side] * all) / this.#totals[side],
        ),
      })),
    );
  }

  /** The same test for its samples per second. */
  #ratesByBlocks(at: number, by: 'self' | 'total', weight: Pair<number>, worth: Pair<number>): number {
    const factor = [this.#factor, 1] as const;
    const common = (weight[0] + weight[1]) / (1 + this.#factor);
    return chanceByBlocks(
      weight[1] - this.#factor * weight[0],
      pair((side) => ({
        independent: common * this.#factor * factor[side] * worth[side],
        residuals: this.#ofTime[side]?.map(
          ({ functions }, _, { length }) => factor[side] * (functions[by][at]! - weight[side] / length),
        ),
      })),
    );
  }
}

/** How much a figure varies: its variance for independent samples, and its deviation in each block. */
interface Spread {
  readonly independent: number;
  readonly residuals: readonly number[] | undefined;
}

/** The probability of such a difference. */
function chanceByBlocks(difference: number, spreads: Pair<Spread>): number {
  if (!spreads[0].residuals && !spreads[1].residuals) return 0;
  const sides = spreads.map(({ independent, residuals }) =>
    residuals
      ? { variance: varianceOf(residuals), freedom: residuals.length - 1 }
      : { variance: independent, freedom: Number.POSITIVE_INFINITY },
  );
  const variance = sides.reduce((sum, side) => sum + side.variance, 0);
  // Welch and Satterthwaite: Biometrika 34, 1947.
  const freedom = variance ** 2 / sides.reduce((sum, side) => sum + side.variance ** 2 / side.freedom, 0);
  const most = Math.max(variance, spreads[0].independent + spreads[1].independent);
  return most > 0 ? chanceOfT(difference / Math.sqrt(most), Math.min(freedom || 1, 1e6)) : 1;
}

/** Neighbouring blocks that are put together: what lasts longer than a block makes the sum of several vary more. */
const TOGETHER = [1, 2, 4];

/** With fewer groups the variance is not reliable. */
const LEAST_GROUPS = 3;

/** The variance of the sum of all blocks: the largest from single blocks and from groups of blocks. */
function varianceOf(residuals: readonly number[]): number {
  let most = 0;
  for (const together of TOGETHER) {
    const many = Math.floor(residuals.length / together);
    if (many < LEAST_GROUPS) break;
    const sums = new Float64Array(many);
    residuals.forEach((each, at) => {
      sums[Math.min(many - 1, Math.floor(at / together))]! += each;
    });
    most = Math.max(most, (sums.reduce((sum, each) => sum + each ** 2, 0) * many) / (many - 1));
  }
  return most;
}
