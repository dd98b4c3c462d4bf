import { type Oddity, PerfScriptReader } from './perf-script.ts';
import { Stacks } from './stacks.ts';

export interface Profile {
  /** Of the event with the most samples; events are never mixed. */
  readonly stacks: Stacks;
  /** Every event of the input, by its number of samples. */
  readonly events: ReadonlyMap<string, number>;
  readonly header: ReadonlyMap<string, string>;
  readonly lost: number;
  readonly oddities: readonly Oddity[];
}

/** Reads `perf script` text, chunk by chunk, into a tree of calls. Never throws for what the text holds. */
export async function readProfile(chunks: AsyncIterable<Uint8Array>): Promise<Profile> {
  const byEvent = new Map<string, Stacks>();
  const reader = new PerfScriptReader((sample) => {
    let stacks = byEvent.get(sample.event);
    if (!stacks) {
      stacks = new Stacks(sample.event);
      byEvent.set(sample.event, stacks);
    }
    stacks.add(sample);
  });
  for await (const chunk of chunks) reader.push(chunk);
  reader.end();
  const all = [...byEvent.values()].sort((a, b) => b.samples - a.samples);
  return {
    stacks: all[0] ?? new Stacks(reader.header.get('event') ?? 'none'),
    events: new Map(all.map((each) => [each.event, each.samples])),
    header: reader.header,
    lost: reader.lost,
    oddities: reader.oddities,
  };
}
