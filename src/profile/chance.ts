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
  const seen = Math.round(after);
  if (!(n > 0) || !(share > 0) || !(share < 1)) return 1;
  const most = Math.min(n, Math.floor((n + 1) * share));
  const limit = logBinomial(n, seen, share) + SAME;
  // The likeliest outcome, or one of two.
  if (logBinomial(n, most, share) <= limit) return 1;
  const far = seen > most ? -1 : 1;
  return Math.min(1, tail(n, seen, share, -far) + tail(n, otherSide(n, most, share, limit, far), share, far));
}

/** The nearest outcome beyond the likeliest one, in the direction `step`, that is no likelier than `limit`. */
function otherSide(n: number, most: number, share: number, limit: number, step: 1 | -1): number {
  let near = 0;
  let far = (step > 0 ? n - most : most) + 1;
  while (far - near > 1) {
    const middle = Math.floor((near + far) / 2);
    if (logBinomial(n, most + step * middle, share) <= limit) far = middle;
    else near = middle;
  }
  return most + step * far;
}

/** The probability of `from` and all beyond it; terms that no longer count are left out. */
function tail(n: number, from: number, share: number, step: number): number {
  if (from < 0 || from > n) return 0;
  const odds = share / (1 - share);
  let term = 1;
  let sum = 0;
  for (let k = from; k >= 0 && k <= n && term > sum * 1e-17; k += step) {
    sum += term;
    term *= step > 0 ? ((n - k) / (k + 1)) * odds : k / (n - k + 1) / odds;
  }
  return sum * Math.exp(logBinomial(n, from, share));
}

/** The logarithm of the binomial probability of `k` out of `n`. */
const logBinomial = (n: number, k: number, share: number): number =>
  logFactorial(n) -
  logFactorial(k) -
  logFactorial(n - k) +
  k * Math.log(share) +
  (n - k) * Math.log1p(-share);

const SMALL = 32;
const LOG_FACTORIALS = Array.from({ length: SMALL }, () => 0);
for (let n = 2; n < SMALL; n += 1) LOG_FACTORIALS[n] = LOG_FACTORIALS[n - 1]! + Math.log(n);

/** Stirling's series (NIST DLMF 5.11.1), exact to the last digits of a double from 32 on. */
function logFactorial(n: number): number {
  if (n < SMALL) return LOG_FACTORIALS[n]!;
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
