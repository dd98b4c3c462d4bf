import { profileScope } from '../../plan/artifact-name.ts';
import { type Plan, targetText, type WaitsTask } from '../../plan/plan.ts';
import { formatBytes } from '../../text/quantity.ts';
import { type Collector, lastWords, privileges } from '../collector.ts';
import { waitsByHand } from './by-hand.ts';

const LOOKING = privileges('pids', 'DAC_READ_SEARCH', 'SYS_ADMIN', 'SYS_PTRACE');

const task = (scope: WaitsTask['scope']): WaitsTask => ({ collector: 'waits', scope, rateHz: 50 });

const taskOf = (plan: Plan): WaitsTask => {
  if (plan.capture.collector !== 'waits') throw new Error('not a plan for waits');
  return plan.capture;
};

/** What threads wait for, by looks at /proc: waits.sh is its shell half, and the sampler looks. docs/waits-format.md describes the artifact. */
export const waits: Collector = {
  name: 'waits',
  scripts: ['node/network.sh', 'collectors/waits/waits.sh'],
  program: [
    'collectors/waits/sampler/files.pl',
    'collectors/waits/sampler/threads.pl',
    'collectors/waits/sampler/objects.pl',
    'collectors/waits/sampler/sockets.pl',
    'collectors/waits/sampler/cgroups.pl',
    'collectors/waits/sampler/neighbours.pl',
    'collectors/waits/sampler/rounds.pl',
    'collectors/waits/sampler/loop.pl',
  ],
  leastPrivilege: {
    needs: { pod: LOOKING, container: LOOKING },
    works: [{ scope: 'pod' }, { scope: 'container' }],
  },
  samples: [
    { name: 'waits pod', task: task('pod'), on: 'pod' },
    { name: 'waits container', task: task('container'), on: 'container' },
  ],
  ending: '.waits.txt.gz',
  artifact: 'waits.txt.gz',
  raw: () => ({ file: 'waits.txt', ending: '.waits.txt', isOpaque: false }),
  install: 'iproute2, about 15 s and 10 MB',

  describe(plan) {
    const { target } = plan;
    const what =
      target.kind === 'pod' && target.container
        ? `container ${target.container.name} of ${targetText(target)}`
        : targetText(target);
    return `what the threads of ${what} wait for, ${taskOf(plan).rateHz} looks per second`;
  },

  nodeArguments: (plan) => ({ keys: [`rate=${taskOf(plan).rateHz}`], words: [] }),

  scopeName({ target }) {
    if (target.kind === 'node') throw new Error('waits are recorded of pods only');
    return profileScope(target.namespace, target.name, target.container?.name);
  },

  progress: ({ bytes }) => [formatBytes(bytes)],

  explain(code, plan, log) {
    if (code !== 'waits-failed') return undefined;
    return { reason: `the looks at the threads failed on the node ${plan.node}: ${lastWords(log)}` };
  },

  byHand: (plan, around, nowMs) => waitsByHand(plan, taskOf(plan), around, nowMs),
};
