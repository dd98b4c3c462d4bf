/** What a recording says about functions whose shares of CPU time are known. */

/** What to look for, by the name of the part: a frame that one of its patterns matches belongs to it. */
export type Parts = Readonly<Record<string, RegExp>>;

export interface Measured {
  readonly samples: number;
  /** Share of the samples whose stack has a frame of exactly one part, 0 to 1. */
  readonly known: number;
  /** Of the samples with a part, the share of each, 0 to 1. */
  readonly shares: Readonly<Record<string, number>>;
}

/** Counts folded stacks (`thread;frame;frame COUNT`). A line of another form is an error, not a sample less. */
export function measure(folded: string, parts: Parts): Measured {
  const counts = new Map(Object.keys(parts).map((name) => [name, 0]));
  let samples = 0;
  for (const line of folded.split('\n')) {
    if (line === '') continue;
    const at = line.lastIndexOf(' ');
    const count = Number(line.slice(at + 1));
    if (at < 0 || !Number.isSafeInteger(count) || count <= 0) throw new Error(`not a folded stack: ${line}`);
    samples += count;
    const [, ...frames] = line.slice(0, at).split(';');
    const found = Object.keys(parts).filter((name) => frames.some((frame) => parts[name]!.test(frame)));
    // A stack in two of them was walked wrongly: none of these programs has one.
    if (found.length === 1) counts.set(found[0]!, counts.get(found[0]!)! + count);
  }
  const known = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return {
    samples,
    known: samples === 0 ? 0 : known / samples,
    shares: Object.fromEntries([...counts].map(([name, count]) => [name, known === 0 ? 0 : count / known])),
  };
}

/** The largest difference between measured and true shares, in percentage points. */
export function worstDifference(
  measured: Readonly<Record<string, number>>,
  truth: Readonly<Record<string, number>>,
): number {
  return Math.max(...Object.keys(truth).map((name) => Math.abs((measured[name] ?? 0) - truth[name]!) * 100));
}

export interface Spent {
  /** Of each function, 0 to 1. */
  readonly shares: Readonly<Record<string, number>>;
  /** How much of a core the program has had, about: it prints a line a second. */
  readonly cores: number;
}

/** What a program has printed about itself (`spent NAME=US …`, from its start on), and undefined before it has. */
export function readSpent(log: string): Spent | undefined {
  const lines = log.split('\n').filter((each) => each.startsWith('spent '));
  const spent = [...(lines.at(-1) ?? '').matchAll(/(\w+)=(\d+)/g)].map(
    ([, name, us]) => [name!, Number(us)] as const,
  );
  const all = spent.reduce((sum, [, us]) => sum + us, 0);
  if (all === 0) return undefined;
  return {
    shares: Object.fromEntries(spent.map(([name, us]) => [name, us / all])),
    cores: all / 1e6 / lines.length,
  };
}

/** `INFO commandstats` of a Redis: microseconds by command. */
export function commandMicroseconds(info: string): Record<string, number> {
  const rows = info.matchAll(/^cmdstat_([^:]+):.*\busec=(\d+)/gm);
  return Object.fromEntries([...rows].map(([, name, us]) => [name!, Number(us)]));
}

export interface Row {
  readonly program: string;
  readonly way: string;
  readonly measured: Measured;
  readonly truth: Readonly<Record<string, number>>;
  /** Of the file of raw stacks, compressed. */
  readonly bytes: number;
  /** Whether these have to be the truth, or are only printed. */
  readonly required: boolean;
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

/** The table of programs × ways. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map(({ program, way, measured, truth, bytes, required }) => [
    program,
    way,
    String(measured.samples),
    percent(measured.known),
    measured.known === 0
      ? '–'
      : Object.keys(truth)
          .map((name) => percent(measured.shares[name] ?? 0))
          .join(' / '),
    measured.known === 0 ? '–' : worstDifference(measured.shares, truth).toFixed(1),
    (bytes / 1000).toFixed(0),
    required ? 'yes' : '',
  ]);
  const heads = ['program', 'way', 'samples', 'with function', 'shares', 'worst points', 'kB', 'required'];
  const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at]!.length)));
  return [heads, ...cells]
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
