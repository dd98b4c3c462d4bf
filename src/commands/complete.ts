import { connectionOf } from '../cli/cluster-options.ts';
import type { Command } from '../cli/command.ts';
import { DIRECTIVE } from '../cli/completion/answer.ts';
import type { LineSoFar } from '../cli/completion/request.ts';
import type { Connection } from '../cluster/connection.ts';
import { EXIT } from '../errors.ts';

/** A person has pressed Tab: what comes later than this is too late. */
const BOUND_MS = 900;

/**
 * `__complete WORDS…`, the protocol of cobra that kubectl speaks with its plugins: the last word is unfinished; each
 * choice is a line, a tab and what it is, then `:` and a directive for the shell. Nothing goes to stderr, and it never
 * fails: where there is no answer there are no choices.
 */
export const complete: Command<readonly string[]> = {
  name: '__complete',
  describe: 'Completion, for shells',
  usage: 'WORDS…',
  examples: [],
  options: {},
  hidden: true,
  validate: (raw) => raw.positionals,
  async run(words, { stdout, names, commands }) {
    const [{ wantedFor }, { answerTo, answerText }] = await Promise.all([
      import('../cli/completion/request.ts'),
      import('../cli/completion/answer.ts'),
    ]);
    const wanted = wantedFor(words, commands);
    const connection = wanted.kind === 'names' ? connectionSoFar(wanted.line) : {};
    // What asks kubectl is loaded when it is to ask: most Tabs are about flags.
    const asked = () => names(connection, BOUND_MS);
    const answer = await answerTo(wanted, {
      list: async (resource) => (await asked()).list(resource),
      containers: async (resource, name) => (await asked()).containers(resource, name),
      configured: async (what) => (await asked()).configured(what),
    }).catch(() => ({
      choices: [],
      directive: DIRECTIVE.noFiles,
    }));
    stdout.write(answerText(answer));
    return EXIT.done;
  },
};

/** kubectl's flags as far as they were typed: the names are those of that cluster and namespace. */
function connectionSoFar({ flags }: LineSoFar): Connection {
  try {
    return connectionOf({
      positionals: [],
      rest: [],
      text: (name) => flags.get(name),
      list: (name) => (flags.has(name) ? [flags.get(name)!] : []),
      flag: (name) => flags.has(name) && flags.get(name) !== 'false',
      knows: () => true,
      isTyped: (name) => flags.has(name),
      origin: () => undefined,
    });
  } catch {
    return {}; // The line will be refused; until then the names of the current context are as good as any.
  }
}
