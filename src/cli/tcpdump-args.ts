import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/** The parsed arguments of tcpdump. */
export interface TcpdumpWords {
  readonly options: readonly string[];
  readonly filter: readonly string[];
  readonly interface?: string;
  readonly linkType?: string;
}

/** Options that take a value; the rest of the allow-list are switches. */
const WITH_VALUE: Readonly<Record<string, RegExp>> = {
  s: /^\d{1,9}$/,
  B: /^\d{1,6}$/,
  Q: /^(in|out|inout)$/,
  y: /^[A-Za-z0-9_]+$/,
};
const SWITCHES = new Set(['K', 'p', 'n', 'v']);

const ALLOWED = 'allowed: -s -B -Q -K -p -y -n -v -i, then filter words';

/** Options that run programs, name files, or are chosen by this tool; each with the reason or what to use instead. */
const REFUSED: Readonly<Record<string, string>> = {
  z: 'it runs a program on the node as root',
  Z: 'the user on the node is chosen by kubectl gkeprof',
  w: 'the file is named by kubectl gkeprof; use --output-dir to choose its folder',
  r: 'no file is read on the node',
  F: 'write the filter as arguments, not in a file on the node',
  V: 'no file is read on the node',
  C: 'there is one file only; --max-size ends the capture',
  G: 'there is one file only; --duration ends the capture',
  W: 'there is one file only; --max-size and --duration end the capture',
};

/**
 * Parses the arguments after `--`: options of the allow-list (`-s -B -Q -K -p -y -n -v -i`), then the filter. Options end
 * where the filter begins; a filter word that looks like an option is refused, because tcpdump's getopt would
 * accept it as one anywhere.
 */
export function parseTcpdumpWords(words: readonly string[]): TcpdumpWords {
  const options: string[] = [];
  let netInterface: string | undefined;
  let linkType: string | undefined;
  let at = 0;
  while (at < words.length && /^-./.test(words[at]!)) {
    const word = words[at]!;
    at += 1;
    if (word.startsWith('--')) {
      throw usageError(
        `tcpdump option ${printable(word)} is not allowed`,
        'only short options are allowed: -s -B -Q -K -p -y -n -v -i',
      );
    }
    const letters = word.slice(1);
    for (let i = 0; i < letters.length; i += 1) {
      const letter = letters[i]!;
      const takesValue = letter === 'i' || letter === 'c' || letter in WITH_VALUE;
      const attached = letters.slice(i + 1);
      const value = () => {
        const given = attached || words[at++];
        if (given === undefined) throw usageError(`tcpdump option -${letter} needs a value`);
        return given;
      };
      if (letter in REFUSED)
        throw usageError(`tcpdump option -${letter} is refused: ${REFUSED[letter]}`, ALLOWED);
      if (letter === 'c')
        throw usageError(`tcpdump option -c is not allowed`, `did you mean --count ${printable(value())}?`);
      if (letter === 'i') {
        netInterface = value();
        if (!/^[A-Za-z0-9_.:@-]{1,32}$/.test(netInterface) || netInterface.startsWith('-')) {
          throw usageError(
            `"${printable(netInterface)}" is not the name of an interface`,
            'for example -i any, -i default or -i eth0',
          );
        }
      } else if (letter in WITH_VALUE) {
        const given = value();
        if (!WITH_VALUE[letter]!.test(given))
          throw usageError(`tcpdump option -${letter}: "${printable(given)}" is not a valid value`);
        if (letter === 'y') linkType = given;
        options.push(`-${letter}`, given);
      } else if (SWITCHES.has(letter)) {
        options.push(`-${letter}`);
      } else {
        throw usageError(`tcpdump option -${printable(letter)} is not allowed`, ALLOWED);
      }
      if (takesValue) break;
    }
  }
  const filter = words.slice(at);
  const stray = filter.find((word) => /^-/.test(word));
  if (stray !== undefined) {
    throw usageError(
      `"${printable(stray)}" looks like an option, but follows the filter`,
      'put options in front of the filter',
    );
  }
  return {
    options,
    filter,
    ...(netInterface !== undefined && { interface: netInterface }),
    ...(linkType !== undefined && { linkType }),
  };
}
