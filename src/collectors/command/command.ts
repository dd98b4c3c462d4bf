import type { NodeCommand, Plan } from '../../plan/plan.ts';
import { targetText } from '../../plan/plan.ts';
import type { NodeWork } from '../collector.ts';

const attached = (plan: Plan): NodeCommand => {
  if (plan.capture.collector !== 'crictl' && plan.capture.collector !== 'shell')
    throw new Error('not a plan for crictl or a shell');
  return plan.capture;
};

/** What is run on the node for somebody who looks on: command.sh is its other half. */
export const runner: NodeWork = {
  describe(plan) {
    const { collector, words } = attached(plan);
    const where = targetText(plan.target);
    // Its words may hold secrets, and an annotation is read by many.
    return collector === 'crictl'
      ? `crictl ${attached(plan).about} for ${where}`
      : `a shell for ${where}${words.length ? ', with a command' : ''}`;
  },
  nodeArguments(plan) {
    const { keys, words, tty } = attached(plan);
    return { keys: [...keys, `tty=${tty ? 1 : 0}`], words: [...words] };
  },
};
