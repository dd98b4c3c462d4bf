import { EXIT, GkeprofError } from '../../errors.ts';
import { printable } from '../../text/printable.ts';
import { counted } from '../../text/quantity.ts';
import type { Layout } from './layout.ts';
import type { PerfScriptReader } from './perf-script.ts';

const HINT = 'perf script -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso prints what is needed';

/** Throws where a text of perf script has no stacks to draw, or where so little of it was understood that the figures would mislead. */
export function checkUnderstood(reader: PerfScriptReader, layout: Layout): void {
  if (layout.dump)
    throw refused(
      'this is a dump of all records (perf script -D), not a list of samples',
      'run perf script without -D',
    );
  const samples = reader.outside + reader.origins.reduce((sum, origin) => sum + origin.samples, 0);
  for (const { kind, line, count } of reader.warnings) {
    const good = kind === 'event line' ? samples : reader.frameLines;
    // One bad line may be the place where a text was cut. A text without any sample is reported elsewhere.
    if (samples > 0 && count > Math.max(1, (good + count) / 10))
      throw refused(
        `${counted(count, `${kind} is`, `${kind}s are`)} not understood, of ${good + count}; the first: ${printable(line)}`,
        HINT,
      );
  }
  if (samples === 0) return;
  if (!layout.comm)
    throw refused('the samples do not name their threads: perf script was not asked for comm', HINT);
  if (reader.frameLines === 0 && reader.outside === 0)
    throw refused('no sample has a stack', `record with perf record -g; ${HINT}`);
  if (reader.withoutSymbol && !reader.withSymbol)
    throw refused('the frames are addresses without names: perf script was not asked for sym', HINT);
}

const refused = (reason: string, hint: string): GkeprofError => new GkeprofError(EXIT.tool, reason, hint);
