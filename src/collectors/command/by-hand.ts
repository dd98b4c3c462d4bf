import type { Target } from '../../plan/target.ts';
import { shellQuote } from '../../text/shell-quote.ts';
import {
  crictlLine,
  crictlText,
  debuggerLines,
  execLine,
  type ManualContext,
  pidLines,
} from '../by-hand/debugger.ts';

/** crictl with its words; the word at `podWord` is the id of the target's sandbox. */
export function crictlByHand(
  target: Target,
  words: readonly string[],
  podWord: number | undefined,
  tty: boolean,
  around: ManualContext,
): string[] {
  const hasPod = podWord !== undefined && target.kind === 'pod';
  const typed = words.map((word, at) => (hasPod && at === podWord ? '"$pod"' : shellQuote(word))).join(' ');
  return [
    ...debuggerLines(around, []),
    ...(hasPod
      ? [
          `pod=$(${crictlLine(around, ['pods', '--name', `^${target.name}$`, '--namespace', target.namespace, '--state', 'ready', '-q'])})`,
        ]
      : []),
    crictlText(around, typed, tty ? '-it' : ''),
  ];
}

/** A shell or a command in the debugger pod, in the namespaces of a container that `enter` names. */
export function shellByHand(
  target: Target,
  enter: readonly string[],
  words: readonly string[],
  around: ManualContext,
): string[] {
  const container =
    target.kind === 'pod'
      ? (target.container ?? target.containers.find(({ running }) => running))
      : undefined;
  const flags = enter
    .map((kind) => ({ net: '-n', pid: '-p', mnt: '-m', ipc: '-i', uts: '-u' })[kind])
    .join(' ');
  const command = words.length ? words.map(shellQuote).join(' ') : 'bash';
  return [
    ...debuggerLines(around, ['util-linux']),
    ...(enter.length ? pidLines(around, container?.id ?? '') : []),
    execLine(
      around,
      `${enter.length ? `nsenter -t "$pid" ${flags} ` : ''}${command}`,
      words.length ? '' : '-it',
    ),
  ];
}
