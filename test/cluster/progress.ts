/** Tells people what is being done: one line a step, on stderr, with the time since the start. */
export type Report = (text: string) => void;

export function createReport(): Report {
  const start = performance.now();
  return (text) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
    process.stderr.write(`${seconds} s  ${text}\n`);
  };
}

const HEARTBEAT_MS = 10_000;

/** Awaits long work and says every ten seconds how far it is. */
export async function withHeartbeat<T>(
  report: Report,
  describe: () => Promise<string> | string,
  work: Promise<T>,
): Promise<T> {
  const timer = setInterval(async () => report(await describe()), HEARTBEAT_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
