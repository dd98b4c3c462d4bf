import type { NodeWork } from '../collectors/collector.ts';
import { COLLECTORS } from '../collectors/index.ts';
import { captureCommand, filesCommand, literal, scriptParts } from '../collectors/script.ts';
import { any, celLiteral, celText } from './cel.ts';

/**
 * A text of the release as variables of which each has a part of it: the API server refuses an expression of more than 100,000
 * code points (google/cel-go, parser: expression size limit). The parts are raw strings that end with a line, so that they
 * stay readable.
 */
function textVariables(
  name: string,
  text: string,
): Array<{ readonly name: string; readonly expression: string }> {
  const parts: string[] = [''];
  for (const line of text.split(/(?<=\n)/)) {
    if (parts.at(-1)!.length + line.length > PART_LENGTH) parts.push('');
    parts[parts.length - 1] += line;
  }
  return parts.map((part, at) => ({ name: `${name}${at + 1}`, expression: celText(part) }));
}

const PART_LENGTH = 60_000;

/** The script of `capture` by its parts: what the collectors' scripts share is there once. */
function scriptsByCollector() {
  const [shared, , life] = scriptParts([]).map(literal);
  const before = textVariables('scriptBegin', shared!);
  const after = textVariables('scriptEnd', life!);
  const own = COLLECTORS.map((work) => {
    const variables = textVariables(`script_${work.name}_`, literal(scriptParts([work])[1]));
    return { variables, words: commandOf(work, [...before, ...variables, ...after]) };
  });
  return {
    variables: [...before, ...own.flatMap(({ variables }) => variables), ...after],
    commands: own.map(({ words }) => words),
  };
}

/** The command of a collector's `capture` as CEL. The programs behind the script are raw strings, likewise to be readable. */
function commandOf(work: NodeWork, script: ReadonlyArray<{ readonly name: string }>): string {
  const sum = script.map(({ name }) => `variables.${name}`).join(' + ');
  const words = captureCommand(work).map((word, at) =>
    at === 2 ? sum : word.includes('\n') ? celText(word) : celLiteral(word),
  );
  return `[${words.join(', ')}]`;
}

/**
 * Compares the command of `capture` with those of all collectors. A pod with the script of one collector and the arguments of
 * another does nothing: a script refuses every collector that it does not have.
 */
export const captureCommandIs = (): string =>
  any(scriptsByCollector().commands.map((words) => `variables.capture.?command.orValue([]) == ${words}`));

/** The CEL variables that `captureCommandIs` uses. */
export const scriptVariables = () => scriptsByCollector().variables;

/** Compares the command of `files`; the script is a raw string, so that it stays readable. */
export function filesCommandIs(): string {
  const words = filesCommand().map((word, at) => (at === 2 ? celText(word) : celLiteral(word)));
  return `variables.files.?command.orValue([]) == [${words.join(', ')}]`;
}
