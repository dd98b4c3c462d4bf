/** A frame as Wireshark numbers it in its file. */
export interface FrameOf {
  /** `frame.number`. */
  readonly frame: number;
  /** The file, where there are several. */
  readonly file?: string;
}

/** Frames are counted on from file to file; this finds the number of a frame in its own file. */
export class FrameNumbers {
  readonly #files: { readonly name: string; readonly before: number }[] = [];

  /** A file begins after this many frames of other files. */
  begin(name: string, before: number): void {
    this.#files.push({ name, before });
  }

  of(counted: number): FrameOf {
    const file = this.#files.findLast(({ before }) => before < counted);
    if (!file) return { frame: counted };
    return { frame: counted - file.before, ...(this.#files.length > 1 && { file: file.name }) };
  }
}
