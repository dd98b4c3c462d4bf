import { beforeAll, describe, expect, it } from 'vitest';
import { debugPodKinds } from '../../src/policy/kinds.ts';
import { debugPod } from '../../src/session/pod-manifest.ts';
import { mutationsOf, type Schemas } from '../policy/mutations.ts';
import { type Answer, apiAs } from '../policy/submit.ts';
import { world } from './world.ts';

/** What may differ from pod to pod, and why it does no harm. Whatever else the policy takes is a hole in it. */
const HARMLESS: ReadonlyArray<readonly [mutation: RegExp, reason: string]> = [
  [
    /^metadata\.annotations\.(gkeprof\.dev\/(target|what|bound|reason|plan) changed|gkeprof\.dev\/(target-namespace|bound|reason|plan) removed)$/,
    'a text for people; the arguments say what is done. A client compares the plan with them (session/plan-of-pod.ts)',
  ],
  [
    /^metadata\.annotations\.(sidecar\.istio\.io|linkerd\.io)\/inject removed$/,
    'a sidecar that comes then is a third container, which is refused',
  ],
  [
    /^spec\.nodeName = /,
    'which node is looked at; --target-rights keeps whoever may not look at nodes to pods',
  ],
  [/^spec\.activeDeadlineSeconds = \d+$/, 'within the longest life that the policy allows'],
  [
    /^spec\.containers\.\d\.imagePullPolicy (=|removed)/,
    'when the image is pulled, which is one of the list in any case',
  ],
  [
    /^spec\.containers\.1\.args\.1 to the front$/,
    'how long the files are kept: the deadline of the pod stands behind it',
  ],
];

/**
 * The words behind `--` of the kinds that have some: which packets are captured, or what crictl is asked to print. Those of
 * several recorders follow each other.
 */
function isOfWords(what: string, args: readonly string[]): boolean {
  const at = /^spec\.containers\.0\.args\.(\d+) (changed|removed|to the front)$/.exec(what)?.[1];
  if (at === undefined) return what === 'spec.containers.0.args + "x"';
  const begin = args.slice(0, Number(at) + 1).findLastIndex((word) => word.startsWith('recorder='));
  return Number(at) > args.indexOf('--', begin + 1) && Number(at) !== begin;
}

/** Of a shell, and of crictl that may change the node: it is root already, whatever it runs. */
const HARMLESS_OF_SHELLS: typeof HARMLESS = [
  [/^spec\.containers\.0\.args\b/, 'the words of whoever may have a shell'],
  [/^spec\.containers\.0\.(stdin|stdinOnce|tty) /, 'whether it has a terminal'],
];

/** What the server would keep: fields of features that it has not are dropped, and so is what it writes itself. */
function kept({ body }: Answer): string {
  const { metadata, spec } = body as { metadata: { labels: object; annotations: object; name: string } } & {
    spec: object;
  };
  const { labels, annotations, name } = metadata;
  return JSON.stringify([name, labels, annotations, spec]);
}

describe('the policy against every pod that differs in one place', () => {
  let schemas: Schemas;
  let call: (method: string, path: string, body?: unknown) => Promise<Answer>;
  const submit = (pod: unknown) => call('POST', '/api/v1/namespaces/gkeprof/pods?dryRun=All', pod);

  beforeAll(async () => {
    call = apiAs(world().sreShell);
    const { body } = await apiAs(world().admin)('GET', '/openapi/v3/api/v1');
    schemas = (body as unknown as { components: { schemas: Schemas } }).components.schemas;
  });

  const names = debugPodKinds('gkeprof').map(({ name }) => name);
  // All mutations of every kind take several minutes (`npm run test:policy`). Here: all of one kind, and of each other kind
  // a tenth, each kind another one.
  const isWhole = process.env.GKEPROF_TEST_POLICY === 'all';
  it.each(names.map((name, at) => [name, at] as const))('%s', async (name, at) => {
    const kind = debugPodKinds('gkeprof', world().images.tools, 'sre-shell')[at]!;
    const pod = JSON.parse(JSON.stringify(debugPod(kind.plans, kind.work)));
    const own = await submit(pod);
    expect([own.status, own.body.message ?? '']).toEqual([201, '']);
    const all = mutationsOf(pod, schemas);
    // A pod without volumes has fewer places.
    expect(all.length).toBeGreaterThan(pod.spec.volumes ? 1000 : 900);
    const mutations = isWhole || name === 'perf pod' ? all : all.filter((_, index) => index % 10 === at % 10);
    const harmless = kind.isShell ? [...HARMLESS, ...HARMLESS_OF_SHELLS] : HARMLESS;
    const hasWords = /^(tcpdump|crictl)/.test(name);
    const isHarmless = (what: string) =>
      harmless.some(([pattern]) => pattern.test(what)) ||
      (hasWords && isOfWords(what, pod.spec.containers[0].args));
    const holes: string[] = [];
    const odd: string[] = [];
    let refused = 0;
    let next = 0;
    const worker = async () => {
      while (next < mutations.length) {
        const { what, pod: mutant } = mutations[next++]!;
        const answer = await submit(mutant);
        const message = answer.body.message ?? '';
        if (answer.status === 201) {
          const isChanged = kept(answer) !== kept(own);
          if (isChanged && !isHarmless(what)) holes.push(what);
        } else if (
          /actual cost limit exceeded|running out of cost budget/.test(message) ||
          answer.status >= 500
        )
          odd.push(`${what}: ${answer.status} ${message.slice(0, 300)}`);
        else if (/ValidatingAdmissionPolicy/.test(message)) refused += 1;
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    expect({ holes, odd }).toEqual({ holes: [], odd: [] });
    // What the API itself finds invalid says nothing of the policy: enough has to have come as far as that.
    expect(refused).toBeGreaterThan(mutations.length / 4);
  });

  it('refuses shells of users without the role for them', async () => {
    const callAsSre = apiAs(world().sre);
    for (const { name, plans, work, isShell } of debugPodKinds('gkeprof', world().images.tools, 'sre')) {
      const path = '/api/v1/namespaces/gkeprof/pods?dryRun=All';
      const { status, body } = await callAsSre('POST', path, debugPod(plans, work));
      const isRefused = /ValidatingAdmissionPolicy 'gkeprof-debug-pods'/.test(body.message ?? '');
      expect([name, status, isRefused]).toEqual([name, isShell ? 422 : 201, isShell]);
    }
  });
});
