import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/** Polls `probe` until it answers something other than undefined; says what was awaited when time is up. */
export async function until<T>(
  what: string,
  seconds: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(POLL_MS);
  }
}
