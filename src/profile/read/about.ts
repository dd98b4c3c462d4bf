import type { About } from '../profile.ts';
import type { StacksBy } from '../unwinding.ts';

/**
 * What the header of `perf script --header` tells about the recording: the host, when it was made, how long it took,
 * and the frequency (Linux tools/perf/util/header.c). `target` is what to call it. The header's `sample duration` is the
 * time from the first sample to the last (print_sample_time there): how long was recorded only the command line says.
 */
export function aboutFromHeader(header: ReadonlyMap<string, string>, target: string): About {
  const node = header.get('hostname');
  const frequency = /sample_freq \} = (\d+).*\bfreq = 1\b/.exec(header.get('event') ?? '')?.[1];
  const milliseconds = /^([\d.]+) ms$/.exec(header.get('sample duration') ?? '')?.[1];
  const between = milliseconds === undefined ? undefined : Number(milliseconds) / 1000;
  const stacks = stacksOf(header.get('cmdline') ?? '');
  const slept = sleepSeconds(header.get('cmdline') ?? '');
  const recorded = slept !== undefined && slept >= (between ?? 0) ? slept : undefined;
  const captured = Date.parse(`${header.get('captured on') ?? ''} UTC`);
  return {
    target,
    ...(node && { node }),
    ...(frequency && { frequencyHz: Number(frequency) }),
    ...(stacks && { stacks }),
    ...(recorded !== undefined
      ? { seconds: recorded }
      : between !== undefined && { seconds: between, betweenSamples: true }),
    ...(!Number.isNaN(captured) && { startedAt: new Date(captured).toISOString() }),
  };
}

/** What `-g`, `--call-graph fp` or `--call-graph dwarf,16384` in the command line says; 8 KiB is perf's own size. */
function stacksOf(commandLine: string): StacksBy | undefined {
  const [, way, size] = /\s--call-graph[ =](fp|dwarf)(?:,(\d+))?(?=\s|$)/.exec(commandLine) ?? [];
  if (way === 'dwarf') return { way, bytes: Number(size ?? 8192) };
  return way === 'fp' || /\s-g(?=\s|$)/.test(commandLine) ? { way: 'fp' } : undefined;
}

/** `perf record … -- sleep 10` records for as long as that sleeps. */
function sleepSeconds(commandLine: string): number | undefined {
  const time = /(?:^|[\s/])sleep (\d+(?:\.\d+)?)([smh]?)$/.exec(commandLine.trim());
  return time
    ? Number(time[1]) * { '': 1, s: 1, m: 60, h: 3600 }[time[2] as '' | 's' | 'm' | 'h']
    : undefined;
}
