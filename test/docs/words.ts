/** Sentences and phrases of earlier versions that readers did not understand, and what to write instead. */
export const FORMER_WORDS: ReadonlyArray<readonly [phrase: string | RegExp, instead: string]> = [
  ['See it work, without a cluster of yours', 'Try it without a cluster'],
  ['An administrator applies once', 'One-time setup by an administrator'],
  ['binds the role to those who may', 'binds the role to the users who may profile'],
  ['So can every flag', 'Any flag that is not specific to one run can also be set …'],
  ['carries its stacks, zooms, searches', 'The SVG embeds its stacks: zoom, search …'],
  ['and is it chance', 'and whether the change is significant'],
  ['Samples a second and processor', 'Samples per second per CPU'],
  ['that this takes the place of', 'the equivalent commands'],
  ['Of a node: only the container', 'With node/NODE: profile only the container …'],
  ["by the node's pid", 'by its host PID'],
  [/\bKeep them(?=['"\n]| Leave)/, 'Include idle CPUs'],
  [/\bOnly this one\b/, 'Read only this conversation'],
  ['Into tunnels', 'Decode the inner packets of tunnels'],
  ['A copy to show', 'Redaction'],
  ['What makes it safe', 'Security'],
  ['with --port both must hold', 'combined with --port by "and"'],
  ['Ends after so many packets', 'Stop after this many packets'],
  ['Then print what analyze prints', 'Also analyze the capture, as `analyze` does'],
  ["a pod's ids are put where", "completes the command with the pod's ids"],
  ['and whose they are', 'with their pods and containers'],
  ['mean what they mean there', 'have the same meaning as in kubectl'],
  ['made where it is not there', 'created if it does not exist'],
  ['Keep it to yourself', 'keep the file secret'],
  [
    'lacks it, or cannot be reached',
    'the API server refused, the object was not found, or the cluster is unreachable',
  ],
  ['or there was nothing to see', 'or recorded nothing'],
  ['or what came after failed', 'or a later step failed'],
  ['failed by themselves', 'gkeprof itself failed'],
  [/["”]\s+is none\b/, 'unknown format "xyz"'],
  ['what of it?', 'config: missing subcommand'],
  ['who is what?', 'whois: nothing to look up'],
  ['of which conversation?', '--write needs --conversation'],
  ['behind the verb', 'after the command'],
  ['takes nothing behind --', 'takes no arguments after --'],
  [/\bgo behind --/, 'put tcpdump options after --'],
  ['is a flag of ours', 'use the flag --count of gkeprof'],
  ['cannot be had', 'node "n" cannot pull the image "x"'],
  ['whichever comes first', 'stops after 5s or 1.0 GiB, or press Ctrl-C'],
  ['its time was up', 'stopped after 5.1s (--duration)'],
  [/\bended because \$\{/, 'stopped after 5.1s (--duration)'],
  ['without this client the pod', 'if this client dies, the pod stops by itself within …'],
  [/within chance \(/, 'not significant (p = 1.000)'],
  ['look into it: wireshark', 'open it with: wireshark -r FILE'],
  ['it holds payload: delete', 'it contains payload; delete it after the analysis'],
  [/\bwhat was named\b/, 'the target'],
  [/\bis said\b/, 'the tool prints, reports or warns'],
  ['which is no file of a capture', 'which is not a file of a capture'],
  ['an answer that announces nothing', 'an answer without a header'],
  ['the way to the debug pod was lost', 'the connection to the debug pod was lost'],
  ['what comes then depends on its answer', 'the next steps depend on its answer'],
  ['if it stays so', 'if the error persists'],
  ['says more that is no event', 'the output of the node contains lines that are not events'],
  ['the artifacts that are as they were', 'the artifacts that are unchanged'],
  ['you may not look into this', 'you may not capture this target'],
  ['pushes nobody off a node', 'must not preempt other pods'],
  ['that no debug pod has', 'that debug pods do not have'],
  ['known to kubectl alone', 'is not supported'],
  ['kubectl says so', 'this is the error of kubectl'],
  ['no way to log in that is known here', 'the proxy offers no supported authentication method'],
  ['failed without a word', 'failed without an error message'],
];

/**
 * The former words that stand in a text, with the lines on which they begin. A phrase may be broken over lines, also in a
 * comment or a table: what begins each line counts as a space.
 */
export function formerWordsIn(text: string): ReadonlyArray<readonly [line: number, phrase: string]> {
  // Of the same length as the text, so that a position tells the line.
  const flowing = text.replace(
    /\n[ \t]*(?:\*|\/\/+|#+|>|\|)?[ \t]*/g,
    (gap) => `\n${' '.repeat(gap.length - 1)}`,
  );
  return FORMER_WORDS.flatMap(([phrase]) =>
    [...flowing.matchAll(patternOf(phrase))].map(
      ({ index, 0: found }) => [text.slice(0, index).split('\n').length, found.replace(/\s+/g, ' ')] as const,
    ),
  );
}

const patternOf = (phrase: string | RegExp): RegExp => {
  const source =
    typeof phrase === 'string'
      ? phrase.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s+')
      : phrase.source;
  return new RegExp(source, 'g');
};
