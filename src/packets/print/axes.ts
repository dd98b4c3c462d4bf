/** A label of an axis, and the value that it stands at. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** A vertical axis: its labels from below, and how far up a value is, from 0 to 1. */
export interface Scale {
  readonly ticks: readonly Tick[];
  readonly heightOf: (value: number) => number;
}

/** The least of 1, 2, 5, 10, 20, 50 … that is at least as large; also of fractions. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 5, 10].find((each) => each * power >= value * (1 - 1e-9))!;
  return digit * power;
}

/** From 0 to at least `most`, which is above 0, with three to six labels. */
export function linearScale(most: number, label: (value: number) => string): Scale {
  const step = roundUp(most / 4);
  const count = Math.ceil(most / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)));
  return {
    ticks: ticks.map((value) => ({ value, label: label(value) })),
    heightOf: (value) => value / (count * step),
  };
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** The same for bytes: the labels are round in the binary unit of the largest value. */
export function byteScale(most: number): Scale {
  const power = Math.max(0, Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(most) / 10)));
  const unit = 1024 ** power;
  const { ticks, heightOf } = linearScale(most / unit, (value) => `${value} ${BYTE_UNITS[power]}`);
  return {
    ticks: ticks.map(({ value, label }) => ({ value: value * unit, label })),
    heightOf: (value) => heightOf(value / unit),
  };
}

/** Above so many powers of ten, only they have labels, and not 2 and 5 of each. */
const MOST_DECADES = 2;

/**
 * A logarithmic axis, from the round value below the least positive value to the one above the greatest. A value of 0 is
 * drawn at the lower end.
 */
export function logScale(values: readonly number[], label: (value: number) => string): Scale {
  const positive = values.filter((value) => value > 0);
  const least = positive.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
  const most = positive.reduce((one, other) => Math.max(one, other), 0);
  const [from, to] = positive.length ? [Math.log10(least), Math.log10(most)] : [-6, -5];
  const isWide = to - from > MOST_DECADES;
  const digits = isWide ? [1] : [1, 2, 5];
  const all: number[] = [];
  for (let power = Math.floor(from) - 1; power <= Math.ceil(to) + 1; power += 1)
    for (const digit of digits) all.push(Number(`${digit}e${power}`));
  const first = Math.max(
    0,
    all.findLastIndex((value) => Math.log10(value) <= from + 1e-9),
  );
  const last = all.findIndex((value) => Math.log10(value) >= to - 1e-9);
  // At least three labels, also where all values are the same: one below them and one above.
  const [below, above] = last - first >= 2 ? [0, 0] : [1, last === first ? 1 : 0];
  const ticks = all.slice(Math.max(0, first - below), last + above + 1);
  const [low, high] = [Math.log10(ticks[0]!), Math.log10(ticks.at(-1)!)];
  return {
    ticks: ticks.map((value) => ({ value, label: label(value) })),
    heightOf: (value) => (value > 0 ? Math.max(0, (Math.log10(value) - low) / (high - low)) : 0),
  };
}

/** Lengths of time, in seconds, between the labels of an axis of time. */
const SPANS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
  432_000, 864_000,
];
/** That many labels have room beside each other in a narrow window. */
const MOST_LABELS = 7;
/** The least distance between two labels, as a share of the axis. */
const LEAST_DISTANCE = 0.11;

/**
 * The steps, by number, that have a label on an axis of time: those at round times of day. `times` are those of the steps
 * in ISO 8601, `seconds` is the length of a step.
 */
export function timeTicks(times: readonly string[], seconds: number): readonly number[] {
  const whole = times.length * seconds;
  const span = SPANS.find((each) => whole / each <= MOST_LABELS) ?? whole / MOST_LABELS;
  const numbers = times.map((time, at) => {
    const parsed = Date.parse(time);
    // A clock may be so wrong that its year is beyond what a Date holds: then the steps are counted.
    return Math.floor((Number.isNaN(parsed) ? at * seconds : Math.floor(parsed / 1000)) / span);
  });
  const ticks: number[] = [];
  for (const [at, number] of numbers.entries()) {
    // A step at the beginning belongs to a round time only if the time itself is round.
    const isRound =
      at > 0 ? number !== numbers[at - 1] : number * span === Math.floor(Date.parse(times[0]!) / 1000);
    const distance = ticks.length ? (at - ticks.at(-1)!) / times.length : 1;
    if (isRound && distance >= LEAST_DISTANCE) ticks.push(at);
  }
  return ticks.length ? ticks : times.length ? [0] : [];
}
