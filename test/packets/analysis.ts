import { longJson } from '../../src/output/long-result.ts';
import { Analysis, type Scope } from '../../src/packets/analysis.ts';
import { PacketReader, type ReadEnd } from '../../src/packets/file/reader.ts';
import { report } from '../../src/packets/print/json.ts';
import { printTables } from '../../src/packets/print/tables.ts';
import type { Spill } from '../../src/packets/record-list.ts';
import { SECTIONS } from '../../src/packets/sections.ts';

const EVERYTHING: Scope = {
  deep: true,
  inner: false,
  once: true,
  health: true,
  roundTrips: true,
  timeline: true,
  redis: { rules: [], showKeys: false },
};

export interface Analyzed {
  readonly analysis: Analysis;
  readonly end: ReadEnd;
  // biome-ignore lint/suspicious/noExplicitAny: a report as its reader gets it.
  readonly report: any;
  readonly tables: string;
}

function spill(): Spill {
  const kept: Uint8Array[] = [];
  return { append: (bytes) => kept.push(new Uint8Array(bytes)), pieces: () => kept };
}

/** Analyses a file cut where it is asked for, each piece in memory that is written over behind it. */
export function analyzed(
  capture: Uint8Array,
  scope: Partial<Scope> = {},
  cuts: readonly number[] = [],
  withTables = true,
): Analyzed {
  const analysis = new Analysis({ ...EVERYTHING, ...scope }, spill(), spill());
  const reader = new PacketReader(analysis);
  let from = 0;
  for (const cut of [...[...cuts].sort((one, other) => one - other), capture.length]) {
    const to = Math.min(capture.length, Math.max(from, cut));
    const piece = Buffer.from(capture.subarray(from, to));
    reader.push(piece);
    piece.fill(0x58);
    from = to;
  }
  const end = reader.end();
  analysis.end();
  const sections = new Set(SECTIONS);
  const text = [...longJson(report(analysis, [], sections, new Map()))].join('');
  return {
    analysis,
    end,
    report: JSON.parse(text),
    tables: withTables
      ? [
          ...printTables(analysis, { sections, names: new Map(), rows: 20, sort: 'packets', wide: true }),
        ].join('')
      : '',
  };
}
