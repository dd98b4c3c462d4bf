import { kubectlError } from '../cluster/kubectl-words.ts';
import { reasonOf } from '../errors.ts';
import type { EventOf } from '../node/events.ts';
import { ctlOf } from '../node/folders.ts';
import { request } from '../node/requests.ts';
import type { Log } from '../output/log.ts';
import type { Plan } from '../plan/plan.ts';
import { chosenText, stacksText, type Unwinding } from '../profile/unwinding.ts';
import { containerOf } from './debug-pod.ts';
import { patiently } from './patience.ts';
import type { SessionContext, StacksDecision } from './session-context.ts';

/** The ways to find stacks, the best one first: by eBPF the functions of interpreters have names, too. */
const BEST_FIRST: readonly Unwinding[] = ['ebpf', 'dwarf', 'fp'];

/** How long those that are ready wait for the others; the node waits longer (perf_agree_ms in collectors/perf/stacks.sh). */
const WAIT_MS = 4000;
/** How long a debug pod is asked to take the answer. */
const TELL_MS = 5000;

type Looked = Pick<EventOf<'looked'>, 'wants' | 'why' | 'can'>;

/** The best way that one of them needs. */
const bestOf = (looked: readonly Looked[]): Looked =>
  BEST_FIRST.flatMap((way) => looked.find(({ wants }) => wants === way) ?? [])[0]!;

const canUse = ({ can }: Looked, way: Unwinding): boolean => can.split(',').includes(way);

/**
 * One way to find stacks for all debug pods of a command, because only profiles that were recorded in the same way can be
 * compared. It is decided once: when so many debug pods as begin together have said what they need, or when those that have
 * do not wait any longer. Debug pods that begin later get the same answer.
 */
export class StacksAgreement implements StacksDecision {
  readonly #together: number;
  readonly #log: Pick<Log, 'line'>;
  readonly #looked = new Map<string, Looked>();
  readonly #decided = Promise.withResolvers<Unwinding | undefined>();
  #missing = 0;
  #isDecided = false;
  #agreed: Unwinding | undefined;

  /** `together`: how many debug pods begin at the same time. */
  constructor(together: number, log: Pick<Log, 'line'>) {
    this.#together = together;
    this.#log = log;
  }

  get agreed(): Unwinding | undefined {
    return this.#agreed;
  }

  /** The recorders of a debug pod all say the same, and only the first one counts. */
  async looked(plan: Plan, looked: Looked, context: SessionContext): Promise<void> {
    const { id } = plan.session;
    if (this.#looked.has(id)) return;
    this.#looked.set(id, looked);
    const signal = context.interrupts.abandon;
    if (this.#looked.size === 1)
      void context
        .sleep(WAIT_MS, signal)
        .catch(() => {})
        .then(() => this.#decide());
    this.#decideIfAll();
    const agreed = await this.#decided.promise;
    const answer = agreed !== undefined && canUse(looked, agreed) ? agreed : 'own';
    const tell = async () => {
      const words = request('stacks', `${ctlOf(plan)}/stacks-${answer}`);
      const result = await context.cluster.exec(containerOf(plan, 'files'), words, signal);
      if (result.exitCode !== 0) throw kubectlError(result);
    };
    const patience = { meanwhile: 'the node decides by itself', boundMs: TELL_MS, signal };
    await patiently(tell, patience, context).catch((error: unknown) =>
      context.log.trace(`the node was not told how stacks are found: ${reasonOf(error)}`),
    );
  }

  without(plan?: Plan): void {
    if (plan && this.#looked.has(plan.session.id)) return;
    this.#missing += 1;
    this.#decideIfAll();
  }

  #decideIfAll(): void {
    if (this.#looked.size > 0 && this.#looked.size + this.#missing >= this.#together) this.#decide();
  }

  #decide(): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    const all = [...this.#looked.values()];
    const { wants: way, why } = bestOf(all);
    const isPossible = all.every((each) => canUse(each, way));
    if (isPossible) this.#agreed = way;
    this.#log.line(
      isPossible
        ? `stacks of all targets: ${chosenText({ way, why })}`
        : `stacks: not found in the same way for all targets, because ${stacksText({ way })} is not possible for each of them; only targets with the same way can be compared`,
    );
    this.#decided.resolve(this.#agreed);
  }
}
