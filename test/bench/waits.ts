// What the sampler of waits costs: `npm run bench:waits`, or `node test/bench/waits.ts SECONDS`. Linux, root, gcc and perl. Nothing is asserted.
import { setTimeout as delay } from 'node:timers/promises';
import { type Line, Scene } from '../collectors/waits/recorder.ts';

const seconds = Number(process.argv[2] ?? 20);

/** Rounds per second until a time: a rate is written when it has changed, and is that of the second before. */
function meanRate(lines: readonly Line[], end: number): number {
  const changes = lines.flatMap((line) => (line[0] === 'rate' ? [line.slice(1).map(Number)] : []));
  let [sum, at, rate] = [0, 0, 50];
  for (const [time, hertz] of changes as Array<[number, number]>) {
    const from = Math.max(at, time - 1e6);
    sum += rate * (from - at);
    [at, rate] = [from, hertz];
  }
  return (sum + rate * (end - at)) / end;
}

/** Records the threads of a program, and prints what it cost and how often each thread was looked at. */
async function measure(name: string, roles: readonly string[]): Promise<void> {
  const scene = new Scene();
  try {
    const tids = await scene.waiting(...roles);
    await delay(1000);
    scene.listAll(tids.get('main')!);
    const recording = scene.record();
    await delay(seconds * 1000);
    const lines = await recording.stop();
    const own = lines.filter(([kind]) => kind === 'own').map((line) => line.slice(1).map(Number));
    // Without the start, in which every thread is looked at and perl reads its program.
    const [[from, before], [to, after]] = [own[0]!, own.at(-2)!] as [[number, number], [number, number]];
    const rates = lines.flatMap((line) => (line[0] === 'rate' ? [Number(line[2])] : []));
    const mean = meanRate(lines, to);
    const count = (kind: string) => lines.filter((line) => line[0] === kind).length;
    const bytes = lines.reduce((sum, line) => sum + line.join(' ').length + 1, 0);
    process.stdout.write(
      `${name.padEnd(44)} ${((100 * (after - before)) / (to - from)).toFixed(2)} % of a core, ${count('thread')} threads, ${count('look')} looks, ${mean.toFixed(1)} rounds/s${rates.length ? ` (${Math.min(...rates)}–${Math.max(...rates)})` : ''}, ${Math.round(bytes / seconds)} bytes/s\n`,
    );
  } finally {
    scene.end();
  }
}

const CYCLE = 'cycle';
await measure('one thread that sleeps', ['sleep']);
await measure('200 threads that sleep', ['many=200']);
await measure('200 threads that sleep, one that spins', ['many=200', 'spin']);
await measure('200 threads, of which 20 wake 10 times a second', [
  'many=180',
  ...Array.from({ length: 20 }, () => CYCLE),
]);
await measure(
  '50 threads that wake 10 times per second',
  Array.from({ length: 50 }, () => CYCLE),
);
await measure(
  '200 threads that wake 10 times per second',
  Array.from({ length: 200 }, () => CYCLE),
);
await measure('2,000 threads that sleep', ['many=2000']);
await measure('2,000 threads that sleep, one that spins', ['many=2000', 'spin']);
