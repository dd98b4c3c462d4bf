import type { Client, CommandRecorder, PendingCommand } from './recorder.ts';
import { type Reply, STATUS } from './reply.ts';

/** MULTI … EXEC of one connection: what is queued between them runs, and counts, with EXEC. */
export class Transaction {
  #queued: PendingCommand[] | undefined;

  get isOpen(): boolean {
    return this.#queued !== undefined;
  }

  reset(): void {
    this.#queued = undefined;
  }

  /** Takes a command with its reply. True where the command was queued: it is counted when EXEC runs it. */
  queues(
    command: PendingCommand,
    reply: Reply,
    failed: boolean,
    client: Client,
    recorder: CommandRecorder,
  ): boolean {
    const { name } = command.kind;
    if (name === 'MULTI' && !failed) this.#queued = [];
    else if (this.#queued) {
      const { transactions } = recorder.statistics;
      if (name === 'EXEC') {
        const queued = this.#queued;
        this.#queued = undefined;
        if (failed || reply.empty) transactions.aborted += 1;
        else {
          transactions.executed += 1;
          transactions.commands += queued.length;
          for (const [place, each] of queued.entries())
            recorder.count(client, each, 0, undefined, reply.began, reply.errors?.get(place));
        }
      } else if (name === 'DISCARD' || (name === 'RESET' && !failed)) {
        this.#queued = undefined;
        transactions.discarded += 1;
      } else if (reply.type === STATUS && reply.text === 'QUEUED') {
        this.#queued.push(command);
        return true;
      }
    }
    return false;
  }
}
