import type { About } from './profile.ts';

/**
 * What the header of `perf script --header` tells about the recording: the host, when it was made, how long it took,
 * and the frequency (Linux tools/perf/util/header.c). `target` is what to call it.
 */
export function aboutFromHeader(header: ReadonlyMap<string, string>, target: string): About {
  const node = header.get('hostname');
  const frequency = /sample_freq \} = (\d+).*\bfreq = 1\b/.exec(header.get('event') ?? '')?.[1];
  const milliseconds = /^([\d.]+) ms$/.exec(header.get('sample duration') ?? '')?.[1];
  const captured = Date.parse(`${header.get('captured on') ?? ''} UTC`);
  return {
    target,
    ...(node && { node }),
    ...(frequency && { frequencyHz: Number(frequency) }),
    ...(milliseconds && { seconds: Number(milliseconds) / 1000 }),
    ...(!Number.isNaN(captured) && { startedAt: new Date(captured).toISOString() }),
  };
}
