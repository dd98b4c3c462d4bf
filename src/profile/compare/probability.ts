/** Relative slack within which two probabilities are the same, as in R's binom.test. */
const SAME = 1e-7;

/**
 * How likely two counts are at least as far apart as these if nothing changed; `share` is the part of all exposure that
 * is after, 0 to 1. Given the sum of two Poisson counts, the second is binomial (Przyborowski and Wilenski, "Homogeneity
 * of results in testing samples from Poisson series", Biometrika 31, 1940). Exact and two-sided: the sum over every
 * outcome that is no likelier than this one, as R's binom.test. No normal approximation: where one side was recorded
 * for much longer it is wrong by orders of magnitude, however many samples there are.
 */
export function chanceOf(before: number, after: number, share: number): number {
  const n = Math.round(before + after);
  if (!(n > 0) || !(share > 0) || !(share < 1)) return 1;
  const odds = share / (1 - share);
  return twoSided(Math.round(after), {
    least: 0,
    greatest: n,
    likeliest: Math.min(n, Math.floor((n + 1) * share)),
    log: (k) => logBinomial(n, k, share),
    ratio: (k) => ((n - k) / (k + 1)) * odds,
  });
}

/**
 * The same of two shares: `before` of `beforeAll` samples, `after` of `afterAll`. Given how many samples there are of
 * each kind and on each side, a count is hypergeometric: Fisher's exact test, two-sided as R's fisher.test.
 */
export function chanceOfShares(before: number, beforeAll: number, after: number, afterAll: number): number {
  const [total, mine] = [Math.round(beforeAll) + Math.round(afterAll), Math.round(afterAll)];
  const others = total - mine;
  const observed = Math.min(Math.round(after), mine);
  const n = Math.min(Math.round(before), others) + observed;
  if (n <= 0 || n >= total || mine <= 0 || others <= 0) return 1;
  const [least, greatest] = [Math.max(0, n - others), Math.min(n, mine)];
  return twoSided(observed, {
    least,
    greatest,
    likeliest: Math.min(greatest, Math.max(least, Math.floor(((n + 1) * (mine + 1)) / (total + 2)))),
    log: (k) => logChoose(mine, k) + logChoose(others, n - k) - logChoose(total, n),
    ratio: (k) => ((mine - k) / (k + 1)) * ((n - k) / (others - n + k + 1)),
  });
}

/** A law of whole numbers with one peak. */
interface Law {
  readonly least: number;
  readonly greatest: number;
  readonly likeliest: number;
  /** The logarithm of the probability of `k`. */
  readonly log: (k: number) => number;
  /** The probability of `k + 1` over that of `k`. */
  readonly ratio: (k: number) => number;
}

function twoSided(observed: number, law: Law): number {
  const limit = law.log(observed) + SAME;
  // The likeliest outcome, or one of two.
  if (law.log(law.likeliest) <= limit) return 1;
  const far = observed > law.likeliest ? -1 : 1;
  return Math.min(1, tail(law, observed, -far) + tail(law, otherSide(law, limit, far), far));
}

/** The nearest outcome beyond the likeliest one, in the direction `step`, that is no likelier than `limit`. */
function otherSide({ least, greatest, likeliest, log }: Law, limit: number, step: number): number {
  let near = 0;
  let far = (step > 0 ? greatest - likeliest : likeliest - least) + 1;
  while (far - near > 1) {
    const middle = Math.floor((near + far) / 2);
    if (log(likeliest + step * middle) <= limit) far = middle;
    else near = middle;
  }
  return likeliest + step * far;
}

/** The probability of `from` and all beyond it; terms that no longer count are left out. */
function tail({ least, greatest, log, ratio }: Law, from: number, step: number): number {
  if (from < least || from > greatest) return 0;
  let term = 1;
  let sum = 0;
  for (let k = from; k >= least && k <= greatest && term > sum * 1e-17; k += step) {
    sum += term;
    term = step > 0 ? term * ratio(k) : k > least ? term / ratio(k - 1) : 0;
  }
  return sum * Math.exp(log(from));
}

/** How likely a value of Student's t with so many degrees of freedom is at least as far from 0: two-sided. */
export function chanceOfT(t: number, freedom: number): number {
  if (!(freedom > 0) || Number.isNaN(t)) return 1;
  // DLMF 8.17: the regularised incomplete beta function.
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/** I_x(a, b) by its continued fraction (NIST DLMF 8.17.22), evaluated by Lentz's method. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x) - Math.log(a),
  );
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let c = 1;
  let value = d;
  for (let m = 1; m < 500; m += 1) {
    for (const term of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + term * d);
      c = 1 + term / c;
      value *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-14) break;
  }
  return front * value;
}

/** Beyond 16 by Stirling's series, below it by the recurrence. */
const logGamma = (x: number): number => (x < 16 ? logGamma(x + 1) - Math.log(x) : stirling(x - 1));

/** The logarithm of the binomial probability of `k` out of `n`. */
const logBinomial = (n: number, k: number, share: number): number =>
  logFactorial(n) -
  logFactorial(k) -
  logFactorial(n - k) +
  k * Math.log(share) +
  (n - k) * Math.log1p(-share);

const logChoose = (n: number, k: number): number => logFactorial(n) - logFactorial(k) - logFactorial(n - k);

const SMALL = 32;
const LOG_FACTORIALS = Array.from({ length: SMALL }, () => 0);
for (let n = 2; n < SMALL; n += 1) LOG_FACTORIALS[n] = LOG_FACTORIALS[n - 1]! + Math.log(n);

const logFactorial = (n: number): number => (n < SMALL ? LOG_FACTORIALS[n]! : stirling(n));

/** The logarithm of n! by Stirling's series (NIST DLMF 5.11.1), exact to the last digits of a double from 32 on. */
function stirling(n: number): number {
  const square = n * n;
  return (
    (n + 0.5) * Math.log(n) -
    n +
    0.5 * Math.log(2 * Math.PI) +
    (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / n
  );
}

/**
 * p-values adjusted for there being many of them, by Benjamini and Hochberg's procedure (J. R. Stat. Soc. B 57, 1995):
 * the least from each rank on, times how many there are over the rank.
 */
export function adjusted(p: readonly number[]): number[] {
  const order = p.map((_, at) => at).sort((a, b) => p[b]! - p[a]!);
  const values = new Array<number>(p.length);
  let least = 1;
  order.forEach((at, from) => {
    least = Math.min(least, (p[at]! * p.length) / (p.length - from));
    values[at] = least;
  });
  return values;
}

/**
 * The same where some tests cannot come out, whatever was observed: `least` is the least p-value that the number of samples
 * of each allows. These are left out of the many, by Tarone's rule ("A modified Bonferroni method for discrete data",
 * Biometrics 46, 1990) before Benjamini and Hochberg's (Gilbert, "A modified false discovery rate multiple-comparisons
 * procedure for discrete data", Appl. Statist. 54, 2005), and get what the whole number of the others would make of them.
 */
export function adjustedDiscrete(p: readonly number[], least: readonly number[], level = 0.05): number[] {
  const sorted = [...least].sort((a, b) => a - b);
  let many = 1;
  while (many < sorted.length && sorted[many]! <= level / many) many += 1;
  const tested = p.flatMap((_, at) => (least[at]! <= level / many ? [at] : []));
  const values = adjusted(tested.map((at) => p[at]!));
  const all = p.map((each) => Math.min(1, each * many));
  tested.forEach((at, rank) => {
    all[at] = values[rank]!;
  });
  return all;
}
