/** What a killed session may look like afterwards. Pure: test/e2e/kills.test.ts runs and kills the sessions. */

export const ENDINGS = ['none', 'SIGINT', 'SIGINT twice', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const;
export type Ending = (typeof ENDINGS)[number];

/** What 128 and the number of a signal is called by shells, and by the table of exit codes. */
const STATUS: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 };

/** One session of the suite, decided before it starts. */
export interface KillPlan {
  readonly number: number;
  /** Its index in the list of command lines. */
  readonly command: number;
  readonly ending: Ending;
  /** When the signal is sent, as a share of the time that an uninterrupted session takes; a bit more than 1 at most. */
  readonly moment: number;
  /** Between the two signals of `SIGINT twice`, in milliseconds. */
  readonly pauseMs: number;
}

/** The same seed gives the same sessions, endings and moments. */
export function killPlans(seed: number, count: number, commands: number): KillPlan[] {
  let state = seed >>> 0;
  /** Mulberry32: evenly distributed in [0, 1). */
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
  return Array.from({ length: count }, (_, number) => ({
    number,
    command: Math.floor(random() * commands),
    ending: ENDINGS[Math.floor(random() * ENDINGS.length)]!,
    moment: random() * 1.05,
    pauseMs: Math.round(random() * 1500),
  }));
}

/** A file of a session under a final name, after it was looked at. */
export interface FoundFile {
  readonly name: string;
  /**
   * `same`: an artifact that has the size and SHA-256 of its receipt. `whole`: a file that has no such line in a receipt, and
   * is complete by its own format. `unreceipted`: a complete artifact without a receipt.
   */
  readonly state: 'same' | 'whole' | 'unreceipted' | 'broken';
}

/** A session that has ended. */
export interface EndedSession {
  readonly ending: Ending;
  /** Whether the process was still there when the signal was sent. */
  readonly wasHit: boolean;
  /** The exit code; undefined if a signal ended the process. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stderr: string;
  readonly files: readonly FoundFile[];
  /** Temporary folders that are left in the output folder. */
  readonly remains: readonly string[];
}

/** How a session ended, as a shell has it. */
export const statusOf = ({ code, signal }: Pick<EndedSession, 'code' | 'signal'>): number | undefined =>
  code ?? STATUS[signal ?? ''];

const ARTIFACT = /\.(?:pcap|perf-script\.txt)\.gz$/;

/** What is wrong with a session by the rules of the documentation, one phrase each. */
export function killProblems(session: EndedSession): string[] {
  const { ending, wasHit, stderr, files, remains } = session;
  const status = statusOf(session);
  const sent = wasHit && ending !== 'none' ? ending.split(' ')[0]! : undefined;
  const isKilled = sent === 'SIGKILL';
  const problems = files.filter(({ state }) => state === 'broken').map(({ name }) => `${name} is not whole`);
  const has = (pattern: RegExp) => files.some(({ name }) => pattern.test(name));
  for (const { name, state } of files) {
    const isNamed = status === 5 && stderr.includes(`${name} was recorded and verified`);
    if (state === 'unreceipted' && !isKilled && !isNamed) problems.push(`${name} has no receipt`);
  }
  if (remains.length && !isKilled) problems.push(`left ${remains.join(', ')}`);
  if (/this is a bug|^\s+at .*:\d+:\d+\)?$/m.test(stderr)) problems.push('it calls itself a bug');
  if (/debug pod was not removed/.test(stderr)) problems.push('its debug pod was not removed');
  if (isKilled) return status === 137 ? problems : [...problems, `status ${status} after SIGKILL`];
  const errors = stderr.match(/^error: /gm)?.length ?? 0;
  if (status === 0) {
    if (!has(ARTIFACT) || !has(/\.receipt\.json$/)) problems.push('status 0 without a file and its receipt');
    if (has(/\.perf-script\.txt\.gz$/) && !has(/\.svg$/)) problems.push('status 0 without the picture');
    if (errors) problems.push('status 0 with an error');
  } else if (status === 4) {
    if (!/no packet|0 packets|0 samples|no samples/.test(stderr)) problems.push('status 4 without a reason');
  } else if (status === 5 && sent) {
    if (!/ was recorded and verified, but processing it was interrupted/.test(stderr))
      problems.push('status 5 without the file that was kept');
    if (!has(ARTIFACT)) problems.push('status 5 without a file');
  } else if (sent && status === STATUS[sent]) {
    if (files.length)
      problems.push(`${files.map(({ name }) => name).join(', ')} left behind status ${status}`);
    // A signal that comes before the command has begun ends it as it would any program, without a word.
    const isSilent = !/creating the debug pod|capturing for/.test(stderr);
    if (!/^error: interrupted: nothing was kept$/m.test(stderr) && !isSilent)
      problems.push(`status ${status} without its reason`);
  } else problems.push(`status ${status}${sent ? ` after ${ending}` : ' without a signal'}`);
  return problems;
}
