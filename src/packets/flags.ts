/** As tshark writes `tcp.flags.str`, a middle dot for each bit that is not set; `A` twice: AE (once NS) and ACK. */
const LETTERS = 'RRRACEUAPRSF';

/** The 12 bits of the header: three reserved ones, AE, CWR, ECE, URG, ACK, PSH, RST, SYN, FIN. */
export function flagText(flags: number): string {
  let text = TEXTS[flags];
  if (text !== undefined) return text;
  text = '';
  for (let bit = 11; bit >= 0; bit -= 1) text += flags & (1 << bit) ? LETTERS[11 - bit] : '\u00b7';
  TEXTS[flags] = text;
  return text;
}

const TEXTS: string[] = new Array(4096);

/** With the three bits in the middle as a number, as tshark writes it: see accurate-ecn.ts. */
const counterText = (flags: number): string => {
  const text = flagText(flags);
  return `${text.slice(0, 3)}-${(flags >>> 6) & 7}-${text.slice(6)}`;
};

/** Behind the counts of flags, those of segments with a counter. */
const COUNTER = 4096;

/** How often each combination of flags was seen. */
export class FlagCounts {
  readonly #counts = new Float64Array(2 * COUNTER);
  /** Frames that hold no TCP flags. */
  without = 0;

  add(flags: number, hasCounter: boolean): void {
    this.#counts[hasCounter ? COUNTER + flags : flags]! += 1;
  }

  /** By the text of tshark; the empty one for frames without TCP. */
  byText(): Map<string, number> {
    const counts = new Map<string, number>();
    if (this.without) counts.set('', this.without);
    this.#counts.forEach((count, flags) => {
      if (count) counts.set(flags < COUNTER ? flagText(flags) : counterText(flags - COUNTER), count);
    });
    return counts;
  }
}
