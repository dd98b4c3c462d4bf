import { copyOf, joinBytes } from '../arrays.ts';
import { FoldedReader } from './folded-reader.ts';

const NEWLINE = 10;

/**
 * Reads folded stacks with two counts, `stack BEFORE AFTER` a line, as difffolded.pl of FlameGraph writes them and
 * `diff --format folded` does: into two readers of folded stacks.
 */
export class TwoColumnsReader {
  readonly before = new FoldedReader();
  readonly after = new FoldedReader();
  /** Lines without two counts: how many, and the first. */
  unparsed = 0;
  firstUnparsed = '';
  #carry = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    const bytes = joinBytes(this.#carry, chunk);
    let from = 0;
    for (let feed = bytes.indexOf(NEWLINE); feed >= 0; feed = bytes.indexOf(NEWLINE, from)) {
      this.#line(bytes.subarray(from, feed));
      from = feed + 1;
    }
    this.#carry = copyOf(bytes, from, bytes.length);
  }

  end(): void {
    if (this.#carry.length) this.push(Uint8Array.of(NEWLINE));
    this.before.end();
    this.after.end();
  }

  #line(line: Uint8Array): void {
    const end = wordEnd(line, line.length);
    const second = wordStart(line, end);
    const firstEnd = wordEnd(line, second);
    const first = wordStart(line, firstEnd);
    const stackEnd = wordEnd(line, first);
    if (end === 0 || line[0] === HASH) return;
    if (stackEnd === 0 || !isNumber(line, first, firstEnd) || !isNumber(line, second, end)) {
      this.unparsed += 1;
      if (this.unparsed === 1)
        this.firstUnparsed = new TextDecoder().decode(line.subarray(0, end)).slice(0, 200);
      return;
    }
    const stack = line.subarray(0, stackEnd);
    this.before.push(counted(stack, line.subarray(first, firstEnd)));
    this.after.push(counted(stack, line.subarray(second, end)));
  }
}

const HASH = 35;
const BLANK = 32;
const isBlank = (byte: number): boolean => byte === BLANK || byte === 9 || byte === 13;

/** The end of the last word before `at`, without the blanks after it. */
function wordEnd(line: Uint8Array, at: number): number {
  let end = at;
  while (end > 0 && isBlank(line[end - 1]!)) end -= 1;
  return end;
}

function wordStart(line: Uint8Array, end: number): number {
  let at = end;
  while (at > 0 && !isBlank(line[at - 1]!)) at -= 1;
  return at;
}

const isNumber = (line: Uint8Array, from: number, to: number): boolean =>
  to > from && /^\d+(?:\.\d+)?$/.test(String.fromCharCode(...line.subarray(from, Math.min(to, from + 30))));

function counted(stack: Uint8Array, count: Uint8Array): Uint8Array {
  const line = new Uint8Array(stack.length + count.length + 2);
  line.set(stack);
  line[stack.length] = BLANK;
  line.set(count, stack.length + 1);
  line[line.length - 1] = NEWLINE;
  return line;
}
