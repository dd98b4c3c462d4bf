/** What a long list is kept in: memory first, a file when it grows. */
export interface Spill {
  /** Takes a copy. */
  append(bytes: Uint8Array): void;
  /** All of it from its beginning, in pieces of whole records where each append was. */
  pieces(): Iterable<Uint8Array>;
}

/** So many records are handed to the spill together. */
const BUFFERED = 1024;

/** Records of the same length in bytes, in the order in which they were added; on disk beyond what the spill keeps in memory. */
export class RecordList {
  /** Where the record that was added last is to be written. */
  readonly view: DataView;
  readonly #spill: Spill;
  readonly #length: number;
  readonly #buffer: Uint8Array;
  #buffered = 0;
  #count = 0;

  constructor(spill: Spill, length: number) {
    this.#spill = spill;
    this.#length = length;
    this.#buffer = new Uint8Array(length * BUFFERED);
    this.view = new DataView(this.#buffer.buffer);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a record, and returns where it begins in `view`. All its bytes have to be written: they may be of an older record. */
  add(): number {
    if (this.#buffered === BUFFERED) {
      this.#spill.append(this.#buffer);
      this.#buffered = 0;
    }
    const at = this.#length * this.#buffered;
    this.#buffered += 1;
    this.#count += 1;
    return at;
  }

  /** All records, each made from its bytes when it is asked for. */
  *read<Each>(make: (view: DataView, at: number) => Each): Generator<Each> {
    for (const piece of this.#spill.pieces()) yield* this.#of(piece, make);
    yield* this.#of(this.#buffer.subarray(0, this.#length * this.#buffered), make);
  }

  *#of<Each>(bytes: Uint8Array, make: (view: DataView, at: number) => Each): Generator<Each> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += this.#length) yield make(view, at);
  }
}
