import type { NodeCommand, Plan } from '../../plan/plan.ts';
import { targetText } from '../../plan/plan.ts';
import { type NodeWork, privileges } from '../collector.ts';

const commandOf = (plan: Plan): NodeCommand => {
  if (plan.capture.collector !== 'crictl' && plan.capture.collector !== 'shell')
    throw new Error('not a plan for crictl or a shell');
  return plan.capture;
};

/** What crictl and shells share: a command that runs on the node for a user. command.sh is the other half of both. */
const runsCommand: Pick<NodeWork, 'scripts' | 'nodeArguments'> = {
  scripts: ['node/network.sh', 'collectors/command/command.sh'],
  nodeArguments(plan) {
    const { keys, words, tty } = commandOf(plan);
    return { keys: [...keys, `tty=${tty ? 1 : 0}`], words: [...words] };
  },
};

const sample = (more: Partial<NodeCommand> & Pick<NodeCommand, 'collector'>): NodeCommand => ({
  scope: 'node',
  about: '',
  keys: [],
  words: [],
  stdin: false,
  tty: false,
  ...more,
});

const CHANGING = { collector: 'crictl', about: 'exec', keys: ['rights=any'], words: ['exec', 'x'] } as const;

/** The node's crictl. */
export const crictlWork: NodeWork = {
  name: 'crictl',
  ...runsCommand,
  leastPrivilege: {
    needs: {
      node: privileges('both', 'SYS_PTRACE'),
      'node logs': privileges('both', 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE'),
    },
    works: [{ scope: 'node' }, { scope: 'node', parts: ['logs'] }],
    partsOf: (task) => (task.collector === 'crictl' && task.about === 'logs' ? ['logs'] : undefined),
  },
  samples: [
    {
      name: 'crictl',
      task: sample({ collector: 'crictl', about: 'ps', keys: ['rights=read'], words: ['ps'] }),
      on: 'node',
      target: 'either',
    },
    { name: 'crictl changing', task: sample(CHANGING), on: 'node', target: 'either', isShell: true },
    {
      name: 'crictl changing, with a terminal',
      task: sample({ ...CHANGING, stdin: true, tty: true }),
      on: 'node',
      target: 'either',
      isShell: true,
    },
  ],
  describe: (plan) => `crictl ${commandOf(plan).about} for ${targetText(plan.target)}`,
};

/** A shell, or a command of the user's own. It can do anything, so it cannot be limited. */
export const shellWork: NodeWork = {
  name: 'shell',
  ...runsCommand,
  samples: [
    {
      name: 'shell',
      task: sample({ collector: 'shell', keys: ['label=node-a'], words: ['true'] }),
      on: 'node',
      target: 'either',
      isShell: true,
    },
    {
      name: 'shell with a terminal',
      task: sample({ collector: 'shell', keys: ['label=pod', 'enter=net'], stdin: true, tty: true }),
      on: 'pod',
      target: 'either',
      isShell: true,
    },
  ],
  // Its words may hold secrets, and an annotation is read by many.
  describe: (plan) =>
    `a shell for ${targetText(plan.target)}${commandOf(plan).words.length ? ', with a command' : ''}`,
};
