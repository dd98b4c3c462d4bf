/** The pattern of a thread's name: its numbers are `N`, so the threads of a pool have the same. */
export const namePattern = (comm: string): string => comm.replaceAll(/\d+/g, 'N');

/** Threads that belong together: their names, and those of their processes, differ in numbers only. */
export interface GroupKey {
  /** 64 hex digits; undefined where it is not known. */
  readonly container: string | undefined;
  /** The pattern of the name of the process. */
  readonly process: string;
  readonly pattern: string;
}

export const groupText = ({ container, process, pattern }: GroupKey): string =>
  [container ?? '', process, pattern].join('\0');
